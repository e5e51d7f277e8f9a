"""A tegrastats process that works, dies, hangs, talks nonsense and floods."""
import gc
import os
import threading
import time

import psutil
import pytest
from ros_process import wait_until
from stand_in_tegrastats import FULL, LINES, StandIn

from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.tegrastats_process import TegrastatsProcess, line_to_state

FIRST = MachineState(
    sources=('tegrastats',), cpu=(1, 72, 26, 1), cpu_clocks=(2028, 2034, 2036, 2024), memory_used=2969 << 20,
    memory_total=7851 << 20, gpus=(GpuState('GR3D', load=47, clock=1300),), temperatures=(('GPU', 41.5),),
    rails=(('VDD_IN', 3.104), ('VDD_GPU', 0.145)))


@pytest.fixture
def stand_in(tmp_path):
    return StandIn(tmp_path)


@pytest.fixture
def start():
    """Function start(program) -> a TegrastatsProcess that runs fast; ends with the test and leaves nothing behind."""
    started = []

    def start(program, **options):
        started.append(TegrastatsProcess(str(program), **dict(
            {'interval': 0.05, 'backoff': (0.05, 0.4), 'patience': 0.5}, **options)))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.stop()
        assert not process.is_alive()
    assert not children()


def children():
    gc.collect()
    return [child for child in psutil.Process().children(recursive=True) if 'tegrastats' in ' '.join(child.cmdline())
            or child.status() == psutil.STATUS_ZOMBIE]


def problem(source):
    """The one problem that is told, in place of any reading."""
    state = source.state()
    assert state.problems or state.sources or state == MachineState()
    return state.problems[0] if state.problems and state == MachineState(problems=state.problems) else ''


@pytest.mark.parametrize('line, state', [
    (LINES[0], FIRST),
    (LINES[1], FIRST._replace(
        cpu=(2, 70, None, None), cpu_clocks=(2028, 2034, None, None), memory_used=2970 << 20,
        temperatures=(('GPU', 41.0),), rails=(('VDD_IN', 3.1), ('VDD_GPU', 0.14)))),
    ('RAM 1/2MB SWAP 3/4MB', MachineState(sources=('tegrastats',), memory_used=1 << 20, memory_total=2 << 20,
                                          swap_used=3 << 20, swap_total=4 << 20)),
    ('RAM 1/2MB GR3D_FREQ @[314,500,314]', MachineState(
        sources=('tegrastats',), memory_used=1 << 20, memory_total=2 << 20, gpus=(GpuState('GR3D', clock=500),))),
    ('GPU@41C error 5%', None), ('', None), ('no such option', None)])
def test_a_line_as_state(line, state):
    assert line_to_state(line) == state


def test_it_is_started_with_its_interval_and_its_lines_are_followed(stand_in, start):
    source = start(stand_in.path, interval=0.05)
    wait_until(lambda: source.state() == FIRST)
    wait_until(lambda: source.state().memory_used == 2970 << 20)
    assert [arguments for _, arguments in stand_in.starts] == [['--interval', '50']]
    (pid, _), = stand_in.starts
    assert os.getpgid(pid) == pid  # a group of its own: Ctrl-C in the terminal is not for it
    began = time.monotonic()
    source.stop()
    assert not psutil.pid_exists(pid) and time.monotonic() - began < 60.0
    source.stop()


def test_what_dies_is_started_again_ever_more_rarely(stand_in, start):
    stand_in.mode('die')
    source = start(stand_in.path)
    wait_until(lambda: 'it is tried again after 0.4 s' in problem(source))
    assert problem(source) == '{} ended with code 3; it is tried again after 0.4 s; run it by hand to see why'.format(
        stand_in.path)
    assert len(stand_in.starts) >= 4
    stand_in.mode('replay')
    wait_until(lambda: source.state().sources)
    assert not source.state().problems


def test_what_can_be_read_before_it_ends_is_started_again_soon(stand_in, start):
    stand_in.mode('once')
    start(stand_in.path, backoff=(0.05, 60.0))
    wait_until(lambda: len(stand_in.starts) >= 14)  # after ever longer pauses it would take minutes


