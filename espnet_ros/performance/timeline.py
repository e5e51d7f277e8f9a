"""State of the machine over time while a model runs, as in the paper's Figs. 12 to 14."""
import threading
import time
import typing

from espnet_ros.telemetry.machine import readings
from espnet_ros.telemetry.sources import open_machine

POWER = 'power/total'


class Sample(typing.NamedTuple):
    """The machine at one time: seconds since the first sample, frames that were done, and telemetry's readings."""

    at: float
    frames: int
    readings: typing.Dict[str, float]


class Timeline(typing.NamedTuple):
    """Samples before, during and after work.

    began, ended: when the work did, in seconds since the first sample. frame_seconds: how long each frame took.
    """

    samples: typing.Tuple[Sample, ...]
    began: float
    ended: float
    frame_seconds: typing.Tuple[float, ...]


class Reading(typing.NamedTuple):
    """One of telemetry's readings: mean when idle (None without samples), mean and peak under load."""

    rest: typing.Optional[float]
    work: float
    highest: float


def record(work, seconds=10.0, rest=2.0, interval=0.1, open_machine=open_machine):
    """Record the machine while idle, while calling work() for `seconds` without a pause, and idle again.

    rest, interval: seconds. open_machine: as in telemetry.sources.
    """
    machine = open_machine(interval=interval)
    samples, frame_seconds, stopped, start = [], [], threading.Event(), 0.0

    def watch():
        while not stopped.wait(interval):
            values = dict(readings(machine.state()))
            if values:
                samples.append(Sample(time.monotonic() - start, len(frame_seconds), values))
    watcher = threading.Thread(target=watch, daemon=True)
    try:
        time.sleep(3 * interval)  # the first reading of a source has no previous one to compare with
        start = time.monotonic()
        watcher.start()
        time.sleep(rest)
        began = time.monotonic() - start
        while time.monotonic() - start < began + seconds:
            before = time.perf_counter()
            work()
            frame_seconds.append(time.perf_counter() - before)
        ended = time.monotonic() - start
        time.sleep(rest)
    finally:
        stopped.set()
        watcher.join()
        machine.stop()
    return Timeline(tuple(samples), began, ended, tuple(frame_seconds))


def averages(timeline):
    """Return an ordered dict from the names of telemetry's readings to Reading.

    Under load means the last two thirds of it, after the sensors have settled.
    """
    settled = timeline.began + (timeline.ended - timeline.began) / 3
    work = [sample.readings for sample in timeline.samples if settled <= sample.at <= timeline.ended]
    rest = [sample.readings for sample in timeline.samples if sample.at < timeline.began]
    names = dict.fromkeys(name for values in work for name in values)
    return {name: Reading(_mean(_known(rest, name)), _mean(_known(work, name)), max(_known(work, name)))
            for name in names}


def energy(timeline):
    """Return (joules per frame, joules per frame above idle), None for what is not measured."""
    power = averages(timeline).get(POWER)
    if power is None or not timeline.frame_seconds:
        return None, None
    seconds = (timeline.ended - timeline.began) / len(timeline.frame_seconds)
    return power.work * seconds, None if power.rest is None else (power.work - power.rest) * seconds


def _known(values, name):
    return [readings[name] for readings in values if name in readings]


def _mean(values):
    return sum(values) / len(values) if values else None
