"""The tensorrt engine on stand-ins for NVIDIA's libraries: what it computes, keeps, refuses and says."""
import json
import os
import pathlib
import sys

import cv2
import numpy as np
import pytest
import torch
from fake_jetson import make_jetson
from small_models import CARD, CONFIG, network

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine.base import EngineInfo
from espnet_ros.engine.tensorrt import converters
from espnet_ros.engine.tensorrt import engine as tensorrt_engine
from espnet_ros.engine.tensorrt.engine import WORKSPACE, TensorRTEngine, build_engine_file
from espnet_ros.engine.tensorrt.library import TensorRT
from espnet_ros.errors import EngineError
from espnet_ros.scene import Street

IMAGE = Street(96, 64, seed=5).frame(2.0).image
VERSIONS = [('8.2.1.8', '0.4.0'), ('8.6.1', '0.5.0'), ('8.5.2.2', 'master'), ('10.3.0', 'master')]
XAVIER = {'name': 'Xavier', 'capability': (7, 2), 'multiprocessors': 8}


@pytest.fixture
def jetson(monkeypatch):
    return make_jetson(monkeypatch)


@pytest.fixture
def calibration(tmp_path):
    """A folder of three images and something else."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / '{}.png'.format(i)), np.full((30, 40, 3), (10 * i, 100, 200), np.uint8))
    (folder / 'notes.txt').write_text('no image')
    return folder


def engine(folder, card=CARD, net=None, **settings):
    return TensorRTEngine(card, net or network(card.architecture), 96, 64, cache_dir=str(folder), **settings)


def expected(card=CARD, image=IMAGE):
    with torch.no_grad():
        results = Deployed(network(card.architecture), card)(
            torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), True)
    return [result[0].numpy() for result in results]


@pytest.mark.parametrize('tensorrt, torch2trt', VERSIONS)
@pytest.mark.parametrize('variant', ['espnet', 'espnet-c'])
def test_labels_and_confidence_are_those_of_pytorch(tmp_path, monkeypatch, tensorrt, torch2trt, variant):
    trt = make_jetson(monkeypatch, tensorrt, torch2trt)
    card = CARD._replace(architecture=CONFIG._replace(variant=variant))
    built = engine(tmp_path, card)
    labels, confidence = built.run(IMAGE, confidence=True)
    wanted = expected(card)
    assert labels.dtype == confidence.dtype == np.uint8 and labels.shape == confidence.shape == (64, 96)
    assert (labels == wanted[0]).mean() > 0.999 and np.abs(confidence.astype(int) - wanted[1]).max() <= 1
    assert set(np.unique(labels)) <= set(CARD.outputs) and len(np.unique(labels)) > 1
    prelus = sum(isinstance(module, torch.nn.PReLU) for module in network(card.architecture).modules())
    assert trt.layers['parametric_relu'] == prelus and not trt.layers['topk'] and not trt.layers['softmax']


def test_without_confidence_and_with_floats(tmp_path, jetson):
    built = engine(tmp_path)
    labels, nothing = built.run(IMAGE)
    assert nothing is None and np.array_equal(labels, built.run(IMAGE, True)[0])
    assert np.array_equal(built.run(IMAGE.astype(np.float32))[0], labels)
    assert np.array_equal(built.run(IMAGE[:, ::-1].copy()[:, ::-1])[0], labels)


def test_results_belong_to_the_caller(tmp_path, jetson):
    built = engine(tmp_path)
    first = built.run(IMAGE, True)
    kept = [array.copy() for array in first]
    built.run(IMAGE[::-1].copy(), True)
    assert all(np.array_equal(a, b) for a, b in zip(first, kept))
    first[0][:], first[1][:] = 77, 77
    assert np.array_equal(built.run(IMAGE, True)[0], kept[0])


@pytest.mark.parametrize('image', [
    np.zeros((64, 96), np.uint8), np.zeros((96, 64, 3), np.uint8), np.zeros((64, 96, 3), np.float64),
    np.zeros((64, 96, 4), np.uint8)], ids=lambda image: '{} {}'.format(image.dtype, image.shape))
def test_an_image_that_would_be_read_as_another_is_refused(tmp_path, jetson, image):
    built = engine(tmp_path)
    with pytest.raises(EngineError, match=r'takes images of uint8 or float32 \[64, 96, 3\], not '):
        built.run(image)


def test_describe(tmp_path, jetson):
    built = engine(tmp_path)
    info = built.describe()
    assert info == EngineInfo('tensorrt', 'NVIDIA Tegra X2, TensorRT 8.2.1.8', 'fp16', info.build_seconds, 'built')
    assert info.build_seconds > 0 and (built.width, built.height, built.card) == (96, 64, CARD)


@pytest.mark.parametrize('tensorrt, torch2trt', VERSIONS)
def test_workspace_and_precision_reach_tensorrt(tmp_path, monkeypatch, tensorrt, torch2trt):
    trt = make_jetson(monkeypatch, tensorrt, torch2trt)
    engine(tmp_path, precision='fp16')
    assert trt.config.flags == {trt.BuilderFlag.FP16}
    if hasattr(trt.config, 'max_workspace_size'):
        assert trt.config.max_workspace_size == WORKSPACE == 1 << 28 and not trt.config.pools
    else:
        assert trt.config.pools == {trt.MemoryPoolType.WORKSPACE: WORKSPACE}
    engine(tmp_path, precision='fp32')
    assert not trt.config.flags


@pytest.mark.parametrize('capability, precision', [
    ((5, 3), 'fp16'), ((6, 1), 'fp32'), ((6, 2), 'fp16'), ((7, 2), 'fp16'), ((10, 0), 'fp16'), ((5, 2), 'fp32')])
def test_auto_precision_is_what_the_gpu_is_fast_in(tmp_path, monkeypatch, capability, precision):
    make_jetson(monkeypatch, capability=capability)
    assert engine(tmp_path).describe().precision == precision


@pytest.mark.parametrize('precision', ['bf16', 'fp8', '', None])
def test_other_precisions_are_refused(tmp_path, jetson, precision):
    with pytest.raises(EngineError, match='TensorRT runs networks in fp32, fp16, int8, not in '):
        engine(tmp_path, precision=precision)


@pytest.mark.parametrize('name, capability', [('NVIDIA Tegra X2', (6, 2)), ('NVIDIA Tegra X1', (5, 3))])
def test_int8_is_refused_where_it_brings_nothing(tmp_path, monkeypatch, calibration, name, capability):
    make_jetson(monkeypatch, name=name, capability=capability)
    with pytest.raises(EngineError, match=r'int8 brings nothing on {} \(sm_{}{}\): .*DP4A.*; use fp16'.format(
            name, *capability)):
        engine(tmp_path, precision='int8', calibration=str(calibration))


@pytest.mark.parametrize('tensorrt, torch2trt', VERSIONS)
def test_int8_sees_the_calibration_images(tmp_path, monkeypatch, calibration, tensorrt, torch2trt):
    trt = make_jetson(monkeypatch, tensorrt, torch2trt, **XAVIER)
    said = []
    built = engine(tmp_path, precision='int8', calibration=str(calibration), progress=said.append)
    assert built.describe().precision == 'int8' and trt.config.flags == {trt.BuilderFlag.FP16, trt.BuilderFlag.INT8}
    assert [batch.shape for batch in trt.calibrated] == [(1, 3, 64, 96)] * 3
    assert [sorted(set(batch.ravel())) for batch in trt.calibrated] == [[0, 100, 200], [10, 100, 200], [20, 100, 200]]
    assert trt.calibrated[1][0, :, 5, 5].tolist() == [10, 100, 200]
    assert said[0] == 'reading calibration images'


def test_other_calibration_images_make_another_engine(tmp_path, monkeypatch, calibration):
    make_jetson(monkeypatch, **XAVIER)
    with pytest.raises(EngineError, match='int8 needs calibration images: give a folder'):
        engine(tmp_path, precision='int8')
    settings = {'precision': 'int8', 'calibration': str(calibration)}
    assert engine(tmp_path, **settings).describe().cache == 'built'
    assert engine(tmp_path, **settings).describe().cache == 'loaded'
    cv2.imwrite(str(calibration / '1.png'), np.zeros((30, 40, 3), np.uint8))
    assert 'rebuilt: the cached engine was built otherwise: calibration was ' in engine(
        tmp_path, **settings).describe().cache


def test_progress_and_cache(tmp_path, jetson):
    said = []
    first = engine(tmp_path, progress=said.append)
    assert said == ['building the engine in fp16; this takes minutes', 'comparing the engine with PyTorch']
    assert sorted(os.listdir(str(tmp_path))) == [
        'small-96x64-fp16-nvidia-tegra-x2' + ending for ending in ('.engine', '.json', '.lock')]
    assert first.engine_path == str(tmp_path / 'small-96x64-fp16-nvidia-tegra-x2.engine')
    jetson.broken = True  # a load builds nothing
    second = engine(tmp_path, progress=said.append)
    assert second.describe().cache == 'loaded' and said[2:] == ['comparing the engine with PyTorch']
    assert np.array_equal(first.run(IMAGE)[0], second.run(IMAGE)[0])


def test_the_key_holds_all_that_decides(tmp_path, jetson):
    key = json.loads(pathlib.Path(engine(tmp_path).engine_path).with_suffix('.json').read_text())['key']
    assert len(key.pop('weights')) == 64 and key == {
        'architecture.variant': 'espnet', 'architecture.classes': 4, 'architecture.alpha2': 1,
        'architecture.alpha3': 1, 'architecture.width_divider': 2, 'architecture.activation': 'prelu',
        'architecture.residual': True, 'architecture.downsampling': 'esp', 'architecture.reduce_kernel': 1,
        'architecture.dilated': True, 'architecture.fuse_input': False, 'architecture.hff': True,
        'architecture.stride_divider': 0, 'architecture.input_fusion': False, 'architecture.block': 'esp',
        'architecture.family': 'espnet', 'mean': [72.0, 83.0, 73.5],
        'std': [45.0, 46.25, 44.5], 'divisor': 2.0, 'converters': 2, 'width': 96, 'height': 64, 'precision': 'fp16',
        'workspace': 1 << 28, 'calibration': 'none', 'TensorRT': '8.2.1.8',
        'CUDA': str(torch.version.cuda), 'cuDNN': str(torch.backends.cudnn.version()), 'GPU': 'NVIDIA Tegra X2',
        'compute capability': [6, 2], 'multiprocessors': 2, 'driver': 'L4T R32 7.1'}


@pytest.mark.parametrize('change, words', [
    (lambda patch: make_jetson(patch, '8.6.1', '0.5.0'), 'TensorRT was 8.2.1.8, is 8.6.1'),
    (lambda patch: make_jetson(patch, multiprocessors=4), 'multiprocessors was 2, is 4'),
    (lambda patch: patch.setattr(tensorrt_engine, 'driver_version', lambda: 'L4T R32 7.6'),
     'driver was L4T R32 7.1, is L4T R32 7.6'),
    (lambda patch: patch.setattr(torch.version, 'cuda', '10.2'), 'CUDA was '),
    (lambda patch: patch.setattr(converters, 'VERSION', 9), 'converters was 2, is 9')],
    ids=['TensorRT', 'GPU', 'driver', 'CUDA', 'converters'])
def test_a_changed_machine_rebuilds_and_says_so(tmp_path, monkeypatch, jetson, change, words):
    engine(tmp_path)
    change(monkeypatch)
    cache = engine(tmp_path).describe().cache
    assert cache.startswith('rebuilt: the cached engine was built otherwise: ') and words in cache
    assert engine(tmp_path).describe().cache == 'loaded'


def test_other_weights_rebuild(tmp_path, jetson):
    engine(tmp_path)
    net = network(seed=1)
    assert 'weights was ' in engine(tmp_path, net=net).describe().cache
    with torch.no_grad():
        net.encoder.norm2.act.weight[0] += 1e-6
    assert 'weights was ' in engine(tmp_path, net=net).describe().cache


def test_a_corrupt_engine_is_rebuilt(tmp_path, jetson):
    path = pathlib.Path(engine(tmp_path).engine_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert engine(tmp_path).describe().cache == 'rebuilt: the cached engine is damaged'
    assert engine(tmp_path).describe().cache == 'loaded'


def test_an_engine_that_tensorrt_cannot_load_is_rebuilt(tmp_path, monkeypatch, jetson):
    engine(tmp_path)
    load = TensorRT.load
    monkeypatch.setattr(TensorRT, 'load', lambda *args: monkeypatch.setattr(TensorRT, 'load', load) or load(
        args[0], b'from another world'))
    assert engine(tmp_path).describe().cache.startswith('rebuilt: TensorRT 8.2.1.8 cannot load the engine; ')


def failing(monkeypatch, change, times=1000):
    """Let the next engines that are loaded answer otherwise."""
    load = TensorRT.load
    left = [times]

    def changed(self, content):
        execute = load(self, content)
        left[0] -= 1
        return (lambda image: change(execute(image))) if left[0] >= 0 else execute
    monkeypatch.setattr(TensorRT, 'load', changed)


def test_an_engine_that_labels_otherwise_is_not_used_and_not_kept(tmp_path, monkeypatch, jetson):
    failing(monkeypatch, lambda outputs: (outputs[0].flip(1),))
    with pytest.raises(EngineError, match=r'TensorRT engine of small in fp16 is not used: it labels [0-9.]+% of the '
                                          'pixels of a street otherwise than the reference, more than the 1%'):
        engine(tmp_path)
    assert [name for name in os.listdir(str(tmp_path)) if not name.endswith('.lock')] == []


def test_a_result_that_became_a_constant_is_found(tmp_path, jetson):
    # Nobody sees this pooling, and concatenation takes whatever it is given.
    net = network()
    pool = torch.nn.MaxPool2d(3, 2, 1)
    net.encoder.reinforce.forward = lambda x: (pool(x), pool(pool(x)))
    with pytest.raises(EngineError, match='is not used: it labels'):
        engine(tmp_path, net=net)


def test_an_engine_whose_confidence_is_wrong_is_not_used(tmp_path, monkeypatch, jetson):
    failing(monkeypatch, lambda outputs: (outputs[0] * 0.01,))
    with pytest.raises(EngineError, match='is not used: its confidence differs from the reference'):
        engine(tmp_path)


def test_a_cached_engine_that_labels_otherwise_is_rebuilt(tmp_path, monkeypatch, jetson):
    engine(tmp_path)
    failing(monkeypatch, lambda outputs: (outputs[0].flip(1),), times=1)
    assert engine(tmp_path).describe().cache.startswith('rebuilt: it labels ')


@pytest.mark.parametrize('change, words', [
    (lambda outputs: (outputs[0].half(),), r'torch.float16 \[1, 4, 64, 96\]'),
    (lambda outputs: outputs * 2, r'torch.float32 \[1, 4, 64, 96\], torch.float32 \[1, 4, 64, 96\]'),
    (lambda outputs: (outputs[0][:, :3],), r'torch.float32 \[1, 3, 64, 96\]'),
    (lambda outputs: (outputs[0][..., :95],), r'torch.float32 \[1, 4, 64, 95\]')])
def test_outputs_of_another_kind_are_refused(tmp_path, monkeypatch, jetson, change, words):
    failing(monkeypatch, change)
    with pytest.raises(EngineError, match='the engine returns {} instead of {}'.format(
            words, r'torch.float32 \[1, 4, 64, 96\]')):
        engine(tmp_path)


def test_numbers_that_are_none_do_not_break_anything(tmp_path, monkeypatch, jetson):
    failing(monkeypatch, lambda outputs: (outputs[0] * float('nan'),))
    with pytest.raises(EngineError, match='is not used: '):
        engine(tmp_path)


@pytest.mark.parametrize('tensorrt, torch2trt', VERSIONS)
def test_a_build_that_fails_is_an_error(tmp_path, monkeypatch, tensorrt, torch2trt):
    make_jetson(monkeypatch, tensorrt, torch2trt).broken = True
    with pytest.raises(EngineError, match='TensorRT {} cannot build this engine'.format(tensorrt)):
        engine(tmp_path)


def test_when_torch2trt_stumbles(tmp_path, monkeypatch, jetson):
    def stumble(*args, **settings):
        raise KeyError('weight\nmore')
    monkeypatch.setattr(sys.modules['torch2trt'], 'torch2trt', stumble)
    with pytest.raises(EngineError, match='torch2trt cannot build an engine with TensorRT 8.2.1.8: KeyError: .weight'):
        engine(tmp_path)


def test_when_pytorch_fails_on_the_gpu(tmp_path, monkeypatch, jetson):
    monkeypatch.setattr(Deployed, 'forward', lambda *args: (_ for _ in ()).throw(RuntimeError('out of memory\n...')))
    with pytest.raises(EngineError, match='small cannot be prepared for TensorRT at 96x64 on NVIDIA Tegra X2: '
                                          'RuntimeError: out of memory$'):
        engine(tmp_path)


def test_an_unwritable_cache_is_an_error_before_anything_is_built(tmp_path, jetson):
    (tmp_path / 'file').write_text('')
    with pytest.raises(EngineError, match="engines cannot be kept in '.*/file/x': .*; give as engine_cache_dir"):
        engine(tmp_path / 'file' / 'x')
    assert jetson.config is None


def test_a_full_disk_after_the_build(tmp_path, monkeypatch, jetson):
    store = 'espnet_ros.engine.tensorrt.cache.EngineCache.store'
    monkeypatch.setattr(store, lambda *args: (_ for _ in ()).throw(EngineError('no space left')))
    built = engine(tmp_path)
    assert built.describe().cache == 'none: no space left' and (built.run(IMAGE)[0] == expected()[0]).mean() > 0.999
    with pytest.raises(EngineError, match='^no space left$'):
        build_engine_file(CARD, network(), 96, 64, cache_dir=str(tmp_path))


def test_build_engine_file_prepares_the_cache(tmp_path, jetson):
    path, info = build_engine_file(CARD, network(), 96, 64, cache_dir=str(tmp_path), precision='fp32')
    assert os.path.isfile(path) and info.cache == 'built' and info.precision == 'fp32'
    assert build_engine_file(CARD, network(), 96, 64, cache_dir=str(tmp_path), precision='fp32')[1].cache == 'loaded'
    assert engine(tmp_path, precision='fp32').describe().cache == 'loaded'


def test_the_callers_network_stays_as_it_is(tmp_path, jetson):
    net = network()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    engine(tmp_path, net=net)
    assert all(torch.equal(v, before[k]) and v.dtype == before[k].dtype for k, v in net.state_dict().items())
    assert not any(hasattr(parameter, '_trt') for parameter in net.parameters())
