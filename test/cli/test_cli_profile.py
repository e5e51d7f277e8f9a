"""espnet-ros profile: from a model to its files."""
import csv
import importlib
import json
import sys

import pytest

from espnet_ros import cli
from espnet_ros.cli import main, profile
from espnet_ros.errors import EngineError
from espnet_ros.performance.profile.clocks import DevfreqClock


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Measure what the machine can do in less time, and make no use of its perf."""
    monkeypatch.setitem(cli.COMMANDS, 'profile', 'measure')
    module = importlib.import_module('espnet_ros.performance.profile.profile')
    roofline, counters = module.measure_roofline, module.measure_counters
    monkeypatch.setattr(module, 'measure_roofline', lambda device, precision: roofline(device, precision, 0.02))
    monkeypatch.setattr(module, 'measure_counters', lambda work: counters(work, 0.1, 'no-such-perf'))
    return module


def run(tiny, folder, *words):
    return main(['profile', '--model', tiny, '--backend', 'torch', '--device', 'cpu', '--precision', 'fp32',
                 '--seconds', '1', '--out', str(folder), *words])


def test_it_writes_and_prints_what_it_found(tiny, tmp_path, capsys):
    assert run(tiny, tmp_path / 'out', '--top', '3') == 0
    data = json.loads((tmp_path / 'out' / 'profile.json').read_text())
    assert (data['about']['model'], data['about']['width'], data['about']['height']) == ('tiny', 96, 64)
    assert data['about']['engine']['backend'] == 'torch' and data['about']['torch_precision'] == 'fp32'
    layers = list(csv.DictReader((tmp_path / 'out' / 'layers.csv').open()))
    assert [row['layer'] for row in layers][:2] == ['normalization and labels', 'network']
    first = next(row for row in layers if row['part'] == 'network.level1.conv')
    assert first['layer'] == 'level1' and first['kind'] == 'Conv2d'
    assert float(first['MFLOP']) == 2 * 48 * 32 * 16 * 3 * 9 / 1e6
    assert sum(float(row['MFLOP']) for row in layers) == pytest.approx(data['frame']['flop'] / 1e6)
    assert sum(float(row['share (%)']) for row in layers) == pytest.approx(100)
    kernels = list(csv.DictReader((tmp_path / 'out' / 'kernels.csv').open()))
    assert ('torch', 'aten::cat') in [(row['engine'], row['kernel']) for row in kernels]
    line = list(csv.DictReader((tmp_path / 'out' / 'timeline.csv').open()))
    assert len(line) > 5 and float(line[-1]['frames']) == data['frame']['frames'] > 0
    assert data['readings']['cpu/load']['work'] > 0
    assert (tmp_path / 'out' / 'profile.png').read_bytes().startswith(b'\x89PNG')
    out = capsys.readouterr().out
    assert 'tiny at 96x64' in out and 'perf is not installed' in out and 'profile.png' in out


@pytest.mark.slow
@pytest.mark.parametrize('with_openvino', [True, False])
def test_an_onnx_file(tmp_path, monkeypatch, capsys, with_openvino):
    for package in ('onnx', 'onnxruntime', 'openvino'):
        pytest.importorskip(package)
    from onnx_files import classifier
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'added'))
    (tmp_path / 'net.onnx').write_bytes(classifier())
    assert main(['models', 'add', str(tmp_path / 'net.onnx'), '--labels', 'camvid', '--outputs', '0', '1', '2']) == 0
    if not with_openvino:
        monkeypatch.setitem(sys.modules, 'openvino', None)
    assert main(['profile', '--model', 'net', '--backend', 'openvino' if with_openvino else 'onnxruntime', '--device',
                 'cpu', '--precision', 'fp32', '--seconds', '1', '--out', str(tmp_path / 'out')]) == 0
    data = json.loads((tmp_path / 'out' / 'profile.json').read_text())
    assert (tmp_path / 'out' / 'profile.png').read_bytes().startswith(b'\x89PNG')
    out = capsys.readouterr().out
    assert data['about']['parameters'] == 12 and 'torch_precision' not in data['about']
    if with_openvino:
        assert data['about']['layers'] == 'OpenVINO fp32' and list(data['kernels']) == ['openvino']
        assert data['frame']['flop'] == 2 * 3 * 3 * 96 * 64 and 'Layers of the network in OpenVINO fp32' in out
        assert 'Convolution' in [layer['kind'] for layer in data['layers']]
        assert list(data['roofline']['positions']) == ['openvino'] and 'no layers' not in out
    else:
        assert (data['layers'], data['kernels'], data['roofline']['positions']) == ([], {}, {})
        assert data['missing'][0].startswith('no layers: those of an ONNX file are measured in OpenVINO')
        assert data['missing'][0][:40] in out


def test_at_another_size_without_matplotlib_all_else_is_there(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    assert run(tiny, tmp_path / 'out', '--size', '128x64') == 0
    about = json.loads((tmp_path / 'out' / 'profile.json').read_text())['about']
    assert (about['width'], about['height']) == (128, 64)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'kernels.csv', 'layers.csv', 'profile.json', 'timeline.csv']
    assert 'no plots: matplotlib is not installed' in capsys.readouterr().out


def test_frequencies_are_refused_politely(tiny, tmp_path, capsys):
    assert run(tiny, tmp_path / 'out', '--frequencies') == 1
    missing = json.loads((tmp_path / 'out' / 'profile.json').read_text())['missing']
    assert 'no sensitivity to GPU frequency: the network runs on the CPU' in missing
    assert missing[0] in capsys.readouterr().out


@pytest.fixture
def devfreq(tmp_path):
    """Folder with a GPU's clock."""
    folder = tmp_path / '17000000.gp10b'
    folder.mkdir()
    for name, text in (('available_frequencies', '100000000 200000000'), ('min_freq', '100000000'),
                       ('max_freq', '200000000')):
        (folder / name).write_text(text)
    return folder


