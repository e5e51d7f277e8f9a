"""Time and energy at several GPU frequencies: the paper's sensitivity to GPU frequency."""
import time
import typing

from espnet_ros.errors import EngineError, ParameterError
from espnet_ros.performance import timeline
from espnet_ros.performance.profile.clock_guard import guarded
from espnet_ros.performance.statistics import summarize

SPREAD = 4
"""How many frequencies are tried when none are named."""


class Point(typing.NamedTuple):
    """A frame at one frequency of the GPU: MHz, median seconds, watts and joules, None without a power sensor."""

    frequency: float
    seconds: float
    power: typing.Optional[float]
    energy: typing.Optional[float]


def choose(available, wanted=()):
    """Return the frequencies to try in MHz, ascending: those of `available` nearest to the wanted ones.

    Without wanted ones, SPREAD of them from the lowest to the highest. Raises ParameterError when there is none
    within 2%.
    """
    if not wanted:
        steps = min(SPREAD, len(available)) - 1
        return [available[round(i * (len(available) - 1) / steps)] for i in range(steps + 1)] if steps else available
    chosen = set()
    for frequency in wanted:
        nearest = min(available, key=lambda there: abs(there - frequency))
        if abs(nearest - frequency) > 0.02 * frequency:
            raise ParameterError('the GPU has no {:g} MHz; it has {}'.format(
                frequency, ', '.join('{:g}'.format(there) for there in available)))
        chosen.add(nearest)
    return sorted(chosen)


def measure_frequencies(work, clock, frequencies, seconds=5.0, on_point=lambda frequency: None,
                        open_machine=timeline.open_machine):
    """Return a list of Point; the clock is restored afterwards in any case. Raises EngineError.

    work: segments a frame. clock: of clocks.find_clock. frequencies: in MHz. seconds: of work at each. on_point: is
    called before each. open_machine: as in telemetry.sources.
    """
    if clock.refusal():
        raise EngineError(clock.refusal())
    points = []
    with guarded(clock):
        for frequency in frequencies:
            on_point(frequency)
            clock.pin(frequency)
            time.sleep(0.2)  # until the clock has changed
            line = timeline.record(work, seconds, rest=0.0, open_machine=open_machine)
            power = timeline.averages(line).get(timeline.POWER)
            points.append(Point(frequency, summarize(line.frame_seconds).median,
                                power and power.work, timeline.energy(line)[0]))
    return points


def sensitivity(low, high):
    """Return by how many percent the time falls for each percent that the clock rises, from one Point to another.

    The paper's section 4.1. A time that goes with the clock's period alone gives low.frequency / high.frequency.
    """
    return (low.seconds - high.seconds) / low.seconds / ((high.frequency - low.frequency) / low.frequency)
