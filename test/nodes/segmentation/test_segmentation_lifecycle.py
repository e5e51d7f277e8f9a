"""The node's life: transitions over and over, models that are none, slow builds, absent engines, signals."""
import pickle
import re
import shutil
import signal
import time

import psutil
import pytest
from ros_process import wait_until
from segmentation_rig import FP32, picture, pixels_of

from espnet_ros.nodes.common.messages import array_to_image


@pytest.fixture
def image():
    from std_msgs.msg import Header
    return array_to_image(picture(), 'bgr8', Header())


def answer(rig, image):
    from sensor_msgs.msg import Image
    return pixels_of(rig.ask(image, rig.collect(Image, 'labels')))


def test_transitions_over_and_over_leave_nothing_behind(start_rig, small_model, image):
    rig = start_rig('model:={}'.format(small_model), *FP32, 'autostart:=false', wait=None)
    assert rig.state() == 'unconfigured'
    assert not rig.change_state('activate') and rig.state() == 'unconfigured'
    process = psutil.Process(rig.process.pid)
    threads = []
    for _ in range(4):
        assert rig.change_state('configure') and rig.state() == 'inactive'
        assert rig.change_state('activate') and rig.state() == 'active'
        first = answer(rig, image)
        threads.append(process.num_threads())
        assert rig.change_state('deactivate') and rig.state() == 'inactive'
        count = rig.counts()['received']
        rig.show(image)
        time.sleep(0.3)
        assert rig.counts()['received'] == count  # an inactive node does not listen
        assert rig.change_state('activate')
        assert (answer(rig, image) == first).all()
        assert rig.change_state('deactivate') and rig.change_state('cleanup') and rig.state() == 'unconfigured'
    assert threads[-1] == threads[1], threads
    rig.process.stop()


def test_it_can_be_shut_down_while_active(start_rig, small_model, image):
    rig = start_rig('model:={}'.format(small_model), *FP32)
    answer(rig, image)
    assert rig.change_state('shutdown') and rig.state() == 'finalized'
    rig.process.stop(signal.SIGTERM)


class Hostile:
    """Unpickling it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os
        return os.system, ('touch {}'.format(self.path),)


def break_model(kind, folder):
    """Spoil the model in `folder`; return the parameter to set and part of the sentence to expect."""
    import hashlib
    card, weights = folder / 'small.yaml', folder / 'small.pth'
    if kind == 'unknown name':
        return 'no-such-model', "no model is called 'no-such-model'"
    if kind == 'missing file':
        weights.unlink()
        return card, 'small.pth'
    content = weights.read_bytes()
    old = hashlib.sha256(content).hexdigest()
    content = {'truncated': content[:len(content) // 2], 'empty': b'',
               'hostile': pickle.dumps(Hostile(folder / 'harm')),
               'changed': content[:-1] + bytes([content[-1] ^ 1])}[kind]
    weights.write_bytes(content)
    if kind == 'changed':
        return card, 'SHA-256'
    card.write_text(card.read_text().replace(old, hashlib.sha256(content).hexdigest()))
    return card, 'small.pth'


@pytest.mark.parametrize('kind', ['unknown name', 'missing file', 'truncated', 'empty', 'hostile', 'changed'])
def test_a_model_that_is_none_is_refused_until_mended(restart, small_model, tmp_path, image, kind):
    for name in ('small.yaml', 'small.pth'):
        shutil.copy(small_model.with_name(name), tmp_path)
    model, sentence = break_model(kind, tmp_path)
    rig = restart()
    assert rig.change_state('deactivate') and rig.change_state('cleanup')
    assert rig.set(model=str(model)) == {}
    assert not rig.change_state('configure') and rig.state() == 'unconfigured'
    (line,) = wait_until(lambda: [line for line in rig.log.splitlines() if 'cannot configure' in line])
    assert sentence in line and 'Traceback' not in rig.log
    assert sentence in rig.wait_for_status('Engine', 'not configured: ', level=2).message
    assert not (tmp_path / 'harm').exists()
    assert rig.set(model=str(small_model)) == {}
    assert rig.change_state('configure') and rig.change_state('activate')
    answer(rig, image)


@pytest.mark.parametrize('parameter, reason', [
    ('backend:=tensorrt', 'TensorRT needs an NVIDIA GPU'), ('precision:=int8', 'not in int8'),
    ('device:=cuda:7', 'cuda:7')])
def test_an_engine_that_cannot_be_had_falls_back_and_says_so(restart, image, parameter, reason):
    name, _, value = parameter.partition(':=')
    rig = restart(**{'backend': 'auto', 'precision': 'auto', 'device': 'auto', name: value})
    assert reason in rig.wait_for_status('Engine', 'ready: ', level=1).message
    assert rig.values('Engine')['backend'] in ('torch', 'openvino') and reason in rig.values('Engine')['fallback']
    assert sum(reason in line for line in rig.log.splitlines() if 'instead' in line) == 1
    answer(rig, image)


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A path; the program `slow_build` is the node, whose build ends when something stands there."""
    (tmp_path / 'slow_build.py').write_text(
        'import os, time\nimport espnet_ros.nodes.segmentation.node as node\nquick = node.build_engine\n'
        'def build(*settings, **more):\n    settings[-1]("tracing")\n'
        '    while not os.path.exists({!r}):\n        time.sleep(0.05)\n'
        '    return quick(*settings, **more)\nnode.build_engine = build\n'
        'from quick_segmentation import main\n'.format(str(tmp_path / 'gate')))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    return tmp_path / 'gate'


def test_a_long_build_blocks_nothing(start_rig, small_model, gate, image):
    rig = start_rig('model:={}'.format(small_model), *FP32, program='slow_build', wait=None)
    first = seconds_of_build(rig)
    wait_until(lambda: seconds_of_build(rig) > first)
    assert rig.values('Engine')['step'] == 'tracing' and 'tracing' in rig.process.output
    assert rig.set(overlay_alpha=0.25) == {}
    assert rig.state() == 'active'
    wait_until(lambda: rig.show(image) and rig.counts()['received'] >= 3)
    gate.touch()
    rig.wait_for_status('Engine', 'ready', level=0)
    counts = rig.settled_counts()
    assert counts['dropped'] == counts['received'] - 1  # the newest has waited
    answer(rig, image)
    rig.process.stop()


def seconds_of_build(rig):
    """The seconds that a fresh Engine status has been building for."""
    rig.wait_for_status('Engine', 'building engine', level=0)
    rig.fresh('Engine')
    return int(re.match(r'building engine, (\d+) s', rig.status('Engine').message).group(1))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_it_builds(start_rig, small_model, gate, number):
    rig = start_rig('model:={}'.format(small_model), *FP32, program='slow_build', wait=None)
    rig.wait_for_status('Engine', 'building engine')
    rig.process.stop(number)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_among_images(start_rig, small_model, image, number):
    rig = start_rig('model:={}'.format(small_model), *FP32)
    answer(rig, image)
    for _ in range(20):
        rig.show(image)
        time.sleep(0.005)
    rig.process.stop(number)


def test_max_rate_is_kept(restart, image):
    from sensor_msgs.msg import Image
    rig = restart(max_rate=5.0)
    labels = rig.collect(Image, 'labels')
    rig.ask(image, labels)
    count, began = len(labels), time.monotonic()
    while len(labels) - count < 15 and time.monotonic() < began + 120.0:
        rig.show(image)
        time.sleep(0.02)
    wait_until(lambda: rig.settled_counts())
    assert 15 <= len(labels) - count <= 5 * (time.monotonic() - began) + 1
