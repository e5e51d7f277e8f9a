"""Two pipelines in turns on one machine, for the ratio of their speeds."""
import time
import typing

import numpy as np

from espnet_ros.errors import EngineError
from espnet_ros.performance.benchmark.measure import under_load
from espnet_ros.performance.benchmark.processes import Worker, alternate
from espnet_ros.performance.statistics import Ratio, Summary, ratio_of_turns, summarize
from espnet_ros.telemetry.sources import open_machine

LEAST_TURNS = 3


class Turns(typing.NamedTuple):
    """What was measured of two pipelines.

    about, other_about: what the engines told of themselves. seconds, other_seconds: of a frame. fastest, other_fastest:
    seconds of the fastest tenth of the frames, which other programs disturb least. ratio: of the other's times to the
    first's, turn by turn; cpu_ratio: the same of the CPU time of all threads, which other programs hardly change.
    energy: joules a frame of the first, None without a power sensor. problem: why nothing was
    measured.
    """

    about: typing.Dict[str, typing.Any] = {}
    other_about: typing.Dict[str, typing.Any] = {}
    seconds: typing.Optional[Summary] = None
    other_seconds: typing.Optional[Summary] = None
    fastest: typing.Optional[float] = None
    other_fastest: typing.Optional[float] = None
    ratio: typing.Optional[Ratio] = None
    cpu_ratio: typing.Optional[Ratio] = None
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
        found = alternate(groups, 0, repeats)
        seconds = [[[frame['inference'] for frame in turn] for turn in turns] for turns in found]
        flat = [[frame for turn in turns for frame in turn] for turns in seconds]
        fastest, other_fastest = (float(np.percentile(frames, 10)) for frames in flat)
        ratio, cpu_ratio = (ratio_of_turns(*([float(np.mean([frame[kind] for frame in turn])) for turn in turns]
                                             for turns in found[::-1])) for kind in ('inference', 'cpu'))
        return Turns(about[0], about[1], summarize(flat[0]), summarize(flat[1]), fastest, other_fastest, ratio,
                     cpu_ratio, under_load(workers[:1], open_machine)[0])
    except EngineError as error:
        return Turns(problem=str(error))
    finally:
        for worker in workers:
            worker.close()
