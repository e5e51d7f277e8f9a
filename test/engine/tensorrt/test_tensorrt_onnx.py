"""ONNX files in the tensorrt engine, by its own parser, on stand-ins for NVIDIA's libraries."""
import json
import pathlib
import sys

import cv2
import numpy as np
import pytest
from fake_jetson import make_jetson

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
import onnx_files  # noqa: E402
from onnx_files import HEIGHT, WIDTH, classifier  # noqa: E402

from espnet_ros import models  # noqa: E402
from espnet_ros.engine import build_engine  # noqa: E402
from espnet_ros.engine.tensorrt.engine import WORKSPACE, TensorRTEngine, build_engine_file  # noqa: E402
from espnet_ros.errors import EngineError  # noqa: E402
from espnet_ros.models.onnx_file import OnnxConfig, OnnxNetwork  # noqa: E402

VERSIONS = [('8.2.1.8', '0.4.0'), ('8.6.1', '0.5.0'), ('10.3.0', 'master')]
OUTPUTS = (4, 7, 9)


def engine(folder, content=None, precision='fp32', **settings):
    config = {key: settings.pop(key) for key in tuple(settings) if key in OnnxConfig._fields}
    config = OnnxConfig(classes=3, **config)
    card = models.untrained('espnet', classes=19)._replace(
        name='net', architecture=config, outputs=OUTPUTS, input_width=WIDTH, input_height=HEIGHT, mean=(0.0,) * 3,
        std=(1.0,) * 3, divisor=255.0)
    return TensorRTEngine(card, OnnxNetwork(config, content or classifier()), WIDTH, HEIGHT, precision=precision,
                          cache_dir=str(folder), **settings)