def test_frequencies_are_compared_and_the_clock_is_let_go(quick, monkeypatch, devfreq, tiny, tmp_path, capsys):
    monkeypatch.setattr(quick, '_clock', lambda device, wanted: (DevfreqClock(str(devfreq)), [100.0, 200.0]))
    assert run(tiny, tmp_path / 'out', '--frequencies') == 0
    points = json.loads((tmp_path / 'out' / 'profile.json').read_text())['frequencies']['points']
    assert [point['frequency'] for point in points] == [100.0, 200.0] and all(point['seconds'] > 0 for point in points)
    assert [(devfreq / name).read_text() for name in ('min_freq', 'max_freq')] == ['100000000', '200000000']
    assert 'sensitivity to GPU frequency: ' in capsys.readouterr().out


def test_a_clock_that_fails_costs_nothing_else(quick, monkeypatch, devfreq, tiny, tmp_path):
    def fail(self, megahertz):
        raise EngineError('the board takes no {:g} MHz'.format(megahertz))
    monkeypatch.setattr(DevfreqClock, 'pin', fail)
    monkeypatch.setattr(quick, '_clock', lambda device, wanted: (DevfreqClock(str(devfreq)), [100.0, 200.0]))
    assert run(tiny, tmp_path / 'out', '--frequencies') == 1
    data = json.loads((tmp_path / 'out' / 'profile.json').read_text())
    assert data['frequencies']['points'] == [] and data['layers']
    assert 'no sensitivity to GPU frequency: the board takes no 100 MHz' in data['missing']


def test_frequencies_of_a_gpu(quick, monkeypatch):
    device = importlib.import_module('torch').device('cuda', 1)

    class Clock:
        def frequencies(self):
            return [100.0, 200.0]

        def refusal(self):
            return ''
    clock = Clock()
    monkeypatch.setattr(quick, 'find_clock', lambda index: clock if index == 1 else None)
    assert quick._clock(device, [200]) == (clock, [200.0])
    clock.refusal = lambda: 'it needs root'
    with pytest.raises(EngineError, match='it needs root'):
        quick._clock(device, [])


@pytest.mark.parametrize('words, sentence', [
    (['--seconds', '0.5'], '--seconds is 0.5'), (['--seconds', 'nan'], '--seconds is nan'), (['--top', '0'],
                                                                                              '--top is 0'),
    (['--frequencies', '-5'], '--frequencies'), (['--size', '60x33'], 'must be a multiple of 8'),
    (['--model', 'nothing'], "no model is called 'nothing'"), (['--out', '/dev/null/x'], 'cannot write')])
def test_wrong_settings_are_refused(tmp_path, capsys, words, sentence):
    assert main(['profile', '--out', str(tmp_path / 'out'), *words]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize('words', [['--size', 'big'], ['--backend', 'abacus'], ['--precision', 'fp17']])
def test_misspelt_settings_are_explained(capsys, words):
    with pytest.raises(SystemExit):
        main(['profile', *words])
    assert words[1] in capsys.readouterr().err


def test_the_help_names_every_file(capsys):
    assert all(name in profile.DESCRIPTION for name in (
        'profile.json', 'layers.csv', 'kernels.csv', 'timeline.csv', 'profile.png'))
