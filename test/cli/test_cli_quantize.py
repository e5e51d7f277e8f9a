"""`espnet-ros quantize`: a companion that the engine takes, and refusals."""
import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.datasets import open_dataset
from espnet_ros.engine import build_engine
from espnet_ros.errors import EngineError
from espnet_ros.models.card import read_card
from espnet_ros.quantization.quantize import Quantized
from espnet_ros.scene import Street

FACTS = {'calibrated on': ['8 of 8 images of street'], 'mIOU lost': 0.7}


@pytest.fixture
def quantized(monkeypatch):
    """What quantizing gives, and with which datasets it was called."""
    calls = []

    def stand_in(card, network, calibration, held_out, progress):
        calls.append((calibration, held_out))
        progress('calibrating')
        return Quantized(b'content', FACTS['mIOU lost'], FACTS)
    monkeypatch.setattr('espnet_ros.quantization.quantize.quantize', stand_in)
    return calls


def test_a_loss_is_not_accepted_unless_told_to(tiny, quantized, capsys):
    before = pathlib.Path(tiny).read_bytes()
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64']) == 1
    out, err = capsys.readouterr()
    assert 'calibrating\n' in out and 'mIOU lost: 0.7\n' in out
    assert err.startswith('espnet-ros: error: int8 loses 0.70 points of mIOU, more than 0.5; nothing was written')
    assert pathlib.Path(tiny).read_bytes() == before and not pathlib.Path(tiny).with_suffix('.int8').exists()
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64', '--accept-loss']) == 0
    card = read_card(tiny)
    assert card.int8.facts == FACTS and not card.int8.is_vouched_for and card.int8.file == 'tiny.int8'
    assert pathlib.Path(tiny).with_suffix('.int8').read_bytes() == b'content'
    assert models.find(tiny).card == card
    (calibration,), (held_out,) = quantized[-1]
    assert (len(calibration), len(held_out)) == (8, 2)
    assert np.array_equal(held_out[1].image, open_dataset('drive:10:96x64')[9].image)


def test_held_out_data_may_be_given(tiny, quantized):
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64', '--val', 'street:3:96x64:50',
                 'drive:2:96x64', '--accept-loss', '--out', 'other.yaml']) == 0
    calibration, held_out = quantized[-1]
    assert [len(d) for d in calibration] == [10] and [len(d) for d in held_out] == [3, 2]
    assert read_card('other.yaml').int8.file == 'other.int8' and pathlib.Path('other.int8').read_bytes() == b'content'
    assert read_card(tiny).int8 is None


def test_an_added_model_keeps_its_companion(tiny, quantized, tmp_path, monkeypatch):
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'own'))
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64', '--accept-loss']) == 0
    assert main(['models', 'add', tiny, '--name', 'mine']) == 0
    card = models.find('mine').card
    assert card.int8.file == 'mine.int8' and (tmp_path / 'own' / 'mine.int8').read_bytes() == b'content'
    assert card.int8.folder == str(tmp_path / 'own')
    assert main(['models', 'remove', 'mine']) == 0
    assert not list((tmp_path / 'own').iterdir())


@pytest.mark.parametrize('arguments, words', [
    (['--data', 'nowhere'], 'is not a dataset'), (['--data', 'drive:10:96x64', '--out', 'x.txt'], 'is no model card'),
    (['--data', 'drive:4:96x64'], 'there are no held-out images')])
def test_mistakes_are_one_sentence(tiny, capsys, arguments, words):
    for package in ('nncf', 'openvino', 'onnx'):
        if importlib.util.find_spec(package) is None:
            pytest.skip('needs ' + package)
    assert main(['quantize', '--model', tiny, *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count('\n') == 1


def test_without_nncf_one_sentence_says_so(tiny, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'nncf', None)
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64']) == 1
    assert 'quantizing needs the package nncf, which is not installed: pip install nncf' in capsys.readouterr().err


@pytest.mark.slow
def test_the_engine_runs_what_was_made(tiny, capsys):
    for package in ('nncf', 'openvino', 'onnx'):
        pytest.importorskip(package)
    assert main(['quantize', '--model', tiny, '--data', 'drive:10:96x64', '--accept-loss']) == 0
    facts = read_card(tiny).int8.facts
    assert facts['calibrated on'] == ['8 of 8 images of drive seed 0, without every fifth']
    assert facts['held out'] == ['2 images of drive seed 0, every fifth'] and facts['measure'] == 'mIOU of categories'
    assert facts['labels as in fp32'] > 90 and 'NNCF' in facts['tools']
    assert facts['mIOU lost'] == pytest.approx(facts['mIOU in fp32'] - facts['mIOU in int8'], abs=0.011)
    model = models.find(tiny)
    engine = build_engine(model.card, models.load(model), 96, 64, precision='int8', strict=True)
    assert engine.describe().precision == 'int8'
    image = Street(96, 64, 30).frame(1.0).image
    wanted = build_engine(model.card, models.load(model), 96, 64, 'torch', 'cpu', 'fp32').run(image)[0]
    assert (engine.run(image)[0] == wanted).mean() > 0.85  # random weights: scores lie close together


@pytest.mark.slow
def test_an_onnx_file_gets_a_companion_of_its_size(tmp_path, monkeypatch, capsys):
    for package in ('nncf', 'openvino', 'onnx'):
        pytest.importorskip(package)
    from onnx_files import classifier
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'added'))
    (tmp_path / 'net.onnx').write_bytes(classifier(stride=4, dynamic=True))
    assert main(['models', 'add', str(tmp_path / 'net.onnx'), '--labels', 'camvid', '--outputs', '0', '1', '2',
                 '--size', '96x64']) == 0
    assert main(['quantize', '--model', 'net', '--data', 'street:10:96x64', '--accept-loss']) == 0
    model = models.find('net')
    assert model.card.int8.file == 'net.int8' and (tmp_path / 'added' / 'net.int8').is_file()
    assert model.card.int8.facts['labels as in fp32'] > 90 and model.card.int8.facts['layers in float'] == []
    network = models.load(model)
    engine = build_engine(model.card, network, 96, 64, precision='int8', strict=True)
    image = Street(96, 64, 30).frame(1.0).image
    wanted = build_engine(model.card, network, 96, 64, 'openvino', precision='fp32', strict=True).run(image)[0]
    assert engine.describe().precision == 'int8' and (engine.run(image)[0] == wanted).mean() > 0.9
    with pytest.raises(EngineError, match='the int8 companion of net takes 96x64 only, not 128x64'):
        build_engine(model.card, network, 128, 64, precision='int8', strict=True)
    assert build_engine(model.card, network, 128, 64).describe().precision != 'int8'
