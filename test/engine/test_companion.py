"""Int8 companions: read only when they are what the card says, and taken by 'auto' only where they are faster."""
import hashlib
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from small_models import CARD, network

from espnet_ros import models
from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine import build_engine, companion
from espnet_ros.engine.companion import pack, read_companion, unpack
from espnet_ros.engine.openvino_engine import OpenVINOEngine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.engine.verification import example_images
from espnet_ros.errors import EngineError
from espnet_ros.models.card import Companion
from espnet_ros.scene import Street

openvino = pytest.importorskip('openvino')
pytest.importorskip('onnx')

IMAGE = Street(96, 64, 1).frame(3.0).image


def saved(net, folder):
    """The graph of a network, as `espnet-ros quantize` would write it, but in float."""
    content = onnx_model(CARD, net, 0, 0, confidence=True, dtype=torch.float32)
    path = folder / 'graph.xml'
    openvino.save_model(openvino.Core().read_model(content), str(path), compress_to_fp16=False)
    return pack(path.read_bytes(), path.with_suffix('.bin').read_bytes())


def with_companion(content, folder, **facts):
    """A card with that companion."""
    (folder / 'small.int8').write_bytes(content)
    return CARD._replace(int8=Companion('small.int8', hashlib.sha256(content).hexdigest(), facts, str(folder)))


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    return saved(network(), tmp_path_factory.mktemp('graph'))


@pytest.fixture
def card(content, tmp_path):
    return with_companion(content, tmp_path, **{'mIOU lost': 0.5})


def test_a_companion_is_the_same_for_the_same_graph():
    assert pack(b'graph', b'weights') == pack(b'graph', b'weights') != pack(b'graph', b'other')
    assert unpack(pack(b'graph', b'weights')) == (b'graph', b'weights')


def bomb():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('model.xml', b'')
        archive.writestr('model.bin', bytes((1 << 20) + 1))
    return stream.getvalue()


@pytest.mark.parametrize('data, words', [
    (b'', 'cannot be unpacked'), (pack(b'graph', b'weights')[:-30], 'cannot be unpacked'),
    (pack(b'a' * 99, b'b').replace(b'model.bin', b'model.bim'), 'cannot be unpacked: .*model.bin'),
    (bomb(), 'unpacks to more than 1 MB')], ids=['empty', 'cut', 'other names', 'bomb'])
def test_what_is_no_companion_is_refused(monkeypatch, data, words):
    monkeypatch.setattr(companion, 'MAX_BYTES', 1 << 20)
    with pytest.raises(EngineError, match=words):
        unpack(data)


def test_another_file_is_refused(card, tmp_path):
    (tmp_path / 'small.int8').write_bytes(b'other')
    with pytest.raises(EngineError, match="the int8 companion '.*small.int8' is damaged or another model's"):
        read_companion(card)
    (tmp_path / 'small.int8').unlink()
    with pytest.raises(EngineError, match="the int8 companion '.*' of small cannot be read: No such file"):
        read_companion(card)
    with pytest.raises(EngineError, match='the OpenVINO engine of small in int8 is not used: .* cannot be read'):
        OpenVINOEngine(card, network(), 96, 64, precision='int8')


def test_a_model_without_companion_says_how_to_make_one():
    with pytest.raises(EngineError, match='small has no int8 companion; make one on a PC: espnet-ros quantize --model '
                                          'small --data ...'):
        build_engine(CARD, network(), 96, 64, 'openvino', 'cpu', 'int8', strict=True)


@pytest.mark.parametrize('width, height', [(96, 64), (136, 72)])
def test_the_companion_runs_at_any_size(card, width, height):
    engine = build_engine(card, network(), width, height, precision='int8', strict=True)
    assert engine.describe()[:3:2] == ('openvino', 'int8')
    image = Street(width, height, 2).frame(1.0).image
    wanted = PyTorchEngine(CARD, network(), width, height, 'cpu', 'fp32').run(image, True)
    labels, confidence = engine.run(image, True)
    assert labels.shape == (height, width) and (labels == wanted[0]).mean() > 0.999
    assert np.abs(confidence.astype(int) - wanted[1]).max() <= 1


def test_a_companion_of_other_weights_is_found_out(tmp_path):
    card = with_companion(saved(network(seed=1), tmp_path), tmp_path, **{'mIOU lost': 0.0})
    with pytest.raises(EngineError, match='in int8 is not used: it labels .*% of the pixels of a street otherwise'):
        OpenVINOEngine(card, network(), 96, 64, precision='int8')
    engine = OpenVINOEngine(card, network(), 96, 64, cache_dir=str(tmp_path / 'cache'))
    assert engine.precision != 'int8' and engine.choice.startswith('no int8: the OpenVINO engine of small in int8 is')


@pytest.fixture
def speeds(monkeypatch):
    """Seconds that an image takes in each precision, or those and CPU seconds; `measured` lists what was measured."""
    class Speeds(dict):
        measured = []
    found = Speeds()
    found.measured = []

    def measure(self):
        found.measured.append(self.precision)
        seconds = found[self.precision]
        return seconds if isinstance(seconds, tuple) else (seconds, seconds)
    monkeypatch.setattr(OpenVINOEngine, '_measure', measure)
    monkeypatch.setattr('espnet_ros.engine.openvino_engine._precisions', lambda wanted, _: (
        ['fp32'] if wanted == 'auto' else [wanted]))
    return found


