"""What is profiled."""
import numpy as np
import pytest
import small_models
import torch

from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import ParameterError
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
