"""Nodes as child processes: they end with the command, however it ends."""
import os
import signal
import subprocess
import sys

import pytest
from ros_process import wait_until

PROGRAM = """
import pathlib, signal, sys, time
from espnet_ros.cli.nodes import Nodes
if sys.argv[2] == 'nohup':
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
with Nodes(pathlib.Path(sys.argv[1])) as nodes:
    nodes._run('child', [sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'],
               True)
    while not nodes.lines('child'):
        time.sleep(0.01)
    print(*nodes.lines('child'), flush=True)
    time.sleep(600)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def command(tmp_path):
    """Function command(word): a process that runs a child node, and the child's process id; both end with the test."""
    started, children = [], []

    def start(word=''):
        process = subprocess.Popen([sys.executable, '-c', PROGRAM, str(tmp_path), word], stdout=subprocess.PIPE,
                                   text=True)
        started.append(process)
        children.append(int(process.stdout.readline()))
        return process, children[-1]
    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    for child in filter(is_running, children):
        os.kill(child, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_nodes_end_with_the_command(command, number):
    process, child = command()
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    wait_until(lambda: not is_running(child))


@pytest.mark.slow
def test_nohup_keeps_them(command):
    process, child = command('nohup')
    process.send_signal(signal.SIGHUP)
    assert process.poll() is None and is_running(child)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM  # not of SIGHUP, which came first
    wait_until(lambda: not is_running(child))
