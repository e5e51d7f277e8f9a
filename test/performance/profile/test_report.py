"""A profile as data, tables and text."""
import json

import pytest
from rendered import rendered
from sample_profile import PROFILE

from espnet_ros.performance.profile import report
from espnet_ros.performance.profile.profile import Counters


def test_the_table_of_layers():
    assert report.layer_rows(PROFILE) == [
        ('normalization and labels', 'Deployed', pytest.approx(10.0), pytest.approx(10.0), 0.0, 1.0, 0.0),
        ('level1', 'module', pytest.approx(30.0), pytest.approx(30.0), 60.0, 4.0, pytest.approx(2.0)),
        ('level2.0', 'ESP', pytest.approx(60.0), pytest.approx(60.0), 240.0, 5.0, pytest.approx(4.0))]


def test_the_table_of_parts():
    assert [row[:3] for row in report.part_rows(PROFILE)] == [
        ('normalization and labels', '', 'Deployed'), ('level1', 'network.level1.conv', 'Conv2d'),
        ('level2.0', 'network.level2.0', 'ESP'), ('level2.0', 'network.level2.0.branches.3', 'Conv2d')]
    assert report.part_rows(PROFILE)[3][3:] == tuple(map(pytest.approx, (40.0, 40.0, 240.0, 4.0, 6.0)))


def test_the_table_of_kernels():
    assert [row[1:] for row in report.kernel_rows(PROFILE, 'torch')] == [
        (3.0, pytest.approx(60.0), pytest.approx(75.0)), (2.0, pytest.approx(20.0), pytest.approx(25.0))]


def test_the_table_over_time():
    columns, rows = report.timeline_rows(PROFILE)
    assert columns == ['seconds', 'frames', 'cpu/load', 'cpu/core0/load', 'cpu/core1/load', 'gpu/load', 'memory/used',
                       'power/total']
    assert rows[0] == [0.0, 0, 10.0, 60.0, 0.0, 0.0, 2048.0, 3.0] and rows[4] == [
        2.0, 8, 30.0, 60.0, 0.0, 95.0, 2048.0, 8.0]
    samples = [PROFILE.timeline.samples[0], PROFILE.timeline.samples[1]._replace(readings={'new': 1.0})]
    _, rows = report.timeline_rows(PROFILE._replace(timeline=PROFILE.timeline._replace(samples=tuple(samples))))
    assert rows[0][-1] == '' and rows[1] == [0.5, 0] + [''] * 6 + [1.0]


def test_the_data():
    data = json.loads(json.dumps(report.as_data(PROFILE), allow_nan=False))
    assert data['frame'] == pytest.approx({
        'seconds_median': 0.1, 'seconds_p95': 0.2, 'frames': 35, 'flop': 300000000, 'bytes': 10000000,
        'joules': 8.0 * 4 / 35, 'joules_above_rest': 5.0 * 4 / 35})
    assert data['work'] == {'began': 1.0, 'ended': 5.0}
    assert data['readings']['gpu/load'] == {'rest': 0.0, 'work': 95.0, 'highest': 95.0}
    assert data['layers'][1] == {'layer': 'network.level1', 'name': 'network.level1.conv', 'kind': 'Conv2d',
                                 'seconds': 0.03, 'flop': 60000000, 'bytes': 4000000}
    assert data['roofline']['bandwidth'] == 3e10 and data['roofline']['positions']['torch']['share'] == 0.25
    assert data['efficiency']['kernels'][0]['percents'] == {'warp execution efficiency': 98.5}
    assert data['frequencies']['sensitivity'] == pytest.approx(0.4)
    assert data['missing'] == ['no temperature: it has no sensor'] and data['about']['engine']['backend'] == 'tensorrt'


@pytest.mark.parametrize('words', [
    'small at 96x64, 364,569 parameters (1.46 MB in fp32), random weights',
    'tensorrt fp16 on Tegra X2: 100.0 ms per frame (95% within 200.0 ms), 8.8 frames/s',
    '0.30 GFLOP per frame; peak memory of the process 1500 MiB, on the GPU 200 MiB',
    'Kernels of torch: 80.0 ms', 'void gemm<int=128>', '0.00 95.00 95.00',
    'energy: 0.914 J per frame, of which 0.571 J above idle',
    'at most 1000.0 GFLOP/s in fp16 and 30.0 GB/s',
    'torch: 3.0 GFLOP/s at 30.0 FLOP/byte, 25% of the limit set by memory',
    'instructions per cycle: 1.25', 'task-clock: 120 per frame', 'by nvprof', '91.50', '70.25',
    'sensitivity to GPU frequency: 0.40 (0.80 if time is proportional to the clock period)',
    'no temperature: it has no sensor'])
def test_the_summary_says(words):
    assert words in ' '.join(rendered(report.summary(PROFILE)).split())


def test_the_summary_fits_80_columns():
    assert max(map(len, rendered(report.summary(PROFILE)).splitlines())) <= 80


def test_as_many_layers_as_are_asked_for():
    text = rendered(report.summary(PROFILE, top=1))
    assert 'level2.0' in text and 'level1' not in text and 'im2col' not in text


def test_what_is_not_there_is_not_spoken_of():
    less = PROFILE._replace(
        gpu_memory=None, counters=Counters(), efficiency=None, frequencies=[], missing=(), positions={},
        timeline=PROFILE.timeline._replace(samples=()))
    text = rendered(report.summary(less))
    assert not any(word in text for word in ('energy', 'Efficiency', 'sensitivity', 'Not measured', 'CPU counters'))
    data = json.loads(json.dumps(report.as_data(less), allow_nan=False))
    assert data['efficiency'] is data['frame']['joules'] is data['frequencies']['sensitivity'] is None
