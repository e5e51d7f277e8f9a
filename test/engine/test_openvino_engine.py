"""OpenVINO as an engine: PyTorch's labels from any array, and refusals that say what to do."""
import concurrent.futures
import os
import sys
import threading
import time
import types
import warnings
import weakref

import cv2
import numpy as np
import pytest
import torch
from ros_process import wait_until
from small_models import CARD, CONFIG, network

from espnet_ros import models
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine import Engine, EngineInfo, openvino_engine
from espnet_ros.engine.openvino_engine import OpenVINOEngine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import EngineError
from espnet_ros.network import VARIANTS
from espnet_ros.scene import Street
from espnet_ros.segmenter import Segmenter

openvino = pytest.importorskip('openvino')
pytest.importorskip('onnx')

IMAGE = Street(96, 64, 1).frame(3.0).image


@pytest.fixture(scope='module')
def engine():
    return OpenVINOEngine(CARD, network(), 96, 64, 'cpu', 'fp32')


def plain(net, card, image):
    """Labels and confidence of the plain network."""
    with torch.no_grad():
        results = Deployed(net, card).eval()(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), True)
    return [result[0].numpy() for result in results]


@pytest.mark.parametrize('variant', VARIANTS)
def test_labels_and_confidence_are_those_of_pytorch(variant):
    net, wide = network(CONFIG._replace(variant=variant)), (136, 72)
    engine = OpenVINOEngine(CARD, net, *wide, precision='fp32')
    reference = PyTorchEngine(CARD, net, *wide, 'cpu', 'fp32')
    for seed in range(3):
        image = Street(*wide, seed).frame(7.0).image
        labels, confidence = engine.run(image, confidence=True)
        for wanted in (plain(net, CARD, image), reference.run(image, True)):
            assert (labels == wanted[0]).mean() >= 0.999
            assert np.abs(confidence.astype(int) - wanted[1]).max() <= 1
        assert labels.dtype == confidence.dtype == np.uint8 and labels.shape == confidence.shape == (72, 136)
        assert np.array_equal(engine.run(image)[0], labels)


def test_confidence_comes_and_goes(engine):
    labels, nothing = engine.run(IMAGE)
    assert nothing is None
    again, confidence = engine.run(IMAGE, True)
    assert np.abs(confidence.astype(int) - plain(network(), CARD, IMAGE)[1]).max() <= 1
    last, nothing = engine.run(IMAGE, False)
    assert nothing is None and np.array_equal(labels, again) and np.array_equal(labels, last)


@pytest.mark.parametrize('confidence', [False, True])
def test_the_logits_are_not_turned_around_in_memory(engine, confidence):
    model = engine.request(confidence).get_compiled_model().get_runtime_model()
    kinds = [(str(node.get_rt_info()['layerType'].value), np.prod(node.output(0).get_shape()))
             for node in model.get_ops() if node.get_output_size()]
    logits = 64 * 96 * len(CARD.outputs)
    assert ('MatMul', logits) in kinds and any(kind == 'TopK' for kind, _ in kinds)
    assert not [size for kind, size in kinds if kind == 'Reorder' and size >= logits]


@pytest.mark.parametrize('turn', [
    lambda image: image.astype(np.float32), lambda image: image[::-1, ::-1].copy()[::-1, ::-1],
    lambda image: np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape),
    lambda image: np.dstack([image, image])[:, :, :3], lambda image: np.asfortranarray(image)],
    ids=['float', 'turned round', 'read-only', 'part', 'Fortran order'])
def test_the_memory_layout_does_not_matter(engine, turn):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        labels, _ = engine.run(turn(IMAGE))
    assert np.array_equal(labels, engine.run(IMAGE)[0])


def test_floats_between_bytes_count():
    # A network that sees nothing but steps of a quarter: rounded to bytes, they would be gone.
    net = network()
    engine = OpenVINOEngine(CARD, net, 96, 64, precision='fp32')
    image = np.random.RandomState(0).randint(0, 4, (64, 96, 3)).astype(np.float32) / 4 + 100
    assert (engine.run(image)[0] == plain(net, CARD, image)[0]).mean() >= 0.999
    assert (engine.run(image)[0] != plain(net, CARD, image.astype(np.uint8))[0]).mean() > 0.01


def test_results_belong_to_the_caller(engine):
    labels, confidence = engine.run(IMAGE, True)
    kept = labels.copy(), confidence.copy()
    labels[:], confidence[:] = 77, 77
    engine.run(IMAGE[::-1], True)
    again = engine.run(IMAGE, True)
    assert np.array_equal(again[0], kept[0]) and np.array_equal(again[1], kept[1])
    assert (labels == 77).all() and (confidence == 77).all()


def test_nothing_that_was_handed_in_is_changed():
    net, image = network(), IMAGE.copy()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    OpenVINOEngine(CARD, net, 96, 64, precision='fp32').run(image)
    assert np.array_equal(image, IMAGE)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_describe(engine):
    info = engine.describe()
    assert isinstance(engine, Engine) and (engine.card, engine.width, engine.height) == (CARD, 96, 64)
    assert info == EngineInfo('openvino', info.device, 'fp32', info.build_seconds) and 0 < info.build_seconds < 60
    assert info.device.startswith('CPU, ') and info.device.endswith(' threads')