def squares():
    """BGR uint8 [HEIGHT, WIDTH, 3] of pure colors, and their class ids."""
    channel = np.random.RandomState(0).randint(0, 3, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    return (np.eye(3)[channel] * 200).astype(np.uint8), np.array(OUTPUTS[::-1], np.uint8)[channel]  # B, G, R


@pytest.mark.parametrize('tensorrt, torch2trt', VERSIONS)
def test_labels_are_the_files(tmp_path, monkeypatch, tensorrt, torch2trt):
    trt = make_jetson(monkeypatch, tensorrt, torch2trt)
    built = engine(tmp_path)
    image, wanted = squares()
    labels, confidence = built.run(image, True)
    assert np.array_equal(labels, wanted) and labels.dtype == confidence.dtype == np.uint8
    assert abs(int(confidence[0, 0]) - 255 / (1 + 2 * np.exp(-200 / 255))) < 1 and built.run(image)[1] is None
    assert trt.layers['onnx_file'] == 1 and not trt.config.flags and built.describe().choice == ''
    limit = trt.config.max_workspace_size if tensorrt < '8.4' and tensorrt[0] == '8' else (
        trt.config.pools[trt.MemoryPoolType.WORKSPACE])
    assert limit == WORKSPACE


@pytest.mark.parametrize('settings', [
    {'kind': 'probabilities'}, {'kind': 'labels'}, {'layout': 'NHWC', 'output_layout': 'NHWC'}, {'stride': 4},
    {'stride': 8, 'kind': 'labels'}, {'dynamic': True}], ids=lambda s: ' '.join(map(str, s.values())))
def test_every_kind_of_file(tmp_path, monkeypatch, settings):
    make_jetson(monkeypatch)
    content = classifier(**settings)
    settings.pop('dynamic', None)
    image, wanted = squares()
    labels, confidence = engine(tmp_path, content, **settings).run(image, True)
    # Upsampled logits are right in the middle of the squares.
    step = (slice(4, None, 8),) * 2 if settings.get('stride', 1) > 1 else ...
    assert np.array_equal(labels[step], wanted[step])
    assert confidence.shape == labels.shape and (confidence == 255).all() == (settings.get('kind') == 'labels')


def test_labels_below_0_are_unlabeled(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    image, wanted = squares()
    content = classifier(kind='labels', change=onnx_files.two_less)
    labels, _ = engine(tmp_path, content, kind='labels').run(image)
    assert np.array_equal(labels, np.where(wanted == 9, 4, 255))


def test_labels_that_are_nan_are_unlabeled(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    image, wanted = squares()
    image[:16] = 0
    content = classifier(kind='labels', change=onnx_files.not_a_number_in_the_dark)
    labels, _ = engine(tmp_path, content, kind='labels').run(image)
    assert (labels[:16] == 255).all() and np.array_equal(labels[16:], wanted[16:])


def test_the_cache_knows_the_file_and_its_card(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    built = engine(tmp_path)
    key = json.loads(pathlib.Path(built.engine_path).with_suffix('.json').read_text())['key']
    assert key['architecture.family'] == 'onnx' and key['architecture.kind'] == 'logits' and len(key['weights']) == 64
    assert engine(tmp_path).describe().cache == 'loaded'
    assert 'weights was ' in engine(tmp_path, classifier(opset=14)).describe().cache
    assert 'architecture.channels was RGB, is BGR' in engine(tmp_path, classifier(opset=14),
                                                             channels='BGR').describe().cache
    path, info = build_engine_file(built.card, OnnxNetwork(built.card.architecture, classifier()), WIDTH, HEIGHT,
                                   precision='fp32', cache_dir=str(tmp_path))
    assert path == built.engine_path and info.cache.startswith('rebuilt: ')


def test_int8_sees_the_calibration_images(tmp_path, monkeypatch):
    trt = make_jetson(monkeypatch, '8.6.1', '0.5.0', name='Xavier', capability=(7, 2))
    (tmp_path / 'images').mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / 'images' / '{}.png'.format(i)), np.full((30, 40, 3), (10 * i, 100, 200), np.uint8))
    built = engine(tmp_path, precision='int8', calibration=str(tmp_path / 'images'))
    assert built.describe().precision == 'int8' and trt.config.flags == {trt.BuilderFlag.FP16, trt.BuilderFlag.INT8}
    assert [batch.shape for batch in trt.calibrated] == [(1, 3, HEIGHT, WIDTH)] * 3
    assert trt.calibrated[2][0, :, 5, 5].tolist() == [20, 100, 200]
    with pytest.raises(EngineError, match='int8 needs calibration images'):
        engine(tmp_path / 'new', precision='int8')


def test_what_the_parser_and_the_builder_refuse_gets_a_sentence(tmp_path, monkeypatch):
    trt = make_jetson(monkeypatch)
    monkeypatch.setattr(trt.OnnxParser, 'refuses', 'In node 3 (importX): UNSUPPORTED_NODE: no such\nplugin')
    with pytest.raises(EngineError, match='TensorRT 8.2.1.8 does not take the ONNX file: In node 3 .* no such'):
        engine(tmp_path)
    monkeypatch.setattr(trt.OnnxParser, 'refuses', '')
    trt.broken = True
    with pytest.raises(EngineError, match='TensorRT 8.2.1.8 cannot build this engine; its reason is in the log'):
        engine(tmp_path)
    monkeypatch.delattr(trt, 'OnnxParser')
    with pytest.raises(EngineError, match='TensorRT 8.2.1.8 cannot build an engine: AttributeError: .*OnnxParser'):
        engine(tmp_path)
    with pytest.raises(EngineError, match='TensorRT takes the network as ONNX: .* makes a tensor of 1x3x128000x192000'):
        engine(tmp_path, classifier(change=onnx_files.huge_resize))
    assert not list(tmp_path.glob('*.engine'))


def test_an_engine_that_labels_otherwise_is_not_used(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    from espnet_ros.engine.tensorrt.library import TensorRT
    load = TensorRT.load
    monkeypatch.setattr(TensorRT, 'load', lambda self, content: lambda image: (load(self, content)(image)[0].flip(1),))
    with pytest.raises(EngineError, match='engine of net in fp32 is not used: it labels'):
        engine(tmp_path)


def test_without_onnx_runtime_it_says_that_nothing_was_compared(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    assert engine(tmp_path).describe().choice == 'not compared with ONNX Runtime, which is not installed'


def test_auto_takes_it_where_there_is_a_gpu(tmp_path, monkeypatch):
    make_jetson(monkeypatch)
    from espnet_ros.engine import select
    monkeypatch.setattr(select, '_candidates', lambda device: (['tensorrt', 'torch'], ['auto: there is an NVIDIA GPU']))
    card = engine(tmp_path).card
    chosen = build_engine(card, OnnxNetwork(card.architecture, classifier()), WIDTH, HEIGHT, cache_dir=str(tmp_path))
    assert chosen.describe().backend == 'tensorrt'
    assert chosen.describe().choice == 'auto: there is an NVIDIA GPU; the network is an ONNX file'
