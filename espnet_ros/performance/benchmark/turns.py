"""Two pipelines in turns on one machine, for the ratio of their speeds."""
import time
import typing

import numpy as np

from espnet_ros.errors import EngineError
from espnet_ros.performance.benchmark.measure import under_load
from espnet_ros.performance.benchmark.processes import Worker, alternate
from espnet_ros.performance.contention import Contention, ContentionMeter
from espnet_ros.performance.statistics import Ratio, Summary, ratio_of_turns, summarize
from espnet_ros.telemetry.machine import total_power
from espnet_ros.telemetry.sources import open_machine

LEAST_TURNS = 3


class Turns(typing.NamedTuple):
    """What was measured of two pipelines.

    about, other_about: what the engines told of themselves. seconds, other_seconds: of a frame. fastest, other_fastest:
    seconds of the fastest tenth of the frames, which other programs disturb least. ratio: of the other's times to the
    first's, turn by turn; cpu_ratio: the same of the CPU time of all threads, which other programs hardly change.
    contention: meanwhile. energy: joules a frame of the first, None without a power sensor. problem: why nothing was
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
    contention: Contention = Contention()
    energy: typing.Optional[float] = None
    problem: str = ''


def in_turns(candidate, other, budget=30.0, energy=True, open_machine=open_machine):
    """Measure two Candidates in turns and return the Turns.

    budget: seconds that it may take with the start of both; there are at least LEAST_TURNS, after one that does not
    count. energy: whether to measure it, which takes seconds more.
    """
    workers = []
    began = time.monotonic()
    try:
        for each in (candidate, other):
            workers.append(Worker(each))
        about = [worker.receive() for worker in workers]
        meter = ContentionMeter([worker.pid for worker in workers])
        meter.start()
        found = alternate([[worker] for worker in workers], 1, LEAST_TURNS, until=began + budget)
        contention = meter.stop()
        seconds = [[frame['inference'] for turn in turns for frame in turn] for turns in found]
        fastest, other_fastest = (float(np.percentile(frames, 10)) for frames in seconds)
        ratio, cpu_ratio = (ratio_of_turns(*([float(np.mean([frame[kind] for frame in turn])) for turn in turns]
                                             for turns in found[::-1])) for kind in ('inference', 'cpu'))
        return Turns(about[0], about[1], summarize(seconds[0]), summarize(seconds[1]), fastest, other_fastest, ratio,
                     cpu_ratio, contention, under_load(workers[:1], open_machine)[0] if energy else None)
    except EngineError as error:
        return Turns(problem=str(error))
    finally:
        for worker in workers:
            worker.close()


def has_power_sensor(open_machine=open_machine, patience=1.0):
    """Return whether the power of this machine can be read. patience: seconds to wait for a first reading."""
    machine = open_machine(interval=0.1)
    try:
        began = time.monotonic()
        while time.monotonic() < began + patience:
            if total_power(machine.state()) is not None:
                return True
            time.sleep(0.05)
        return False
    finally:
        machine.stop()
