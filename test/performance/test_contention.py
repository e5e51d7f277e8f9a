"""CPU time that others take, from stand-ins of /proc."""
import os
import subprocess
import sys

import pytest

from espnet_ros.performance.contention import Contention, ContentionMeter


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """Function proc(cores, processes): write the ticks of cores (user, idle, steal) and of processes by id."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 1})
    monkeypatch.setattr(os, 'getpid', lambda: 7)

    def write(cores, processes):
        lines = ['cpu  0 0 0 0 0 0 0 0 0 0'] + ['cpu{} {} 0 0 {} 0 0 0 {} 0 0'.format(
            i, user, idle, steal) for i, (user, idle, steal) in enumerate(cores)] + ['intr 1 2 3', 'ctxt 5']
        (tmp_path / 'stat').write_text('\n'.join(lines) + '\n')
        for pid, (own, children) in processes.items():
            (tmp_path / str(pid)).mkdir(exist_ok=True)
            (tmp_path / str(pid) / 'stat').write_text(
                '{} (a) name)) S 1 1 1 0 -1 0 0 0 0 0 {} 0 {} 0 20 0 1 0 1'.format(pid, own, children))
        return tmp_path
    return write


def test_shares_are_of_the_time_of_the_cores_that_may_be_used(proc):
    folder = proc([(100, 100, 0), (100, 100, 0), (0, 0, 0)], {7: (10, 0), 8: (50, 0)})
    meter = ContentionMeter([8], str(folder))
    meter.start()
    # 200 ticks: 120 busy, of which 90 are the processes' own; 20 stolen; the third core is not ours.
    proc([(180, 110, 10), (140, 150, 10), (999, 0, 0)], {7: (20, 0), 8: (120, 10)})
    found = meter.stop()
    assert (found.others, found.steal) == pytest.approx((30 / 200, 20 / 200)) and found.load >= 0


def test_own_work_alone_is_no_contention(proc):
    meter = ContentionMeter([], str(proc([(0, 0, 0), (0, 0, 0)], {7: (0, 0)})))
    meter.start()
    proc([(50, 50, 0), (50, 50, 0)], {7: (104, 0)})  # ticks are counted at different moments
    assert meter.stop()[:2] == (0.0, 0.0)


@pytest.mark.parametrize('break_it', [
    lambda folder: (folder / 'stat').unlink(), lambda folder: (folder / '8' / 'stat').unlink(),
    lambda folder: (folder / 'stat').write_text('cpu0 1 2\n'), lambda folder: (folder / 'stat').write_text('cpu0 x\n'),
    lambda folder: (folder / '8' / 'stat').write_text('')])
def test_what_the_system_does_not_tell_is_unknown(proc, break_it):
    folder = proc([(0, 0, 0), (0, 0, 0)], {7: (0, 0), 8: (0, 0)})
    meter = ContentionMeter([8], str(folder))
    break_it(folder)
    meter.start()
    assert meter.stop()[:2] == (None, None) and meter.stop().problem == ''


@pytest.mark.parametrize('contention, words', [
    (Contention(0.04, 0.04, 1.0), ''), (Contention(None, None, None), ''),
    (Contention(0.311, 0.0, 1.0), 'other programs used 31% of the CPU and the hypervisor 0%'),
    (Contention(0.0, 0.2, 1.0), 'other programs used 0% of the CPU and the hypervisor 20%')])
def test_a_disturbed_measurement_says_by_what(contention, words):
    assert contention.problem.startswith(words) and bool(contention.problem) == bool(words)


@pytest.mark.slow
def test_another_program_is_seen():
    program = subprocess.Popen([sys.executable, '-c', 'print(flush=True)\nwhile True: pass'], stdout=subprocess.PIPE)
    try:
        program.stdout.readline()
        ours, others = ContentionMeter([program.pid]), ContentionMeter([])
        for meter in (ours, others):
            meter.start()
        used = open('/proc/{}/stat'.format(program.pid))
        with used:
            while True:  # until the program has had some time, however busy the machine is
                used.seek(0)
                if int(used.read().rpartition(')')[2].split()[11]) >= 60:
                    break
        with_it, without_it = ours.stop(), others.stop()
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
    assert without_it.others > with_it.others + 0.02
