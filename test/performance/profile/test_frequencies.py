"""Sensitivity to the GPU's frequency."""
import itertools
import time

import pytest

from espnet_ros.errors import EngineError, ParameterError
from espnet_ros.performance.profile.clocks import DevfreqClock
from espnet_ros.performance.profile.frequencies import Point, choose, measure_frequencies, sensitivity
from espnet_ros.telemetry.machine import MachineState

THERE = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0]


@pytest.mark.parametrize('wanted, chosen', [
    ((), [100.0, 300.0, 500.0, 700.0]), ((700, 100.5), [100.0, 700.0]), ((200, 201), [200.0])])
def test_the_frequencies_to_try(wanted, chosen):
    assert choose(THERE, wanted) == chosen


@pytest.mark.parametrize('there, chosen', [([5.0], [5.0]), ([5.0, 6.0], [5.0, 6.0]), (THERE[:4], THERE[:4])])
def test_a_gpu_with_few(there, chosen):
    assert choose(there) == chosen


def test_one_that_is_not_there():
    with pytest.raises(ParameterError, match='the GPU has no 650 MHz; it has 100, 200, 300'):
        choose(THERE, [650])


def test_sensitivity_is_the_change_in_time_over_the_change_in_frequency():
    # 25% more clock, 10% less time
    assert sensitivity(Point(800.0, 0.10, None, None), Point(1000.0, 0.09, None, None)) == pytest.approx(0.4)
    # all of the time goes with the clock
    assert sensitivity(Point(500.0, 0.2, None, None), Point(1000.0, 0.1, None, None)) == pytest.approx(0.5)
    assert sensitivity(Point(500.0, 0.2, None, None), Point(1000.0, 0.2, None, None)) == 0.0


class StandIn:
    """A machine whose power goes with its clock, in watts one hundredth of the megahertz."""

    def __init__(self, folder):
        self._folder = folder

    def state(self):
        return MachineState(rails=(('VDD_IN', int((self._folder / 'min_freq').read_text()) / 1e8),))

    def stop(self):
        pass


def test_time_and_energy_at_each(devfreq):
    held = []

    def work():
        held.append((devfreq / 'min_freq').read_text())
        time.sleep(0.005)
    told = []
    points = measure_frequencies(work, DevfreqClock(str(devfreq)), [114.75, 1300.5], 0.4, told.append,
                                 lambda interval: StandIn(devfreq))
    assert told == [114.75, 1300.5] == [point.frequency for point in points]
    assert [key for key, _ in itertools.groupby(held)] == ['114750000', '1300500000']
    assert [point.power for point in points] == pytest.approx([1.1475, 13.005])
    assert all(point.seconds >= 0.005 and point.energy >= 0.005 * point.power for point in points)
    assert (devfreq / 'max_freq').read_text() == '1134750000'


def test_refused_politely(devfreq, monkeypatch):
    monkeypatch.setattr(DevfreqClock, 'refusal', lambda self: 'it needs root')
    with pytest.raises(EngineError, match='it needs root'):
        measure_frequencies(lambda: None, DevfreqClock(str(devfreq)), [114.75])
    assert (devfreq / 'min_freq').read_text() == '114750000\n'
