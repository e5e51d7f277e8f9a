"""PyTorch as an engine: any array, no shared memory, wrong settings refused, and a fallback that is as good."""
import warnings

import numpy as np
import pytest
import torch
from small_models import CARD, network

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine import Engine, EngineInfo, build_engine, pytorch_engine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import EngineError

IMAGE = np.random.RandomState(3).randint(0, 256, (64, 96, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def engine():
    return PyTorchEngine(CARD, network(), 96, 64, 'cpu', 'fp32')


@pytest.fixture(scope='module')
def expected():
    with torch.no_grad():
        labels, confidence = Deployed(network(), CARD)(torch.from_numpy(IMAGE.transpose(2, 0, 1)[None].copy()), True)
    return labels[0].numpy(), confidence[0].numpy()


def test_run_equals_the_deployed_network(engine, expected):
    labels, confidence = engine.run(IMAGE, confidence=True)
    assert labels.dtype == confidence.dtype == np.uint8 and labels.shape == confidence.shape == (64, 96)
    assert (labels == expected[0]).mean() > 0.999
    assert np.abs(confidence.astype(int) - expected[1]).max() <= 1
    again, nothing = engine.run(IMAGE)
    assert nothing is None and np.array_equal(again, labels)


@pytest.mark.parametrize('turn', [
    lambda image: image.astype(np.float32), lambda image: image[::-1, ::-1].copy()[::-1, ::-1],
    lambda image: np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape),
    lambda image: np.dstack([image, image])[:, :, :3], lambda image: np.asfortranarray(image),
    lambda image: image[:, :, ::-1].copy()[:, :, ::-1]],
    ids=['float', 'turned round', 'read-only', 'part', 'Fortran order', 'channels turned'])
def test_the_memory_layout_does_not_matter(engine, turn):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        labels, _ = engine.run(turn(IMAGE))
    assert np.array_equal(labels, engine.run(IMAGE)[0])


def test_results_belong_to_the_caller(engine):
    labels, confidence = engine.run(IMAGE, True)
    kept = labels.copy(), confidence.copy()
    labels[:], confidence[:] = 77, 77
    other = engine.run(IMAGE[::-1].copy(), True)
    again = engine.run(IMAGE, True)
    assert np.array_equal(again[0], kept[0]) and np.array_equal(again[1], kept[1])
    assert (labels == 77).all() and not np.shares_memory(other[0], again[0])


def test_the_image_is_not_changed(engine):
    image = IMAGE.copy()
    engine.run(image)
    assert np.array_equal(image, IMAGE)


def test_describe(engine):
    info = engine.describe()
    assert isinstance(engine, Engine) and (engine.card, engine.width, engine.height) == (CARD, 96, 64)
    assert info == EngineInfo('torch', 'CPU, {} threads'.format(torch.get_num_threads()), 'fp32', info.build_seconds)
    assert 0 < info.build_seconds < 60 and info.fallback == ''


@pytest.mark.parametrize('able, precision', [(True, 'bf16'), (False, 'fp32')])
def test_auto_is_the_precision_that_the_cpu_has_instructions_for(monkeypatch, able, precision):
    monkeypatch.setattr(pytorch_engine, '_computes_in_bf16', lambda: able)
    engine = PyTorchEngine(CARD, network(), 64, 64, 'cpu')
    assert engine.describe().precision == precision
    dtype = {'bf16': torch.bfloat16, 'fp32': torch.float32}[precision]
    assert all(p.dtype == dtype for p in engine.deployed.network.parameters())


@pytest.mark.parametrize('device', ['gpu', 'cuda:x', 'cuda:-1', 'cuda:', 'cpu:1', 'mps', '', 'CPU', 'cpu\n', None, 0,
                                    'cuda:99999999999'])
def test_unknown_devices_are_refused(device):
    with pytest.raises(EngineError, match='is not one of auto, cpu, cuda, cuda:N'):
        PyTorchEngine(CARD, network(), 96, 64, device)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for device in ('cuda', 'cuda:1'):
        with pytest.raises(EngineError, match="device '{}' is not there: .* no NVIDIA GPU; use cpu".format(device)):
            PyTorchEngine(CARD, network(), 96, 64, device)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(EngineError, match=r'this machine has 2 GPU\(s\), counted from 0'):
        PyTorchEngine(CARD, network(), 96, 64, 'cuda:2')


@pytest.mark.parametrize('precision', ['int8', 'fp8', '', None, 'FP32'])
def test_precisions_that_pytorch_has_not_are_refused(precision):
    with pytest.raises(EngineError, match='fp32, bf16 or fp16, not in'):
        PyTorchEngine(CARD, network(), 96, 64, 'cpu', precision)


def test_a_network_that_does_not_run_is_an_engine_error():
    with pytest.raises(EngineError, match='PyTorch cannot run small at 92x60 in .* on cpu: ') as caught:
        PyTorchEngine(CARD, network(), 92, 60, 'cpu')
    assert '\n' not in str(caught.value)


def test_the_callers_network_stays_as_it_is():
    net = network()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    build_engine(CARD, net, 96, 64, 'torch', 'cpu', 'bf16')
    assert all(v.dtype == before[k].dtype and torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_a_fallback_is_as_exact_as_if_nothing_had_been_tried_before(monkeypatch, expected):
    # A PyTorch without half precision on this device fails only when the network, already converted, first runs.
    run = PyTorchEngine.run

    def failing(self, image, confidence=False):
        if self.precision == 'fp16':
            raise RuntimeError('"conv" not implemented for Half\nmore')
        return run(self, image, confidence)
    monkeypatch.setattr(PyTorchEngine, 'run', failing)
    engine = build_engine(CARD, network(), 96, 64, 'torch', 'cpu', 'fp16')
    assert engine.fallback == ('PyTorch cannot run small at 96x64 in fp16 on cpu: "conv" not implemented for Half')
    assert engine.describe().precision == PyTorchEngine(CARD, network(), 96, 64).precision
    if engine.precision == 'fp32':
        assert (engine.run(IMAGE)[0] == expected[0]).mean() > 0.999
