"""The start of the program: signals while PyTorch is imported, no PyTorch at all, a precision that the CPU lacks."""
import pathlib
import signal

import pytest
from ros_process import wait_until

from espnet_ros.diagnostics import keys

MODULE = 'espnet_ros.nodes.segmentation.__main__'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_pytorch_is_imported_ends_it_cleanly(start_node, number):
    node = start_node(MODULE)
    maps = pathlib.Path('/proc/{}/maps'.format(node.pid))
    wait_until(lambda: 'libtorch' in maps.read_text())
    node.stop(number, seconds=30.0)


def test_without_pytorch_it_ends_with_one_sentence(start_node, tmp_path, monkeypatch):
    (tmp_path / 'no_torch.py').write_text(
        'import sys\nsys.modules["torch"] = None\nfrom {} import main\n'.format(MODULE))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    output = start_node('no_torch').wait_for_end(1)
    lines = [line for line in output.splitlines() if line.startswith('[FATAL]')]
    assert len(lines) == 1 and 'PyTorch is not installed for ' in lines[0]
    assert 'NVIDIA\'s page "Installing PyTorch for Jetson Platform"' in lines[0] and 'Traceback' not in output


@pytest.mark.parametrize('backend', ['auto', 'openvino'])
def test_a_precision_that_the_cpu_lacks_gives_way_to_the_best_engine(
        backend, start_rig, small_model, tmp_path, monkeypatch):
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    (tmp_path / 'no_bf16.py').write_text(  # whatever this CPU has
        'from espnet_ros.engine import openvino_engine, pytorch_engine\n'
        'openvino_engine._PRECISIONS["bf16"] = "bf16", "of no CPU"\n'
        'pytorch_engine._computes_in_bf16 = lambda: False\n'
        'from {} import main\n'.format(MODULE))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    rig = start_rig('model:={}'.format(small_model), 'device:=cpu', 'precision:=bf16', 'backend:=' + backend,
                    program='no_bf16')
    found = wait_until(lambda: rig.status('Engine') and rig.values('Engine').get(keys.BACKEND) and rig.values('Engine'))
    assert found[keys.BACKEND] == 'openvino' and found[keys.PRECISION] in ('fp32', 'fp16')
    assert 'this CPU does not compute in bf16' in rig.log and 'using openvino instead' in rig.log
