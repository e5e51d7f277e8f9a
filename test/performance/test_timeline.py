"""The machine while a model works."""
import itertools
import threading
import time

import pytest

from espnet_ros.performance.timeline import Reading, Sample, Timeline, averages, energy, record
from espnet_ros.telemetry.machine import GpuState, MachineState


class StandIn:
    """A machine whose states are given."""

    def __init__(self, states):
        self._states = iter(states)
        self.stopped = False

    def state(self):
        return next(self._states)

    def stop(self):
        self.stopped = True


def line(*samples, began=1.0, ended=4.0, frames=6):
    return Timeline(tuple(Sample(at, 0, readings) for at, readings in samples), began, ended, (0.5,) * frames)


def test_a_recording_has_rest_work_and_rest():
    machine = StandIn(MachineState(cpu=(50.0, 100.0), gpus=(GpuState('GPU', load=float(i)),))
                      for i in itertools.count())
    done = []

    def work():
        done.append(threading.current_thread())
        time.sleep(0.01)
    found = record(work, 0.3, 0.1, 0.02, lambda interval: machine)
    assert machine.stopped and len(found.frame_seconds) == len(done) > 0
    assert set(done) == {threading.current_thread()}  # engines belong to one thread
    assert all(seconds >= 0.01 for seconds in found.frame_seconds)
    assert found.began >= 0.1 and found.ended >= found.began + 0.3
    assert all(sample.readings['cpu/load'] == 75.0 for sample in found.samples)
    assert [sample.readings['gpu/load'] for sample in found.samples] == [float(i) for i in range(len(found.samples))]
    times = [sample.at for sample in found.samples]
    assert times == sorted(times) and times[-1] > found.ended
    assert found.samples[-1].frames == len(done)


def test_a_machine_that_tells_nothing():
    found = record(lambda: time.sleep(0.01), 0.05, 0.02, 0.01, lambda interval: StandIn(itertools.repeat(
        MachineState())))
    assert found.samples == () and averages(found) == {} and energy(found) == (None, None)


def test_work_that_fails_ends_the_recording():
    machine = StandIn(itertools.repeat(MachineState()))

    def fail():
        raise RuntimeError('out of memory')
    with pytest.raises(RuntimeError):
        record(fail, 1.0, 0.01, 0.01, lambda interval: machine)
    assert machine.stopped


def test_averages_are_of_the_last_two_thirds_of_the_work():
    found = averages(line((0.5, {'power/total': 4.0}), (1.5, {'power/total': 100.0}), (2.5, {'power/total': 10.0}),
                          (3.5, {'power/total': 20.0}), (4.5, {'power/total': 100.0})))
    assert found == {'power/total': Reading(4.0, 15.0, 20.0)}


def test_what_is_not_always_known_is_averaged_where_it_is():
    found = averages(line((2.5, {'gpu/load': 90.0}), (3.0, {}), (3.5, {'gpu/load': 100.0, 'cpu/load': 7.0})))
    assert found == {'gpu/load': Reading(None, 95.0, 100.0), 'cpu/load': Reading(None, 7.0, 7.0)}


def test_energy_is_power_times_the_time_of_a_frame():
    # Six frames in three seconds at 15 W, of which the machine takes 4 W anyway.
    assert energy(line((0.5, {'power/total': 4.0}), (3.0, {'power/total': 15.0}))) == (7.5, 5.5)
    assert energy(line((3.0, {'power/total': 15.0}))) == (7.5, None)
    assert energy(line((3.0, {'cpu/load': 15.0}))) == (None, None)
