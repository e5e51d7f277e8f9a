"""A GPU's clock is let go whatever becomes of the process that holds it."""
import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile import clock_guard
from espnet_ros.performance.profile.clock_guard import guarded
from espnet_ros.performance.profile.clocks import DevfreqClock

HOLDER = """
import sys, time
from espnet_ros.performance.profile.clock_guard import guarded
from espnet_ros.performance.profile.clocks import DevfreqClock
with guarded(DevfreqClock(sys.argv[1])) as clock:
    clock.pin(1300.5)
    print('pinned', flush=True)
    time.sleep(120)
"""


def limits(folder):
    return [(folder / name).read_text().strip() for name in ('min_freq', 'max_freq')]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_in_peace(devfreq):
    with guarded(DevfreqClock(str(devfreq))) as clock:
        clock.pin(624.75)
        assert limits(devfreq) == ['624750000', '624750000']
    assert limits(devfreq) == ['114750000', '1134750000']


def test_after_an_error(devfreq):
    with pytest.raises(RuntimeError, match='lost'), guarded(DevfreqClock(str(devfreq))) as clock:
        clock.pin(624.75)
        raise RuntimeError('the GPU is lost')
    assert limits(devfreq) == ['114750000', '1134750000']


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV])
@pytest.mark.parametrize('whole_group', [False, True])  # as Ctrl-C does, and a terminal that goes
def test_in_the_middle_of_a_measurement(devfreq, number, whole_group):
    process = subprocess.Popen([sys.executable, '-c', HOLDER, str(devfreq)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, universal_newlines=True, start_new_session=True)
    try:
        assert process.stdout.readline() == 'pinned\n'
        assert limits(devfreq) == ['1300500000', '1300500000']
        for _ in range(10):  # Python may ignore an interrupt that comes while it collects garbage
            (os.killpg if whole_group else os.kill)(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert process.wait(60) != 0
                break
        wait_for(lambda: limits(devfreq) == ['114750000', '1134750000'])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_guard_that_was_killed_is_not_needed(devfreq, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(clock_guard.subprocess, 'Popen', lambda *words, **settings: started.append(
        popen(*words, **settings)) or started[0])
    with guarded(DevfreqClock(str(devfreq))) as clock:
        clock.pin(1300.5)
        started[0].kill()
    assert limits(devfreq) == ['114750000', '1134750000']


def test_without_a_guard_the_clock_is_not_touched(devfreq, monkeypatch):
    monkeypatch.setattr(clock_guard.sys, 'executable', '/bin/false')
    with pytest.raises(EngineError, match='was not touched'), guarded(DevfreqClock(str(devfreq))):
        raise AssertionError('it must not come here')
    assert limits(devfreq) == ['114750000', '1134750000']


def test_a_clock_that_cannot_be_restored_is_said(devfreq):
    with pytest.raises(EngineError, match='max_freq'), guarded(DevfreqClock(str(devfreq))) as clock:
        clock.pin(624.75)
        (devfreq / 'max_freq').unlink()
