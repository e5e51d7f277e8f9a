"""Sources of a machine's state: psutil, polling, and what is chosen where."""
import collections
import sys
import threading
import time

import psutil
import pytest
from ros_process import wait_until
from stand_in_tegrastats import StandIn

from espnet_ros.telemetry.host import Host
from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.poller import Absent, Poller
from espnet_ros.telemetry.sources import open_machine

STATE = MachineState(sources=('test',), memory_used=1, memory_total=2)


class Reader:
    """A reader that a test controls."""

    def __init__(self):
        self.error = None
        self.hang = threading.Event()
        self.made = self.reads = self.closed = 0

    def __call__(self):
        self.made += 1
        return self

    def read(self):
        self.reads += 1
        if self.hang.is_set():
            time.sleep(3600)
        if self.error:
            raise self.error
        return STATE

    def close(self):
        self.closed += 1
        raise RuntimeError('even that fails')


@pytest.fixture
def poll():
    """Function poll(make) -> a started Poller that reads 50 times a second."""
    pollers = []

    def poll(make, interval=0.02):
        pollers.append(Poller('toaster', make, interval))
        pollers[-1].start()
        return pollers[-1]

    yield poll
    for poller in pollers:
        poller.stop()


def test_a_poller_reads_and_closes(poll):
    reader = Reader()
    poller = poll(reader)
    wait_until(lambda: reader.reads > 3 and poller.state() == STATE)
    poller.stop()
    poller.join(10.0)
    assert not poller.is_alive() and (reader.made, reader.closed) == (1, 1)


def test_what_fails_is_a_problem_and_is_made_again(poll):
    reader = Reader()
    reader.error = OSError('no bread')
    poller = poll(reader)
    wait_until(lambda: poller.state() == MachineState(problems=('toaster cannot be read: no bread',)))
    wait_until(lambda: reader.made > 3 and reader.closed >= 3)
    reader.error = ValueError()
    wait_until(lambda: poller.state().problems == ('toaster cannot be read: ValueError()',))
    reader.error = None
    wait_until(lambda: poller.state() == STATE)


def test_what_hangs_is_a_problem_and_keeps_nobody_waiting(poll):
    reader = Reader()
    poller = poll(reader)
    wait_until(lambda: poller.state() == STATE)
    reader.hang.set()
    wait_until(lambda: poller.state() == MachineState(
        problems=('toaster has not answered for 1 s; look at its driver with dmesg',)))
    began = time.monotonic()
    poller.stop()
    assert time.monotonic() - began < 60.0


def test_what_hangs_from_the_start_is_a_problem(poll):
    poller = poll(lambda: time.sleep(3600))
    assert poller.state() == MachineState()
    wait_until(lambda: poller.state().problems)


def test_what_is_absent_is_no_problem(poll):
    def make():
        raise Absent('no toaster here')
    poller = poll(make)
    poller.join(10.0)
    assert not poller.is_alive()
    time.sleep(1.2)
    assert poller.state() == MachineState()


def test_psutil_of_this_machine():
    state = Host().read()
    assert state.sources == ('psutil',) and len(state.cpu) == psutil.cpu_count()
    assert all(0 <= load <= 100 for load in state.cpu)
    assert 0 < state.memory_used < state.memory_total == psutil.virtual_memory().total


def test_psutil_temperatures(monkeypatch):
    sensor = collections.namedtuple('sensor', 'label current')
    monkeypatch.setattr(psutil, 'sensors_temperatures', lambda: {
        'coretemp': [sensor('Core 0', 51.0), sensor('', 49.5)], 'PMIC-Die': [sensor('', 100.0)]}, raising=False)
    assert Host().read().temperatures == (('coretemp Core 0', 51.0), ('coretemp 1', 49.5))
    monkeypatch.delattr(psutil, 'sensors_temperatures')
    assert Host().read().temperatures == ()


def test_without_psutil_there_is_no_host(monkeypatch):
    monkeypatch.setitem(sys.modules, 'psutil', None)
    with pytest.raises(Absent):
        Host()


@pytest.fixture
def machine():
    """Function machine(**options) -> a Machine; stopped after the test."""
    machines = []

    def start(**options):
        machines.append(open_machine(**options))
        return machines[-1]

    yield start
    for found in machines:
        found.stop()


def test_a_pc(machine, tmp_path):
    found = machine(tegrastats='', interval=0.1, root=str(tmp_path))
    wait_until(lambda: 'psutil' in found.state().sources)
    assert 'sysfs' not in found.state().sources and 'tegrastats' not in found.state().sources


@pytest.mark.slow
def test_a_jetson_with_everything(machine, tmp_path, monkeypatch):
    (tmp_path / 'sys/devices/gpu.0').mkdir(parents=True)
    (tmp_path / 'sys/devices/gpu.0/load').write_text('999')
    (tmp_path / 'sys/devices/gpu.0/devfreq/gp10b').mkdir(parents=True)
    (tmp_path / 'sys/devices/gpu.0/devfreq/gp10b/max_freq').write_text('1300500000')
    StandIn(tmp_path)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    found = machine(interval=0.1, root=str(tmp_path))
    wait_until(lambda: found.state().sources == ('tegrastats', 'sysfs', 'psutil'))
    state = found.state()
    assert state.gpus == (GpuState('GR3D', load=47, clock=1300, highest_clock=1300.5),)
    assert len(state.cpu) == 4 and state.memory_total == 7851 << 20  # tegrastats' word counts


def test_all_optional(machine, tmp_path, monkeypatch):
    for name in ('psutil', 'pynvml'):
        monkeypatch.setitem(sys.modules, name, None)
    found = machine(tegrastats='no such program', interval=0.1, root=str(tmp_path))
    time.sleep(1.5)
    assert found.state() == MachineState()


@pytest.mark.slow
def test_reading_takes_no_time_and_leaves_no_thread(machine, tmp_path):
    before = set(threading.enumerate())
    found = machine(tegrastats=str(StandIn(tmp_path, mode='hang').path), interval=0.1, root=str(tmp_path))
    began = time.thread_time()
    for _ in range(100):
        found.state()
    assert time.thread_time() - began < 1.0
    found.stop()
    wait_until(lambda: set(threading.enumerate()) <= before)




@pytest.mark.unit
def test_a_tegrastats_that_was_named_and_is_missing_is_told(machine, tmp_path):
    source = machine(tegrastats=str(tmp_path / 'tegrastats'), interval=0.05, root=str(tmp_path))
    wait_until(lambda: source.state().problems)
    assert any('tegrastats does not start (No such file or directory)' in text for text in source.state().problems)
