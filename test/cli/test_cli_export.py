"""espnet-ros export."""
import pathlib
import sys

import numpy as np
import pytest

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.engine import build_engine

onnx = pytest.importorskip('onnx')


def test_a_model_becomes_a_file_that_finds_its_labels(tiny, capsys):
    runtime = pytest.importorskip('onnxruntime')
    assert main(['export', '--model', tiny, '--out', 'tiny.onnx']) == 0
    text, problems = capsys.readouterr()
    assert text.startswith('tiny.onnx: tiny at 96x64, opset 13, ') and problems == ''
    assert text.endswith("MB; ONNX Runtime finds PyTorch's labels\n")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    session = runtime.InferenceSession('tiny.onnx', providers=['CPUExecutionProvider'])
    assert [o.name for o in session.get_outputs()] == ['labels']
    model = models.find(tiny)
    assert session.get_modelmeta().custom_metadata_map['weights_sha256'] == model.card.sha256
    engine = build_engine(model.card, models.load(model), 96, 64, 'torch', 'cpu', 'fp32')
    assert (session.run(None, {'image': image[None]})[0][0] == engine.run(image)[0]).mean() >= 0.999


def test_size_opset_and_confidence(tiny, capsys):
    assert main(['export', '--model', tiny, '--out', 'a.onnx', '--width', '128', '--height', '72', '--opset', '17',
                 '--confidence']) == 0
    assert 'tiny at 128x72, opset 17, ' in capsys.readouterr().out
    model = onnx.load('a.onnx')
    assert [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input] == [[1, 72, 128, 3]]
    assert [v.name for v in model.graph.output] == ['labels', 'confidence']
    assert model.opset_import[0].version == 17


def test_what_was_not_verified_is_said(tiny, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    assert main(['export', '--model', tiny, '--out', 'a.onnx']) == 0
    assert capsys.readouterr().out.endswith('; not verified, onnxruntime is not installed\n')


@pytest.mark.parametrize('arguments, words', [
    (['--width', '100'], 'input_width is 100; it must be a multiple of 8'),
    (['--height', '-8'], 'input_height is -8'),
    (['--model', 'tinny'], "no model is called 'tinny'"),
    (['--out', 'missing/a.onnx'], "cannot write 'missing/a.onnx': No such file or directory")])
def test_mistakes_are_one_sentence(tiny, capsys, arguments, words):
    assert main(['export', '--model', tiny, '--out', 'a.onnx', *arguments]) == 1
    text, problems = capsys.readouterr()
    assert text == '' and problems.startswith('espnet-ros: error: ') and words in problems
    assert problems.count('\n') == 1 and not list(pathlib.Path().iterdir())


def test_without_onnx(tiny, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    assert main(['export', '--model', tiny, '--out', 'a.onnx']) == 1
    assert capsys.readouterr().err == 'espnet-ros: error: exporting needs the package onnx: pip install onnx\n'


@pytest.mark.parametrize('arguments', [[], ['--out', 'a.onnx', '--opset', '9'], ['--out', 'a.onnx', '--opset', 'x'],
                                       ['--out', 'a.onnx', '--width', 'wide'], ['--out', 'a.onnx', 'more']])
def test_used_wrongly(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(['export', *arguments])
    assert left.value.code == 2 and capsys.readouterr().err.startswith('usage: espnet-ros export')
