"""Measurements as rows, tables, data and a plot."""
import json

import pytest
from rendered import rendered
from sample_measurement import measurement

from espnet_ros.performance.benchmark import results
from espnet_ros.performance.benchmark.plot import plot

NAME = 'camvid-espnet-q8-authors'


def test_tables_fit_80_columns_and_leave_out_empty_columns():
    text = rendered(results.tables([results.row(m) for m in (
        measurement(NAME, (2048, 1024), 1.2345), measurement('b', (480, 360), 0.02))]))
    assert max(map(len, text.splitlines())) <= 80
    lines = text.splitlines()
    assert lines[0].split() == ['model', 'engine', 'input', 'ms', 'faster', '95%']
    cells = lines[2].split()
    assert cells[0] == '1' and cells[1][:20] == NAME[:20]
    assert cells[2:] == ['torch', 'fp32', '2048x1024', '1234', '10', '10-10']
    assert ' J' not in text and '99.50' in text and '300' in text


def test_notes_and_problems_stand_below_in_full():
    reason = 'OpenVINO cannot compile it ' + 20 * 'because of this '
    text = rendered(results.tables([results.row(m) for m in (
        measurement(fallback=reason), measurement(problem='it [broke]'))]))
    assert ' '.join(text.split()).endswith('1: ' + reason.strip() + ' 2: it [broke]')
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize('changes, mark', [
    ({}, ''), ({'others': 0.3}, 'other programs used 30% of the CPU'),
    ({'speedups': (4.0, 4.1, 4.2, 4.1, 4.0)}, 'of 5 turns holds the speedup with a probability of 94%, not 95%'),
    ({'speedups': (2.8, 3.6, 9.3, 16.5, 3.0, 12.0, 2.9)}, 'the speedup varied from 2.8 to 16.5')])
def test_what_is_not_to_be_trusted_is_marked(changes, mark):
    m = measurement(**changes)
    row = results.row(m)
    assert row['marked'] == ('?' if mark else '') and mark in row['note'] and bool(m.marks) == bool(mark)
    assert ('?: not to be trusted' in rendered(results.tables([row]))) == bool(mark)
    assert results.as_data(m)['marks'] == m.marks


@pytest.mark.parametrize('value, text', [(16.54, '17'), (9.34, '9.3'), (9.96, '10'), (1.0, '1.0'), (0.854, '0.85')])
def test_a_speedup_has_two_digits(value, text):
    assert results.factor(value) == text


def test_the_data_keeps_all():
    data = json.loads(json.dumps(results.as_data(measurement(speedups=(3.0, 2.0, 4.0)))))
    assert data['speedup'] == {'median': 3.0, 'low': 2.0, 'high': 4.0, 'confidence': 0.75, 'turns': [3.0, 2.0, 4.0]}
    assert data['contention'] == {'others': 0.01, 'steal': 0.0, 'load': 0.5}


def test_the_plot_has_a_panel_for_sizes_and_each_data_set(tmp_path):
    pytest.importorskip('matplotlib')
    import cv2
    found = [measurement('a', (224, 224), 0.01), measurement('a', (480, 360), 0.03), measurement('b', (8, 8), 0.02),
             measurement('c', (8, 8), 1, '', 'x')]
    for accuracies, panels in (({}, 1), ({('a', 224, 224): ('camvid val', 58.0)}, 2),
                               ({('a', 224, 224): ('camvid val', 58.0), ('b', 8, 8): ('Cityscapes', 60.0)}, 3)):
        plot(found, accuracies, tmp_path / 'plot.png')
        picture = cv2.imread(str(tmp_path / 'plot.png'))
        assert picture.shape == (540, 660 * panels, 3)
        blue = abs(picture.astype(int) - (180, 119, 31)).sum(2) < 30  # tab:blue, BGR
        assert all(blue[:, 660 * i:660 * (i + 1)].sum() > 20 for i in range(panels))
