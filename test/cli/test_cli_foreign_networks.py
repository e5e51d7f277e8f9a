"""Networks of other libraries from their ONNX files to an evaluation of a bag, by commands."""
import json
import shutil

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
from foreign_networks import HEIGHT, NETWORKS, WIDTH, foreign_network, onnx_bytes  # noqa: E402
from onnx_files import save_in_two  # noqa: E402

from espnet_ros.cli import main  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.mark.parametrize('name', NETWORKS)
def test_a_foreign_network_is_added_and_evaluated_on_a_bag(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'added'))
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    network = foreign_network(name)
    exported = tmp_path / 'exported'
    exported.mkdir()
    save_in_two(exported / (name + '.onnx'), onnx_bytes(network, 17, dynamic=True))
    size = '{}x{}'.format(WIDTH, HEIGHT)
    assert main(['models', 'add', str(exported / (name + '.onnx')), '--labels', 'cityscapes', '--size', size]) == 0
    shutil.rmtree(exported)  # the copy has everything
    assert '{}: {}, RGB NCHW, 19 logits at 1/{}'.format(name, size, 4 if name == 'segformer' else 1) in (
        capsys.readouterr().out)
    bag = str(tmp_path / 'bag')
    assert main(['bag', 'create', '--out', bag, 'drive:3:{}:1'.format(size)]) == 0
    assert main(['evaluate', bag, '--model', name, '--out', str(tmp_path / 'evaluation')]) == 0
    metrics = json.loads((tmp_path / 'evaluation' / 'metrics.json').read_text())
    assert metrics['scoredFrames'] == 3 and np.array(metrics['confMatrix']).sum() == 3 * WIDTH * HEIGHT
