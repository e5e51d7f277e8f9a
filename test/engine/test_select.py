"""The choice of the engine: what is installed and works, and the reasons."""
import importlib.util

import numpy as np
import pytest
import torch
from small_models import CARD, network

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine import BACKENDS, PRECISIONS, Engine, EngineInfo, build_engine, pytorch_engine, select
from espnet_ros.errors import EngineError, ParameterError

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


def test_engines_that_cache_get_the_folder(machine):
    machine(True, ALL)
    assert build_engine(CARD, network(), 96, 64, cache_dir='here').settings == {
        'cache_dir': 'here', 'progress': None}
    assert build_engine(CARD, network(), 96, 64, 'openvino', cache_dir='here').settings['cache_dir'] == 'here'
    assert build_engine(CARD, network(), 96, 64, 'torch', cache_dir='here').settings == {}


@pytest.mark.parametrize('settings, words', [
    ({'backend': 'tensorrt'}, 'broken'), ({'backend': 'torch', 'precision': 'int8'}, 'not in int8'),
    ({'device': 'cuda:3'}, "device 'cuda:3' is not there")])
def test_what_cannot_be_had_falls_back_and_says_why(machine, settings, words):
    machine(False, (), {'tensorrt': 'broken'})
    engine = build_engine(CARD, network(), 96, 64, **settings)
    info = engine.describe()
    assert words in info.fallback and info.backend == 'torch' and engine.fallback == info.fallback
    with torch.no_grad():
        expected = Deployed(network(), CARD)(torch.from_numpy(IMAGE.transpose(2, 0, 1)[None].copy()))[0][0].numpy()
    assert (engine.run(IMAGE)[0] == expected).mean() > (0.999 if info.precision == 'fp32' else 0.9)


@pytest.mark.parametrize('settings, words', [
    ({'backend': 'tensorrt'}, '^broken$'), ({'backend': 'torch', 'precision': 'int8'}, 'not in int8'),
    ({'backend': 'openvino', 'precision': 'bf16'}, '^no bf16$'), ({'device': 'cuda:3'}, "device 'cuda:3' is not there"),
    ({'precision': 'fp16'}, '^no bf16; PyTorch computes in fp16 on this CPU only slower than in fp32; choose .*auto$')])
def test_strictly_what_cannot_be_had_is_an_error(machine, settings, words):
    machine(False, ALL, {'tensorrt': 'broken', 'openvino': 'no bf16'})
    with pytest.raises(EngineError, match=words):
        build_engine(CARD, network(), 96, 64, strict=True, **settings)


def test_strictly_auto_may_still_choose(machine):
    machine(False, ALL, {'openvino': 'it labels 5.0% otherwise'})
    info = build_engine(CARD, network(), 96, 64, strict=True).describe()
    assert (info.backend, info.fallback) == ('torch', 'it labels 5.0% otherwise')


@pytest.mark.parametrize('backend', ['auto', 'openvino', 'tensorrt'])
def test_the_best_engine_takes_the_place_of_what_cannot_be_had(machine, monkeypatch, backend):
    class OnlyAuto(double('openvino')):
        def __init__(self, card, network, width, height, device, precision, **settings):
            super().__init__(card, network, width, height, device, precision, **settings)
            if precision != 'auto':
                raise EngineError('this CPU does not compute in ' + precision)
    machine(False, ALL, {'tensorrt': 'there is no GPU'})
    monkeypatch.setitem(select._ENGINES, 'openvino', OnlyAuto)
    monkeypatch.setattr(pytorch_engine, '_computes_in_bf16', lambda: False)
    info = build_engine(CARD, network(), 96, 64, backend, precision='bf16').describe()
    assert info.backend == 'openvino'
    assert ('there is no GPU' if backend == 'tensorrt' else 'does not compute in bf16') in info.fallback
    with pytest.raises(EngineError, match='there is no GPU' if backend == 'tensorrt' else 'does not compute in bf16'):
        build_engine(CARD, network(), 96, 64, backend, precision='bf16', strict=True)  # as tools ask


@pytest.mark.parametrize('settings, words', [
    ({'device': 'gpu'}, "^device is 'gpu'; it must be auto, cpu, cuda or cuda:N$"),
    ({'device': 'cuda:'}, 'must be auto'),
    ({'device': 'CPU'}, "device is 'CPU'"), ({'device': ''}, "device is ''"),
    ({'device': 'cpu:0'}, "device is 'cpu:0'"),
    ({'backend': 'abacus'}, "^backend is 'abacus'; it must be one of auto, torch, openvino, onnxruntime, tensorrt$"),
    ({'precision': 'fp8'}, "^precision is 'fp8'; it must be one of auto, fp32, bf16, fp16, int8$")])
@pytest.mark.parametrize('strict', [False, True])
def test_a_name_of_none_is_refused(settings, words, strict):
    with pytest.raises(ParameterError, match=words):
        build_engine(CARD, network(), 96, 64, strict=strict, **settings)


def test_when_not_even_pytorch_runs(machine):
    machine(False, ())
    with pytest.raises(EngineError, match='PyTorch cannot run small at 92x60'):
        build_engine(CARD, network(), 92, 60)


def test_the_names_are_those_of_the_interface():
    assert BACKENDS == ('auto', 'torch', 'openvino', 'onnxruntime', 'tensorrt')
    assert PRECISIONS == ('auto', 'fp32', 'bf16', 'fp16', 'int8')