@pytest.mark.parametrize('device', ['gpu', 'GPU', 'cuda', 'cuda:0', 'NPU', 'CPU', '', None, 0])
def test_other_devices_are_refused(device):
    with pytest.raises(EngineError, match='on the CPU, not on device .*; use auto or cpu'):
        OpenVINOEngine(CARD, network(), 96, 64, device)


@pytest.mark.parametrize('precision', ['fp8', '', None, 'FP32'])
def test_other_precisions_are_refused(precision):
    with pytest.raises(EngineError, match='OpenVINO runs networks in fp32, bf16, fp16 or int8, not in'):
        OpenVINOEngine(CARD, network(), 96, 64, 'cpu', precision)


def test_without_openvino_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(EngineError, match='^OpenVINO is not installed: pip install openvino onnx$'):
        OpenVINOEngine(CARD, network(), 96, 64)


def test_an_openvino_from_before_its_api_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', types.ModuleType('openvino'))
    with pytest.raises(EngineError, match='too old, it has no openvino.Core; install a newer one'):
        OpenVINOEngine(CARD, network(), 96, 64)


def test_without_onnx_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(EngineError, match='^OpenVINO takes the network as ONNX: exporting needs the package onnx'):
        OpenVINOEngine(CARD, network(), 96, 64)


def fake_core(monkeypatch, capabilities):
    """An OpenVINO that says the CPU has these, or raises them."""
    def get_property(self, device, name):
        assert (device, name) == ('CPU', 'OPTIMIZATION_CAPABILITIES')
        if isinstance(capabilities, Exception):
            raise capabilities
        return capabilities
    monkeypatch.setitem(sys.modules, 'openvino', types.SimpleNamespace(
        Core=type('Core', (), {'get_property': get_property})))


def test_a_cpu_without_the_precision(monkeypatch):
    fake_core(monkeypatch, ['FP32', 'FP16', 'INT8', 'BIN'])
    with pytest.raises(EngineError, match='^this CPU does not compute in bf16; with OpenVINO it does in fp16 and fp32'):
        OpenVINOEngine(CARD, network(), 96, 64, 'cpu', 'bf16')


def test_an_openvino_without_its_part_for_the_cpu(monkeypatch):
    fake_core(monkeypatch, RuntimeError('Exception from core.cpp:\nDevice with "CPU" name is not registered'))
    with pytest.raises(EngineError, match='^OpenVINO cannot use this CPU: Exception from core.cpp: Device with "CPU"'):
        OpenVINOEngine(CARD, network(), 96, 64)


def test_an_engine_that_does_not_agree_with_pytorch_is_not_used(monkeypatch):
    original = openvino_engine.onnx_model
    monkeypatch.setattr(openvino_engine, 'onnx_model', lambda card, net, *sizes, **settings: original(
        card, network(seed=1), *sizes, **settings))
    for precision in ('fp32', 'auto'):
        with pytest.raises(EngineError, match='the OpenVINO engine of small in fp32 is not used: it labels .*% of the '
                                              'pixels of a street otherwise than the reference'):
            OpenVINOEngine(CARD, network(), 96, 64, 'cpu', precision)


def test_auto_takes_the_first_precision_that_agrees(monkeypatch):
    asked = []

    def refuse_bf16(found, wanted, precision):
        asked.append(precision)
        if precision == 'bf16':
            raise EngineError('it is too coarse')
    monkeypatch.setattr(openvino_engine, 'compare', refuse_bf16)
    monkeypatch.setattr(openvino_engine, '_precisions', lambda wanted, library: ['bf16', 'fp32'])
    engine = OpenVINOEngine(CARD, network(), 96, 64)
    assert asked == ['bf16', 'fp32', 'fp32']  # two images
    assert (engine.run(IMAGE)[0] == plain(network(), CARD, IMAGE)[0]).mean() >= 0.999
    assert engine.describe().precision == 'fp32'


def test_what_openvino_cannot_do_is_one_sentence(monkeypatch):
    def failing(self, confidence, **settings):
        raise RuntimeError('Exception from core.cpp:84:\nCheck failed\n\n')
    monkeypatch.setattr(OpenVINOEngine, '_compile', failing)
    with pytest.raises(EngineError, match='^the OpenVINO engine of small in fp32 is not used: Exception from '
                                          'core.cpp:84: Check failed$'):
        OpenVINOEngine(CARD, network(), 96, 64, precision='fp32')


