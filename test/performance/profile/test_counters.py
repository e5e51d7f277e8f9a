"""Counts of perf."""
import os
import stat
import time

import pytest

from espnet_ros.performance.profile import counters
from espnet_ros.performance.profile.counters import command, measure_counters, parse

REPORT = """# started on Sat Nov 21 10:32:07 2026

2000.50,msec,task-clock,2000500000,100.00,2.000,CPUs utilized
10,,context-switches,2000500000,100.00,4.999,/sec
4000000000,,cycles:u,2000500000,83.33,2.0,GHz
6000000000,,instructions:u,2000500000,83.33,1.50,insn per cycle
200000,,cache-references,1600000000,66.67,0.1,M/sec
50000,,cache-misses,1600000000,66.67,25.00,of all cache refs
<not supported>,,branches,0,100.00,,
<not counted>,,branch-misses,0,0.00,,
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make a stand-in for perf of a shell script's text, in which $report is the file it writes."""
    def make(script):
        path = tmp_path / 'perf'
        path.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nreport=$2\n' + script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)
    return make


def test_every_line_is_read():
    assert parse(REPORT) == {
        'task-clock': 2000.5, 'context-switches': 10.0, 'cycles': 4e9, 'instructions': 6e9, 'cache-references': 2e5,
        'cache-misses': 5e4, 'branches': None, 'branch-misses': None}


def test_kinds_of_cores_are_added():
    assert parse('100,,cpu_core/cycles/,1,100.00,,\n<not counted>,,cpu_atom/cycles/,0,0.00,,\n') == {'cycles': 100.0}
    assert parse('<not counted>,,cpu_atom/cycles/u,0,0.00,,\n40,,cpu_atom/cycles/,1,1,,\n2,,cpu_core/cycles/,1,1,,\n')[
        'cycles'] == 42.0


@pytest.mark.parametrize('text', ['', '\n\n', 'Segmentation fault', ',,,', 'many,,cycles,1,2,,', '1,2', '\0,\xff,a,b'])
def test_garbage_counts_nothing(text):
    assert not any(value is not None for value in parse(text).values())


def test_the_command():
    words = command('/usr/bin/perf', 42, 1.5, '/somewhere/report')
    assert words[:4] == ['/usr/bin/perf', 'stat', '-x', ','] and words[-3:] == ['--', 'sleep', '1.500']
    assert words[words.index('-p') + 1] == '42' and words[words.index('-o') + 1] == '/somewhere/report'
    assert 'instructions' in words[words.index('-e') + 1].split(',')


def test_counts_become_those_of_a_frame(program):
    path = program('cat > $report <<END\n{}END\nsleep 0.2\n'.format(REPORT))
    frames = []

    def work():
        frames.append(0)
        time.sleep(0.02)
    found = measure_counters(work, 2.0, path)
    assert frames
    # 6e9 instructions in two seconds are 3e9 a second, and a frame takes at least 20 ms.
    assert found.per_frame['instructions'] >= 3e9 * 0.02
    assert found.per_frame['cycles'] == pytest.approx(found.per_frame['instructions'] / 1.5)
    assert found.ratios == pytest.approx({'cores in use': 1.00025, 'instructions per cycle': 1.5, 'GHz': 1.9995,
                                          'cache misses (%)': 25.0}, rel=1e-4)
    assert found.problem == ('the CPU does not count branches, branch-misses; a virtual machine often hides that')


@pytest.mark.parametrize('script, sentence', [
    ('echo "Access to performance monitoring is limited." >&2; exit 255', 'kernel.perf_event_paranoid'),
    ('echo "event syntax error" >&2; exit 129', "perf says 'event syntax error'"),
    ('exit 1', 'perf counted nothing'),
    ('echo "<not supported>,,cycles,0,100.00,," > $report', 'no CPU counters')])
def test_a_perf_that_fails_is_explained(program, script, sentence):
    found = measure_counters(lambda: time.sleep(0.001), 0.1, program(script))
    assert sentence in found.problem and found.problem.startswith('no CPU counters: ')
    assert (found.per_frame, found.ratios) == ({}, {})


def test_without_perf():
    assert 'not installed' in measure_counters(lambda: None, 0.1, 'no-such-perf').problem


def test_work_that_fails_ends_perf(program, tmp_path):
    path = program('echo $$ > {}/pid; exec sleep 60\n'.format(tmp_path))

    def fail():
        deadline = time.monotonic() + 20
        while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise RuntimeError('lost')
    with pytest.raises(RuntimeError):
        measure_counters(fail, 30.0, path)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'pid').read_text()), 0)


def test_a_perf_that_hangs_is_given_up(program, monkeypatch):
    clock = iter([0.0] + [float(i) for i in range(0, 1000, 5)])
    monkeypatch.setattr(counters.time, 'perf_counter', lambda: next(clock))
    assert 'counted nothing' in measure_counters(lambda: None, 0.1, program('exec sleep 60\n')).problem
