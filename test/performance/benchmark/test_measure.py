"""Pipelines in processes of their own, measured in turns."""
import json

import pytest
from small_models import CARD, network

from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.performance.benchmark import Candidate, Measurement, Summary, measure, results
from espnet_ros.performance.benchmark.measure import STAGES
from espnet_ros.telemetry.machine import MachineState, readings


@pytest.fixture(scope='module')
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    write_weights(network(), folder / 'small.pth')
    path = folder / 'small.yaml'
    write_card(CARD._replace(sha256=sha256_of(folder / 'small.pth')), path)
    turns = []
    return measure(Candidate(str(path), 160, 120, 320, 240, 'torch', 'cpu', 'fp32', cameras=2), 1, 3,
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
    assert m.speedup == m.baseline['total'].median / m.stages['total'].median
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


def test_what_cannot_be_measured_says_why():
    m = measure(Candidate('no such model', 160, 120, 160, 120), 0, 1)
    assert "no model is called 'no such model'" in m.problem and not m.stages
    assert results.row(m)['note'] == m.problem and results.row(m)['total (ms)'] == ''


def measurement(model, size, seconds, precision='fp32', problem=''):
    candidate = Candidate(model, *size, *size, 'torch', 'cpu', precision)
    if problem:
        return Measurement(candidate, problem=problem)
    stages = {stage: Summary(seconds, 2 * seconds) for stage in STAGES}
    slow = {stage: Summary(10 * seconds, 20 * seconds) for stage in STAGES}
    return Measurement(candidate, {'backend': 'torch', 'precision': precision, 'weights': 'its own', 'fallback': ''},
                       stages, slow, 0.995, 300.0)


def test_the_table_has_a_line_for_each_and_no_empty_columns():
    lines = results.table([results.row(measurement('a', (224, 224), 0.01)),
                           results.row(measurement('long name', (480, 360), 0.02))]).splitlines()
    assert lines[0].split() == ['model', 'engine', 'precision', 'network', 'camera', 'cameras', 'preprocess', '(ms)',
                                'inference', '(ms)', 'postprocess', '(ms)', 'total', '(ms)', 'total', 'p95', '(ms)',
                                'frames/s', 'baseline', '(ms)', 'times', 'faster', 'same', 'labels', '(%)', 'memory',
                                '(MiB)', 'weights']
    assert lines[1].split() == ['a', 'torch', 'fp32', '224x224', '224x224', '1', '10.0', '10.0', '10.0', '10.0', '20.0',
                                '100.0', '100.0', '10.00', '99.50', '300', 'its', 'own']
    assert len({len(line) for line in lines}) == 1


def test_the_plot_is_a_picture_with_both_parts(tmp_path):
    pytest.importorskip('matplotlib')
    import cv2
    found = [measurement('a', (224, 224), 0.01), measurement('a', (480, 360), 0.03),
             measurement('b', (8, 8), 1, '', 'x')]
    results.plot(found, {('a', 224, 224): 58.0}, tmp_path / 'plot.png')
    picture = cv2.imread(str(tmp_path / 'plot.png'))
    assert picture.shape == (540, 1320, 3)
    blue = (abs(picture.astype(int) - (180, 119, 31)).sum(2) < 30)  # tab:blue, BGR
    assert blue[:, :660].sum() > 100 and blue[:, 660:].sum() > 20
