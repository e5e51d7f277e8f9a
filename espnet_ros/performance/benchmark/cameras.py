"""Several cameras in one process against a process for each."""
import typing

from espnet_ros.errors import EngineError
from espnet_ros.performance.benchmark.processes import Worker, alternate
from espnet_ros.performance.contention import Contention, ContentionMeter
from espnet_ros.performance.statistics import Ratio, Summary, ratio_of_turns, summarize


class Way(typing.NamedTuple):
    """What was measured of one way to serve all cameras.

    rate: labels per second of all cameras together. age: Summary of the seconds until an image has its labels, when one
    of each camera comes at the same time. memory: MiB, the peaks of all its processes together. cpu: seconds of CPU
    time for an image, which other programs hardly change.
    """

    rate: float
    age: Summary
    memory: float
    cpu: float


class CamerasMeasurement(typing.NamedTuple):
    """One process for all cameras and a process for each, in turns.

    candidate: measure.Candidate. alone: MiB of a process with one camera. ratio: Ratio of the rounds' times, separate
    to shared: above 1, one process is the faster way. problem: why nothing was measured.
    """

    candidate: typing.Any
    shared: typing.Optional[Way] = None
    separate: typing.Optional[Way] = None
    alone: typing.Optional[float] = None
    ratio: typing.Optional[Ratio] = None
    contention: Contention = Contention()
    problem: str = ''


def measure_cameras(candidate, warmup=2, repeats=10, images=(), on_turn=lambda: None):
    """Return the CamerasMeasurement of a Candidate; other arguments: as for measure.measure."""
    workers = []
    try:
        for shared in [True] + [False] * candidate.cameras:
            workers.append(Worker(candidate._replace(shared=shared), images))
        for worker in workers:
            worker.receive()
        meter = ContentionMeter([worker.pid for worker in workers])
        meter.start()
        rounds = alternate([workers[:1], workers[1:]], warmup, repeats, on_turn)
        contention = meter.stop()
        memory = [worker.memory() for worker in workers]
        ways = [_way(*each) for each in zip(rounds, (1, candidate.cameras), (memory[0], sum(memory[1:])))]
        medians = [[summarize(turn).median for turn in _seconds(turns, count)]
                   for turns, count in zip(rounds, (1, candidate.cameras))]
        return CamerasMeasurement(candidate, ways[0], ways[1], max(memory[1:]),
                                  ratio_of_turns(medians[1], medians[0]), contention)
    except EngineError as error:
        return CamerasMeasurement(candidate, problem=str(error))
    finally:
        for worker in workers:
            worker.close()


def _way(turns, processes, memory):
    ages = _ages(turns)
    cpu = sum(answer['cpu'] for turn in turns for answer in turn)
    return Way(len(ages) / sum(map(sum, _seconds(turns, processes))), summarize(ages), memory, cpu / len(ages))


def _seconds(turns, processes):
    """Return the seconds of each round, which lasts until the last of its processes has answered, by turns."""
    return [[max(answer['total'] for answer in turn[first:first + processes])
             for first in range(0, len(turn), processes)] for turn in turns]


def _ages(turns):
    return [age for turn in turns for answer in turn for age in answer['ages']]
