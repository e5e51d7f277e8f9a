"""espnet-ros benchmark: the grid of candidates, the files, wrong settings."""
import csv
import json
import pathlib

import pytest
from sample_measurement import measurement

from espnet_ros.cli import main
from espnet_ros.performance.benchmark.cameras import CamerasMeasurement, Way
from espnet_ros.performance.benchmark.measure import Measurement
from espnet_ros.performance.statistics import Ratio, Summary


def cameras_measurement(candidate):
    return CamerasMeasurement(candidate, Way(20.0, Summary(0.08, 0.1), 300.0, 0.1),
                              Way(15.0, Summary(0.1, 0.13), 500.0, 0.11), 250.0, Ratio(1.3, 1.2, 1.4, 0.95, (1.3,)))


@pytest.fixture
def asked(monkeypatch):
    """The candidates that would have been measured; every other one cannot be."""
    found = []

    def measure(candidate, warmup, repeats, images, on_turn):
        found.append((candidate, warmup, repeats, [pathlib.Path(path).name for path in images]))
        if len(found) % 2 == 0:
            return Measurement(candidate, problem='it broke')
        return measurement()._replace(candidate=candidate)
    monkeypatch.setattr('espnet_ros.performance.benchmark.measure.measure', measure)
    monkeypatch.setattr('espnet_ros.performance.benchmark.cameras.measure_cameras',
                        lambda candidate, *_: cameras_measurement(candidate))
    return found


def test_it_measures_the_grid_and_writes_what_it_found(asked, tiny, tmp_path, capsys):
    assert main(['benchmark', '--models', tiny, '--precisions', 'fp32', 'bf16', '--sizes', 'card', '128x64', '--camera',
                 '320x240', '--cameras', '1', '2', '--repeats', '7', '--warmup', '2', '--out',
                 str(tmp_path / 'out')]) == 1  # because some could not be measured
    assert [(c.width, c.height, c.precision, c.cameras) for c, _, _, _ in asked] == [
        (width, height, precision, cameras) for width, height in ((96, 64), (128, 64)) for precision in ('fp32', 'bf16')
        for cameras in (1, 2)]
    assert all((c.camera_width, c.camera_height, warmup, repeats) == (320, 240, 2, 7)
               for c, warmup, repeats, _ in asked)
    data = json.loads((tmp_path / 'out' / 'benchmark.json').read_text())
    assert len(data['measurements']) == 8 and data['machine']['torch']
    assert [found['candidate']['cameras'] for found in data['cameras']] == [2] * 4
    assert data['cameras'][0]['shared'] == {'rate': 20.0, 'age': {'median': 0.08, 'p95': 0.1}, 'memory': 300.0,
                                           'cpu': 0.1}
    rows = list(csv.DictReader((tmp_path / 'out' / 'benchmark.csv').open()))
    assert [row['note'] for row in rows] == ['', 'it broke'] * 4 and rows[0]['total (ms)'] == '10.0'
    out = capsys.readouterr().out
    assert 'it broke' in out and '128x64' in out and 'benchmark.json' in out
    assert 'one process is 1.3 times as fast (1.2-1.4)' in out
    assert [line.split() for line in out.splitlines() if ' one process ' in line and '20.0' in line][0] == [
        '1', 'one', 'process', '20.0', '100.0', '80.0', '100.0', '300', '1.2']


def test_images_may_be_given(asked, tiny, tmp_path):
    import cv2
    import numpy as np
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    assert main(['benchmark', '--models', tiny, '--images', str(tmp_path / 'a.png'), '--out', str(tmp_path)]) == 0
    assert asked[0][3] == ['a.png'] and asked[0][0].camera_width == 96


@pytest.mark.parametrize('words, sentence', [
    (['--size', '60x33'], 'must be a multiple of 8'), (['--models', 'nothing'], "no model is called 'nothing'"),
    (['--images', 'nowhere.png'], 'nowhere.png')])
def test_wrong_settings_are_refused(asked, tmp_path, capsys, words, sentence):
    assert main(['benchmark', '--out', str(tmp_path), *words]) == 1
    assert sentence in capsys.readouterr().err and asked == []


@pytest.mark.parametrize('words', [['--sizes', 'big'], ['--sizes', 'network'], ['--camera', 'card'],
                                   ['--camera', '0x10'], ['--repeats', '0'], ['--warmup', '-1'], ['--cameras', '0'],
                                   ['--camera', '99999x99999'], ['--backends', 'abacus'], ['--precisions', 'fp17']])
def test_misspelt_settings_are_explained(asked, capsys, words):
    with pytest.raises(SystemExit) as left:
        main(['benchmark', *words])
    error = capsys.readouterr().err
    assert left.value.code == 2 and words[1] in error and 'argument ' + words[0] in error and not asked


def test_a_marked_measurement_says_so(asked, monkeypatch, tiny, tmp_path, capsys):
    monkeypatch.setattr('espnet_ros.performance.benchmark.measure.measure', lambda *args: measurement(others=0.5))
    assert main(['benchmark', '--models', tiny, '--out', str(tmp_path)]) == 0
    assert 'other programs used 50% of the CPU' in ' '.join(capsys.readouterr().out.split())
    assert json.loads((tmp_path / 'benchmark.json').read_text())['measurements'][0]['contention']['others'] == 0.5
