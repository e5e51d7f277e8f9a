"""The choice of the engine: what is installed and works, and the reasons."""
import importlib.util

import numpy as np
import pytest
import torch
from small_models import CARD, network

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine import BACKENDS, PRECISIONS, Engine, EngineInfo, build_engine, select
from espnet_ros.errors import EngineError

IMAGE = np.random.RandomState(3).randint(0, 256, (64, 96, 3)).astype(np.uint8)


def double(name, problem=''):
    """Return a class that stands for the engine `name`; `problem` is why it cannot be built."""
    class Double(Engine):
        def __init__(self, card, network, width, height, device, precision, **settings):
            super().__init__(card, width, height)
            self.settings = settings
            if problem:
                raise EngineError(problem)

        def run(self, image, confidence=False):
            raise AssertionError

        def describe(self):
            return EngineInfo(name, 'somewhere', 'fp16', 1.0, 'none', self.fallback, self.choice)
    return Double


@pytest.fixture
def machine(monkeypatch):
    """Function machine(gpu, installed, problems): pretend that this is what the machine has."""
    def pretend(gpu, installed, problems=()):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name in installed or None)
        for name in ('openvino', 'tensorrt'):
            monkeypatch.setitem(select._ENGINES, name, double(name, dict(problems).get(name, '')))
        if gpu:
            monkeypatch.setitem(select._ENGINES, 'torch', double('torch'))
    return pretend


ALL = ('onnx', 'openvino', 'tensorrt', 'torch2trt')


@pytest.mark.parametrize('gpu, installed, device, backend, choice', [
    (True, ALL, 'auto', 'tensorrt', 'auto: there is an NVIDIA GPU'),
    (True, ALL, 'cuda:0', 'tensorrt', 'auto: there is an NVIDIA GPU'),
    (True, ALL, 'cpu', 'openvino', 'auto: on the CPU'),
    (True, ('tensorrt',), 'auto', 'torch', 'auto: there is an NVIDIA GPU; torch2trt is not installed'),
    (True, ('openvino', 'onnx'), 'auto', 'torch',
     'auto: there is an NVIDIA GPU; tensorrt and torch2trt are not installed'),
    (False, ALL, 'auto', 'openvino', 'auto: on the CPU'),
    (False, (), 'auto', 'torch', 'auto: on the CPU; openvino and onnx are not installed')])
def test_auto_takes_the_best_that_is_installed_and_tells_why(machine, gpu, installed, device, backend, choice):
    machine(gpu, installed)
    info = build_engine(CARD, network(), 96, 64, device=device).describe()
    assert (info.backend, info.choice, info.fallback) == (backend, choice, '')


def test_what_is_installed_and_fails_is_told(machine):
    machine(False, ALL, {'openvino': 'it labels 5.0% otherwise'})
    info = build_engine(CARD, network(), 96, 64).describe()
    assert (info.backend, info.fallback) == ('torch', 'it labels 5.0% otherwise')


def test_only_an_engine_that_caches_gets_the_folder(machine):
    machine(True, ALL)
    assert build_engine(CARD, network(), 96, 64, cache_dir='here').settings == {
        'cache_dir': 'here', 'progress': None}
    assert build_engine(CARD, network(), 96, 64, 'openvino', cache_dir='here').settings == {}


@pytest.mark.parametrize('settings, words', [
    ({'backend': 'tensorrt'}, 'broken'), ({'backend': 'torch', 'precision': 'int8'}, 'not in int8'),
    ({'device': 'tpu'}, "device 'tpu'"), ({'backend': 'abacus'}, "no engine is called 'abacus'; there are ")])
def test_what_cannot_be_had_falls_back_and_says_why(machine, settings, words):
    machine(False, (), {'tensorrt': 'broken'})
    engine = build_engine(CARD, network(), 96, 64, **settings)
    info = engine.describe()
    assert words in info.fallback and info.backend == 'torch' and engine.fallback == info.fallback
    with torch.no_grad():
        expected = Deployed(network(), CARD)(torch.from_numpy(IMAGE.transpose(2, 0, 1)[None].copy()))[0][0].numpy()
    assert (engine.run(IMAGE)[0] == expected).mean() > (0.999 if info.precision == 'fp32' else 0.9)


def test_when_not_even_pytorch_runs(machine):
    machine(False, ())
    with pytest.raises(EngineError, match='PyTorch cannot run small at 92x60'):
        build_engine(CARD, network(), 92, 60)


def test_the_names_are_those_of_the_interface():
    assert BACKENDS == ('auto', 'torch', 'openvino', 'tensorrt')
    assert PRECISIONS == ('auto', 'fp32', 'bf16', 'fp16', 'int8')
