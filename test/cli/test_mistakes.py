"""What newcomers get wrong: one sentence that says what to do, without a traceback."""
import pathlib
import socket
import subprocess
import sys
import types

import pytest
import torch

from espnet_ros.cli import main
from espnet_ros.cli.monitor import _waiting
from espnet_ros.diagnostics.status import InputState, input_status
from espnet_ros.engine import openvino_engine, pytorch_engine


@pytest.fixture
def taken():
    """A port of this machine that something listens on."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def here(tmp_path, monkeypatch, taken, tiny):
    """Names of what commands below are given; in the working directory lie street.png, an empty folder and weights."""
    import cv2
    import numpy as np
    cv2.imwrite('street.png', np.zeros((64, 96, 3), np.uint8))
    (tmp_path / 'work' / 'empty').mkdir()
    torch.save({'a.weight': torch.zeros(3, 3)}, 'own.pth')
    pathlib.Path('own.onnx').write_bytes(b'network')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pytorch_engine, '_computes_in_bf16', lambda: False)
    monkeypatch.setitem(openvino_engine._PRECISIONS, 'bf16', ('bf16', 'of no CPU'))
    return {'PORT': str(taken), 'TINY': tiny, 'LONG': 300 * 'a'}


@pytest.mark.parametrize('line, sentence', [
    ('predcit street.png', "there is no command 'predcit'; did you mean predict?"),
    ('predict street.png --modle TINY', 'unrecognized arguments: --modle'),
    ('predict street.png --model camvid-espnet-q9', '(did you mean camvid-espnet-q8'),
    ('predict stret.png', "there is no file 'stret.png'; did you mean street.png?"),
    ('predict nowhere', 'give a picture, a video, a folder or a pattern such as *.png'),
    ('predict no/street.png', "there is no folder 'no' either, from '"),
    ('predict empty', "the folder 'empty' holds no images (.png, "),
    ('predict street.png --model own.onnx', "no known model; add it, and give its name from then on: espnet-ros models "
                                            "add 'own.onnx'"),
    ('predict street.png --model own.pth', "put their model card beside them as 'own.yaml'"),
    ('predict street.png --size 500x300', 'input_width is 500; it must be a multiple of 8 from 64 to 4096'),
    ('predict street.png --confidence-threshold 90', '90 is not from 0 to 1; write 0.9 or 90%'),
    ('predict street.png --show', 'over SSH use ssh -X, or look at the files in --out'),
    ('predict street.png --model TINY --device cpu --precision bf16',
     'PyTorch computes in bf16 on this CPU only slower than in fp32; choose precision auto'),
    ('bag info LONG', 'File name too long'),
    ('ground --streets 0', '0 is not 1 or more'), ('ground --streets 1 --seed -1', '-1 is not 0 or more'),
    ('ground --pitch', 'expected at least one argument'),
    ('evaluate street', "the dataset 'street' does not have the form street:COUNT"),
    ('evaluate street.png', "'street.png' is not a bag; give a folder or a file that ends in .mcap")])
def test_a_mistake_ends_in_a_sentence_that_mends_it(here, line, sentence, capsys):
    try:
        code = main([here.get(word, word) for word in line.split()])
    except SystemExit as left:
        code = left.code
    out, error = capsys.readouterr()
    assert code in (1, 2) and out == '' and 'Traceback' not in error
    assert error.splitlines()[-1].startswith('espnet-ros') and sentence in error.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize('command', ['predict street.png', 'evaluate street:1', 'profile', 'benchmark'])
def test_tools_refuse_a_precision_that_the_cpu_lacks(here, command, capsys):
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    if command == 'benchmark' and 'BF16' in openvino_engine._openvino().Core().get_property(
            'CPU', 'OPTIMIZATION_CAPABILITIES'):
        pytest.skip('this CPU computes in bf16, and the benchmark measures in other processes')
    assert main([*command.split(), '--model', here['TINY'], '--backend', 'openvino', '--device', 'cpu', '--precision',
                 'bf16']) == 1
    assert 'this CPU does not compute in bf16; with OpenVINO it does in ' in ' '.join(
        ''.join(capsys.readouterr()).split())


@pytest.mark.parametrize('flag, value', [('--port', 'PORT'), ('--host', '192.0.2.1')])  # an address of nobody
def test_a_place_that_cannot_be_had(here, flag, value, capsys):
    pytest.importorskip('rclpy', reason='the live page needs ROS 2')
    assert main(['view', flag, here.get(value, value)]) == 1
    assert capsys.readouterr().err.rstrip().endswith('choose another with ' + flag)


@pytest.mark.parametrize('command', ['view', 'monitor', 'demo'])
def test_ros_is_not_there(command):
    program = ('import sys; sys.modules.update(dict.fromkeys(["rclpy", "rclpy.executors"])); '
               'from espnet_ros.cli import main; sys.exit(main(sys.argv[1:]))')
    done = subprocess.run([sys.executable, '-c', program, command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert 'source its setup.bash, or install the wheels in requirements/run.txt' in done.stderr


def test_labels_of_other_classes_are_told(tiny, capsys):
    assert main(['evaluate', 'street:1', '--model', tiny, '--backend', 'torch']) == 0
    assert 'categories are compared; to compare classes, choose a --model with those of' in capsys.readouterr().err


def test_a_topic_with_a_typo():
    state = InputState(True, '/camera/image_rwa', 0, 0.0, 0, 0, 0, 0, 9.0, similar=['/camera/image_raw'])
    assert input_status('x: Input', state).message.endswith(
        'nothing publishes it; start the camera or remap `image`, perhaps to /camera/image_raw')


@pytest.mark.parametrize('similar, others, sentence', [
    (['/diagnostics'], [], 'nothing publishes /diagnosticz; did you mean /diagnostics?'),
    ([], ['/front/espnet'], 'name one of these with --node: /front/espnet'),
    ([], [], 'make sure that ROS_DOMAIN_ID is the same')])
def test_a_monitor_that_hears_nothing(similar, others, sentence):
    found = _waiting(types.SimpleNamespace(others=others), types.SimpleNamespace(similar=lambda: similar),
                     types.SimpleNamespace(topic='/diagnosticz', nodes=['rear']))
    assert found.endswith(sentence)
