"""The program before its node exists: signals while PyTorch is imported, and no PyTorch at all."""
import pathlib
import signal

import pytest
from ros_process import wait_until

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
