"""Pipelines in processes of their own, measured in turns."""
import json

import pytest
from small_models import CARD, network

from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.performance.benchmark import processes, results
from espnet_ros.performance.benchmark.cameras import measure_cameras
from espnet_ros.performance.benchmark.measure import STAGES, Candidate, measure
from espnet_ros.performance.benchmark.processes import FRAMES, alternate
from espnet_ros.telemetry.machine import MachineState, readings

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def two_cameras(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_weights(network(), folder / 'small.pth')
    path = folder / 'small.yaml'
    write_card(CARD._replace(sha256=sha256_of(folder / 'small.pth')), path)
    return Candidate(str(path), 160, 120, 320, 240, 'torch', 'cpu', 'fp32', cameras=2)


@pytest.fixture(scope='module')
def measured(two_cameras):
    turns = []
    return measure(two_cameras, 1, 3,
                   on_turn=lambda: turns.append(1), open_machine=lambda interval: Sensors()), len(turns)


class Sensors:
    """A machine that draws 12 W."""

    def state(self):
        return MachineState(cpu=(50.0, 70.0), rails=(('VDD_IN', 12.0), ('VDD_GPU', 3.0)))

    def stop(self):
        pass


def test_a_measurement_tells_stages_baseline_memory_and_agreement(measured):
    m, turns = measured
    assert m.problem == '' and turns == 4
    assert (m.about['backend'], m.about['precision'], m.about['weights']) == ('torch', 'fp32', 'its own')
    for stages in (m.stages, m.baseline):
        assert tuple(stages) == STAGES
        parts = sum(stages[name].median for name in STAGES[:3])
        assert 0 < parts and all(0 <= s.median <= s.p95 for s in stages.values())
        assert stages['total'].p95 >= max(stages[name].median for name in STAGES[:3])
    assert len(m.speedup.turns) == 3 and m.speedup.low <= m.speedup.median <= m.speedup.high
    assert [len(turn) for turn in m.seconds] == [2 * FRAMES] * 3  # of two cameras
    assert [len(turn) for turn in m.baseline_seconds] == [FRAMES] * 3
    assert 0 <= m.contention.others <= 1 and 0 <= m.contention.steal <= 1
    assert m.agreement > 0.99  # fp32, though one resizes before it normalizes and the other after
    assert 50 < m.memory < 5000
    assert 12 * 1e-4 < m.energy < 12 * 3.0  # watts times the seconds of a frame
    assert m.machine == readings(Sensors().state())


def test_a_row_and_the_data_say_the_same(measured):
    m, _ = measured
    row, data = results.row(m), json.loads(json.dumps(results.as_data(m)))
    assert row['total (ms)'] == '{:.1f}'.format(1000 * data['stages']['total']['median'])
    assert (row['network'], row['camera'], row['cameras']) == ('160x120', '320x240', '2')
    assert data['candidate']['model'] == m.candidate.model and data['agreement'] == m.agreement


def test_two_cameras_in_one_process_and_in_two(two_cameras):
    turns = []
    m = measure_cameras(two_cameras, 1, 2, on_turn=lambda: turns.append(1))
    assert m.problem == '' and len(turns) == 3 and m.candidate is two_cameras
    for way in (m.shared, m.separate):
        assert 0 < way.age.median <= way.age.p95 and way.rate > 0 and way.cpu > 0 and 50 < way.memory < 5000
    assert 50 < m.alone <= m.separate.memory <= 2 * m.alone and m.shared.memory < m.separate.memory
    assert m.ratio.low <= m.ratio.median <= m.ratio.high and len(m.ratio.turns) == 2
    assert json.loads(json.dumps(results.cameras_as_data(m)))['alone'] == m.alone


def test_a_round_lasts_until_all_have_answered():
    from espnet_ros.performance.benchmark import cameras
    turns = [[{'total': 1.0, 'ages': [1.0]}, {'total': 3.0, 'ages': [3.0]}] * 2]
    assert cameras._seconds(turns, 2) == [[3.0, 3.0]] and cameras._seconds(turns, 1) == [[1.0, 3.0, 1.0, 3.0]]
    assert cameras._ages(turns) == [1.0, 3.0, 1.0, 3.0]


def test_what_cannot_be_measured_says_why():
    assert "no model is called 'no such model'" in measure_cameras(
        Candidate('no such model', 160, 120, 160, 120, cameras=2), 0, 1).problem
    m = measure(Candidate('no such model', 160, 120, 160, 120), 0, 1)
    assert "no model is called 'no such model'" in m.problem and not m.stages
    assert results.row(m)['note'] == m.problem and results.row(m)['total (ms)'] == ''


class Counted:
    """Stands for a worker, whose frames take a second each by its clock."""

    def __init__(self, name, log, seconds=0.1):
        self.name, self.log, self.seconds = name, log, seconds

    def send(self, request):
        self.log.append(self.name)

    def receive(self):
        return {'total': self.seconds}


def test_turns_alternate_in_reverse_order_each_second_time(monkeypatch):
    monkeypatch.setattr(processes, 'PAUSE', 0)
    log = []
    turns = alternate([[Counted('a', log)], [Counted('b', log)]], 1, 2)
    assert ''.join(log) == 'ab' + 5 * 'a' + 5 * 'b' + 5 * 'b' + 5 * 'a' + 5 * 'a' + 5 * 'b'
    assert turns == [[[{'total': 0.1}] * 5] * 2] * 2


def test_a_slow_network_has_one_frame_a_turn(monkeypatch):
    monkeypatch.setattr(processes, 'PAUSE', 0)
    turns = alternate([[Counted('a', [], 2.0)], [Counted('b', [])]], 0, 1)
    assert [len(turn) for group in turns for turn in group] == [1, 5]


def test_both_pipelines_have_the_same_thread_settings(monkeypatch):
    started = []
    monkeypatch.setattr(processes.subprocess, 'Popen', lambda *args, **settings: started.append(settings) or Process())
    for backend in ('torch', 'baseline'):
        processes.Worker(Candidate('m', 8, 8, 8, 8, backend))
    assert started[0].get('env') == started[1].get('env')


class Process:
    """Stands for a process that takes any input."""

    pid = 1

    def __init__(self):
        import io
        self.stdin = io.StringIO()
