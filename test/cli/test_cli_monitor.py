"""espnet-ros monitor beside real nodes."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from ros_process import environment, wait_until

pytest.importorskip('rclpy', reason='the monitor needs ROS 2')

COMMAND = [sys.executable, '-m', 'espnet_ros.cli', 'monitor']


@pytest.fixture
def nodes(ros_domain, start_node, tiny):  # noqa: F811
    """A segmentation node and the camera in front of it."""
    segmentation = start_node('espnet_ros.nodes.segmentation', '--ros-args', '-p', 'model:=' + tiny,
                              '-r', 'image:=image_raw')
    start_node('espnet_ros.nodes.camera', '--ros-args', '-p', 'source:=street', '-p', 'width:=96', '-p', 'height:=64',
               '-p', 'rate:=5.0')
    return segmentation


@pytest.fixture
def monitor(ros_domain):  # noqa: F811
    def run(*arguments):
        return subprocess.run([*COMMAND, *arguments], env=environment(ros_domain), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
    return run


def test_a_look_at_running_nodes(nodes, monitor):
    def settled():
        done = monitor('--once', '--timeout', '60')
        return done if 'engine ready' in done.stdout and re.search('in [45]', done.stdout) else None

    done = wait_until(settled, 120)
    assert re.match(r'espnet OK: in [45]\.\d\d Hz, out \S+ Hz, dropped \d+, latency p50 \S+ p95 \S+ ms, engine ready',
                    done.stdout)
    assert done.returncode == 0 and done.stderr == ''

    found = json.loads(monitor('--once', '--json').stdout)
    assert [(group['name'], group['level']) for group in found] == [('espnet', 0)]
    assert found[0]['parts']['Input']['values']['topic'] == '/image_raw'
    assert found[0]['parts']['Engine']['values']['model'] == 'tiny'

    assert 'no segmentation node is heard' in monitor('--once', '--timeout', '2', '--nodes', 'other').stderr


def test_without_nodes(monitor):
    done = monitor('--once', '--timeout', '1')
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith('espnet-ros: error: no segmentation node is heard on /diagnostics; start one with')
    assert monitor('--once', '--timeout', '0').returncode == 1


def test_lines_for_a_log_go_on_when_the_node_ends(nodes, ros_domain):  # noqa: F811
    process = subprocess.Popen(COMMAND, env=environment(ros_domain), stdout=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stdout.readline, '')
        assert any('engine ready' in line for line in lines)
        nodes.kill()
        assert any(re.search(r'ERROR espnet: silent for \d s; has it ended\?', line) for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_terminal_is_left_as_it_was(nodes, ros_domain):  # noqa: F811
    child, terminal = pty.openpty()
    size = dict(environment(ros_domain), TERM='xterm-256color', COLUMNS='90', LINES='40')
    process = subprocess.Popen(COMMAND, env=size, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b''
    try:
        deadline = time.monotonic() + 90
        while b'ready' not in seen and time.monotonic() < deadline:
            seen += _read(child)
        process.send_signal(signal.SIGINT)
        code = None
        while code is None and time.monotonic() < deadline + 30:
            seen += _read(child)
            code = process.poll()
        seen += _read(child)
    finally:
        process.kill()
        process.wait()
        os.close(child)
    assert code == 0
    assert b'espnet' in seen and b'Engine' in seen
    # The other screen is left again, and the cursor is back.
    assert seen.index(b'\x1b[?1049h') < seen.rindex(b'\x1b[?1049l')
    assert seen.rindex(b'\x1b[?25h') > seen.rindex(b'\x1b[?25l')
    assert b'Traceback' not in seen


def _read(child):
    if not select.select([child], [], [], 0.2)[0]:
        return b''
    try:
        return os.read(child, 65536)
    except OSError:  # the other end is closed
        return b''