@pytest.mark.parametrize('int8, taken, choice', [
    (0.5, 'int8', 'int8 500.0 ms, fp32 1000.0 ms'), (2.0, 'fp32', 'fp32 1000.0 ms, int8 2000.0 ms'),
    (1.0, 'fp32', 'fp32 1000.0 ms, int8 1000.0 ms')])
def test_auto_takes_the_faster_one_and_remembers_it(card, speeds, tmp_path, int8, taken, choice):
    speeds.update(fp32=1.0, int8=int8)
    cache = str(tmp_path / 'cache')
    for attempt in range(2):
        engine = OpenVINOEngine(card, network(), 96, 64, cache_dir=cache)
        assert engine.describe().precision == engine.precision == taken
        assert engine.describe().choice == choice + ', measured before' * attempt
        assert speeds.measured == ['fp32', 'int8']
        wanted = PyTorchEngine(CARD, network(), 96, 64, 'cpu', 'fp32').run(IMAGE)[0]
        assert (engine.run(IMAGE)[0] == wanted).mean() > 0.999 and engine.run(IMAGE, True)[1] is not None
    OpenVINOEngine(card, network(), 136, 72, cache_dir=cache)
    assert speeds.measured == ['fp32', 'int8'] * 2  # another size is another question
    for _ in range(2):  # and so is a node of several cameras, which forgets nothing of one with a single camera
        OpenVINOEngine(card, network(), 96, 64, cache_dir=cache, concurrency=2)
        OpenVINOEngine(card, network(), 96, 64, cache_dir=cache)
    assert speeds.measured == ['fp32', 'int8'] * 3


@pytest.mark.parametrize('int8', [(1.5, 0.6), (0.5, 1.5)])
def test_what_the_clocks_do_not_agree_on_is_int8_and_not_remembered(card, speeds, tmp_path, int8):
    speeds.update(fp32=1.0, int8=int8)
    for _ in range(2):
        engine = OpenVINOEngine(card, network(), 96, 64, cache_dir=str(tmp_path / 'cache'))
        assert engine.precision == 'int8' and engine.describe().choice.endswith('while others used the CPU')
    assert speeds.measured == ['fp32', 'int8'] * 2


@pytest.mark.parametrize('facts', [{'mIOU lost': 0.6}, {}, {'mIOU lost': 'little'}, {'mIOU lost': float('nan')}])
def test_auto_leaves_alone_what_the_card_does_not_vouch_for(content, speeds, tmp_path, facts):
    card = with_companion(content, tmp_path, **facts)
    assert OpenVINOEngine(card, network(), 96, 64).precision == 'fp32' and speeds.measured == []
    assert OpenVINOEngine(card, network(), 96, 64, precision='int8').precision == 'int8'


def test_without_a_folder_to_remember_it_is_measured_each_time(card, speeds):
    speeds.update(fp32=1.0, int8=0.5)
    for _ in range(2):
        assert OpenVINOEngine(card, network(), 96, 64, cache_dir='/dev/null/x').precision == 'int8'
    assert speeds.measured == ['fp32', 'int8'] * 2


def test_what_was_remembered_may_no_longer_work(card, speeds, tmp_path):
    speeds.update(fp32=1.0, int8=0.5)
    cache = str(tmp_path / 'cache')
    assert OpenVINOEngine(card, network(), 96, 64, cache_dir=cache).precision == 'int8'
    (tmp_path / 'small.int8').write_bytes(b'damaged')
    engine = OpenVINOEngine(card, network(), 96, 64, cache_dir=cache)
    assert engine.precision == 'fp32' and 'is damaged' in engine.choice
    assert engine.run(IMAGE, True)[1] is not None


def test_speed_is_measured_in_seconds(card):
    engine = OpenVINOEngine(card, network(), 96, 64, precision='int8')
    assert all(0 < seconds < 10 for seconds in engine._measure())


def shipped_labels(precision):
    """What the default model labels of the packaged pictures: uint8 [N, 360, 480]."""
    model = models.find(models.DEFAULT)
    engine = build_engine(model.card, models.load(model), 480, 360, precision=precision, strict=True)
    return np.array([engine.run(image)[0] for image in example_images(480, 360)])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shipped_companion_is_right_on_cpus_without_vnni_too(tmp_path):
    """Without VNNI, sums of products of 8 bits overflow unless the companion was made to avoid it."""
    program = 'import numpy, sys, test_companion; numpy.save(sys.argv[1], test_companion.shipped_labels("int8"))'
    subprocess.run([sys.executable, '-c', program, str(tmp_path / 'avx2.npy')], check=True, env=dict(
        os.environ, ONEDNN_MAX_CPU_ISA='AVX2', PYTHONPATH=os.pathsep.join(sys.path)))
    fp32, int8, avx2 = shipped_labels('fp32'), shipped_labels('int8'), np.load(str(tmp_path / 'avx2.npy'))
    assert (int8 == fp32).mean() > 0.98
    assert (avx2 == fp32).mean() > 0.98
    assert (avx2 == int8).mean() > 0.99
