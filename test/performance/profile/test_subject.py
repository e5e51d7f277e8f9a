"""What is profiled."""
import sys

import numpy as np
import pytest
import small_models
import torch

from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import ParameterError
from espnet_ros.labels import CAMVID
from espnet_ros.models.onnx_file import OnnxConfig, OnnxNetwork
from espnet_ros.performance.profile import subject
from espnet_ros.performance.profile.subject import prepare


@pytest.fixture
def model(monkeypatch):
    """Let the small model be found under any name."""
    monkeypatch.setattr(subject.models, 'load_for_speed',
                        lambda name: (small_models.CARD, small_models.network(), 'its own'))


def test_pytorch_is_made_once(model):
    found = prepare('any', backend='torch', device='cpu', precision='fp32')
    assert found.plain is found.engine and (found.engine.width, found.engine.height) == (96, 64)
    assert found.image.shape == (64, 96, 3) and found.image.dtype == np.uint8 and found.image.std() > 10
    found.segment()
    # The network shown is the one that runs, on the same image.
    with torch.inference_mode():
        labels = found.network(found.tensor)[0][0].numpy()
    assert np.array_equal(labels, found.engine.run(found.image)[0]) and len(np.unique(labels)) > 1


class Other(Engine):
    """An engine that is not PyTorch's, in a precision of choice."""

    def __init__(self, precision):
        super().__init__(small_models.CARD, 96, 64)
        self._precision = precision

    def run(self, image, confidence=False):
        raise AssertionError('it is not run here')

    def describe(self):
        return EngineInfo('other', 'CPU', self._precision, 0.0)


@pytest.mark.parametrize('precision, plain', [('fp32', 'fp32'), ('bf16', 'bf16'), ('int8', None)])
def test_another_engine_has_pytorch_beside_it_in_its_precision(model, monkeypatch, precision, plain):
    monkeypatch.setattr(subject, 'build_engine', lambda *_, **__: Other(precision))
    found = prepare('any', device='cpu')
    assert isinstance(found.engine, Other) and isinstance(found.plain, PyTorchEngine)
    auto = PyTorchEngine(small_models.CARD, small_models.network(), 96, 64, 'cpu')
    assert found.plain.precision == (plain or auto.precision)


def test_sizes(model):
    assert prepare('any', 128, 64, 'torch', 'cpu', 'fp32').tensor.shape == (1, 3, 64, 128)
    with pytest.raises(ParameterError, match='multiple of 8'):
        prepare('any', 100, 64)


@pytest.fixture
def onnx_file(monkeypatch):
    """Let an ONNX network be found under any name."""
    for package in ('onnx', 'openvino', 'onnxruntime'):
        pytest.importorskip(package)
    from onnx_files import classifier
    card = small_models.CARD._replace(name='net', architecture=OnnxConfig(3), label_set=CAMVID, outputs=(0, 1, 2))
    monkeypatch.setattr(subject.models, 'load_for_speed',
                        lambda name: (card, OnnxNetwork(card.architecture, classifier()), 'its own'))


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_layers_of_an_onnx_file_are_openvinos(onnx_file, backend):
    found = prepare('any', backend=backend, device='cpu', precision='fp32')
    assert found.engine.describe().backend == backend and found.plain.describe().backend == 'openvino'
    assert not found.in_pytorch and (found.precision, found.device.type, found.problem) == ('fp32', 'cpu', '')
    convolution, = [layer for layer in found.layers() if layer.flop]
    assert convolution.kind == 'Convolution' and convolution.flop == 2 * 3 * 3 * 96 * 64


def test_without_openvino_an_onnx_file_has_no_layers(onnx_file, monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    found = prepare('any', backend='onnxruntime', device='cpu', precision='fp32')
    assert found.plain is None and found.layers() == [] and found.precision == 'fp32'
    assert found.problem == ('no layers: those of an ONNX file are measured in OpenVINO: OpenVINO is not installed: '
                             'pip install openvino onnx')


def test_layers_of_an_onnx_file_are_not_measured_on_a_gpu(onnx_file, monkeypatch):
    class OnGpu(Other):
        def describe(self):
            return EngineInfo('tensorrt', 'a GPU', 'int8', 0.0)
    monkeypatch.setattr(subject, 'build_engine', lambda *_, **__: OnGpu('int8'))
    found = prepare('any')
    assert found.plain is None and (found.device.type, found.precision) == ('cuda', 'fp32')
    assert found.problem.startswith('no layers: ') and 'trtexec' in found.problem
