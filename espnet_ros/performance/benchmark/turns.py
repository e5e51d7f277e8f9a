"""Two pipelines in turns on one machine, for the ratio of their speeds."""
import time
import typing

from espnet_ros.errors import EngineError
from espnet_ros.performance.benchmark.measure import under_load
from espnet_ros.performance.benchmark.processes import Worker, alternate
from espnet_ros.performance.statistics import Summary, summarize
from espnet_ros.telemetry.sources import open_machine

LEAST_TURNS = 3


class Turns(typing.NamedTuple):
    """What was measured: seconds of a frame of both, and joules a frame of the first, None without a power sensor.

    about, other_about: what the engines told of themselves. problem: why nothing was measured.
    """

    about: typing.Dict[str, typing.Any] = {}
    other_about: typing.Dict[str, typing.Any] = {}
    seconds: typing.Optional[Summary] = None
    other_seconds: typing.Optional[Summary] = None
    energy: typing.Optional[float] = None
    problem: str = ''


def in_turns(candidate, other, budget=30.0, open_machine=open_machine):
    """Measure two Candidates in turns and return the Turns.

    budget: seconds that turns may take; there are at least LEAST_TURNS, after one that does not count.
    """
    workers = []
    try:
        for each in (candidate, other):
            workers.append(Worker(each))
        about = [worker.receive() for worker in workers]
        groups = [[worker] for worker in workers]
        began = time.monotonic()
        alternate(groups, 1, 0)
        repeats = max(LEAST_TURNS, int(budget / (time.monotonic() - began)))
        seconds = [summarize([frame['inference'] for turn in turns for frame in turn])
                   for turns in alternate(groups, 0, repeats)]
        return Turns(about[0], about[1], *seconds, energy=under_load(workers[:1], open_machine)[0])
    except EngineError as error:
        return Turns(problem=str(error))
    finally:
        for worker in workers:
            worker.close()