def test_a_confidence_that_cannot_be_computed_costs_nothing_else(monkeypatch):
    engine = OpenVINOEngine(CARD, network(), 96, 64, precision='fp32')
    labels, compile_graph, tried = engine.run(IMAGE)[0], OpenVINOEngine._compile, []

    def failing(self, confidence):
        tried.append(confidence)
        if confidence:
            raise RuntimeError('out of memory\nwhile compiling')
        return compile_graph(self, confidence)
    monkeypatch.setattr(OpenVINOEngine, '_compile', failing)
    assert engine.problem == ''
    for _ in range(3):
        found, confidence = engine.run(IMAGE, True)
        assert np.array_equal(found, labels) and confidence is None
        assert engine.problem == 'there is no confidence, OpenVINO cannot compute it: out of memory while compiling'
        assert np.array_equal(engine.run(IMAGE)[0], labels)
    assert tried == [True, False]
    segmenter = Segmenter(engine)
    assert segmenter.segment(IMAGE, confidence=True).confidence is None
    with pytest.raises(EngineError, match='^the confidence threshold cannot be kept: there is no confidence, OpenVINO'):
        segmenter.segment(IMAGE, threshold=0.5)


@pytest.mark.parametrize('fails', [False, True])
def test_several_threads_at_once_while_confidence_is_asked_for(monkeypatch, fails):
    engine = OpenVINOEngine(CARD, network(), 96, 64, precision='fp32', concurrency=2)
    assert engine.concurrency == min(2, len(os.sched_getaffinity(0)))
    expected, sure = plain(network(), CARD, IMAGE)
    compile_graph, compiled = OpenVINOEngine._compile, []

    def counted(self, confidence):
        compiled.append(confidence)
        if confidence and fails:
            raise RuntimeError('out of memory')
        return compile_graph(self, confidence)
    monkeypatch.setattr(OpenVINOEngine, '_compile', counted)

    def run(number):
        return engine.run(IMAGE, confidence=number % 3 == 2)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for number, (labels, confidence) in enumerate(pool.map(run, range(24))):
            assert (labels == expected).mean() >= 0.999
            assert (confidence is not None) == (number % 3 == 2 and not fails)
            assert confidence is None or np.abs(confidence.astype(int) - sure).max() <= 1
    assert compiled == ([True, False] if fails else [True])  # once, whoever asks


def test_a_thread_that_waits_for_confidence_keeps_no_graph_without_it(monkeypatch):
    engine, begun = OpenVINOEngine(CARD, network(), 96, 64, precision='fp32', concurrency=2), threading.Event()
    graph, compile_graph = weakref.ref(engine._compiled), OpenVINOEngine._compile

    def wait_and_compile(self, confidence):
        begun.set()
        wait_until(lambda: graph() is None)
        return compile_graph(self, confidence)

    def run():
        engine.run(IMAGE)
        other.set()
        assert begun.wait(60.0)
        return engine.run(IMAGE)[0]
    monkeypatch.setattr(OpenVINOEngine, '_compile', wait_and_compile)
    other = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        labels = pool.submit(run)
        assert other.wait(60.0)
        assert np.array_equal(engine.run(IMAGE, confidence=True)[0], labels.result())


def test_the_graph_with_confidence_is_verified_too(monkeypatch):
    engine = OpenVINOEngine(CARD, network(), 96, 64, precision='fp32')
    infer = openvino_engine._infer
    monkeypatch.setattr(openvino_engine, '_infer', lambda request, image, confidence: (
        infer(request, image, False)[0], np.zeros((64, 96), np.uint8) if confidence else None))
    labels, confidence = engine.run(IMAGE, True)
    assert confidence is None and np.array_equal(labels, engine.run(IMAGE)[0])
    assert "its confidence differs from the reference's by " in engine.problem


def test_a_clock_that_is_set_back_does_not_make_build_times_negative(monkeypatch):
    hours = iter(range(100, 0, -1))
    monkeypatch.setattr(time, 'time', lambda: 3600.0 * next(hours))
    for engine in (OpenVINOEngine(CARD, network(), 96, 64), PyTorchEngine(CARD, network(), 96, 64, 'cpu')):
        assert 0 < engine.describe().build_seconds < 60


def test_a_size_that_the_network_cannot_take():
    with pytest.raises(EngineError, match='cannot run small at 92x60'):
        OpenVINOEngine(CARD, network(), 92, 60)


@pytest.mark.parametrize('precision, least', [('fp32', 0.999), ('bf16', 0.99)])
@pytest.mark.parametrize('weights, size, images', [
    ('espnet/espnet_p_2_q_8.pth', (1024, 512), 'cityscapes_samples/*.png'),
    ('espnet_c/espnet_p_2_q_8.pth', (1024, 512), 'cityscapes_samples/*.png'),
    ('espnet/espnet_p_2_q_8_camvid.pth', (480, 360), 'camvid/val/0016E5_079*.png')])
def test_the_authors_networks_on_real_images(shared, weights, size, images, precision, least):
    if precision.upper() not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES') + ['FP32']:
        pytest.skip('this CPU does not compute in ' + precision)
    model = models.find(shared / 'weights' / weights)
    net = models.load(model)
    segmenter = Segmenter(OpenVINOEngine(model.card, net, *size, 'cpu', precision), 'network')
    paths = sorted((shared / 'data').glob(images))[:6]
    assert len(paths) >= 2
    for path in paths:
        image = cv2.imread(str(path))
        resized = cv2.resize(image.astype(np.float32), size)
        assert (segmenter.segment(image).labels == plain(net, model.card, resized)[0]).mean() >= least, path
