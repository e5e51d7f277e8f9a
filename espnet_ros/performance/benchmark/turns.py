"""Two pipelines in turns on one machine, for the ratio of their speeds."""
import time
import typing

import numpy as np

from espnet_ros.errors import EngineError
from espnet_ros.performance.benchmark.measure import FRAMES, PAUSE, Summary, _under_load, _Worker
from espnet_ros.telemetry.sources import open_machine

LEAST_TURNS = 3
SLOW = 1.0
"""Seconds of a frame from which on a turn has one."""


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
            workers.append(_Worker(each, ()))
        about = [worker.receive() for worker in workers]
        first = [_turn(worker, 1)[0] for worker in workers]
        seconds: typing.List[typing.List[float]] = [[], []]
        began, turns = time.monotonic(), 0
        while turns < LEAST_TURNS or time.monotonic() - began < budget:
            for worker, kept, expected in zip(workers, seconds, first):
                time.sleep(PAUSE)
                kept += _turn(worker, 1 if expected > SLOW else FRAMES)
            turns += 1
        energy = _under_load(workers[:1], open_machine)[0]
        first_summary, second_summary = (Summary(*np.percentile(kept, (50, 95)).tolist()) for kept in seconds)
        return Turns(about[0], about[1], first_summary, second_summary, energy)
    except EngineError as error:
        return Turns(problem=str(error))
    finally:
        for worker in workers:
            worker.close()


def _turn(worker, frames):
    seconds = []
    for _ in range(frames):
        worker.send('run')
        seconds.append(worker.receive()['inference'])
    return seconds