def test_what_is_killed_is_started_again(stand_in, start):
    source = start(stand_in.path)
    wait_until(lambda: source.state().sources)
    os.kill(stand_in.starts[0][0], 9)
    wait_until(lambda: len(stand_in.starts) > 1 and source.state().sources)


@pytest.mark.parametrize('mode', ['hang', 'deaf'])
def test_what_hangs_is_ended_and_started_again(stand_in, start, mode):
    source = start(stand_in.path)
    wait_until(lambda: source.state().sources)
    stand_in.mode(mode)
    wait_until(lambda: 'has been silent for 0.7 s; it is tried again' in problem(source)
               or 'has been silent for 0.6 s' in problem(source))
    pid = stand_in.starts[0][0]
    assert not psutil.pid_exists(pid)
    stand_in.mode('replay')
    wait_until(lambda: source.state().sources)


@pytest.mark.parametrize('mode, sign', [('garbage', "such as '\ufffd\\x00 what? "), ('endless', "such as 'xxxxx")])
def test_nonsense_is_quoted_and_ended(stand_in, start, mode, sign):
    stand_in.mode(mode)
    source = start(stand_in.path)
    wait_until(lambda: 'prints what cannot be read, ' + sign in problem(source))
    assert len(problem(source)) < 400 + len(str(stand_in.path))
    stand_in.mode('replay')
    wait_until(lambda: source.state().sources)


def test_children_that_it_leaves_are_ended(stand_in, start):
    stand_in.mode('child')
    source = start(stand_in.path)
    wait_until(lambda: 'ended with code 4' in problem(source))
    wait_until(lambda: len(stand_in.starts) >= 3)
    source.stop()
    groups = {pid for pid, _ in stand_in.starts}
    # As orphans they wait for the machine's first process, which a container may not have.
    wait_until(lambda: not [child for child in psutil.process_iter(['pid', 'status'])
                            if _group(child.pid) in groups and child.info['status'] != psutil.STATUS_ZOMBIE])


def _group(pid):
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def test_a_flood_costs_nothing_and_the_newest_line_is_followed(stand_in, start):
    stand_in.mode('flood')
    source = start(stand_in.path)
    wait_until(lambda: source.state().sources)
    memory = psutil.Process().memory_info().rss
    thread = threading.Thread(target=time.sleep, args=(3.0,))
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(source.state())
        time.sleep(0.01)
    assert psutil.Process().memory_info().rss - memory < 16 << 20
    assert seen <= {FIRST, line_to_state(LINES[1])} and not problem(source)
    assert len(stand_in.starts) == 1


@pytest.mark.parametrize('content, mode, sentence', [
    (None, 0, 'does not start (No such file or directory)'),
    ('#!/bin/sh\n', 0o644, 'does not start (Permission denied)'),
    ('\x00\x01\x02', 0o755, 'does not start (Exec format error)')])
def test_what_does_not_start_is_a_sentence(tmp_path, start, content, mode, sentence):
    if content is not None:
        (tmp_path / 'tegrastats').write_text(content)
        (tmp_path / 'tegrastats').chmod(mode)
    source = start(tmp_path / 'tegrastats')
    wait_until(lambda: sentence in problem(source))


def test_a_path_is_never_a_command_line(tmp_path, start):
    source = start(str(tmp_path) + '/x; touch {}/hacked'.format(tmp_path))
    wait_until(lambda: 'does not start' in problem(source))
    assert not (tmp_path / 'hacked').exists()


def test_old_lines_are_not_told_for_new(stand_in, start):
    source = start(stand_in.path, interval=0.05, patience=0.3, backoff=(30.0, 30.0))
    wait_until(lambda: source.state().sources)
    stand_in.mode('hang')
    wait_until(lambda: not source.state().sources)
    assert source.state() == MachineState() or problem(source)
    source.stop()  # out of its long pause, at once


def test_a_memory_that_fills_is_seen(stand_in, start):
    stand_in.lines([FULL])
    source = start(stand_in.path)
    wait_until(lambda: source.state().memory_used == 7700 << 20)


def test_it_can_be_stopped_before_it_runs(stand_in):
    source = TegrastatsProcess(str(stand_in.path))
    source.stop()
    source.start()
    source.join(10.0)
    assert not source.is_alive() and stand_in.starts == []
