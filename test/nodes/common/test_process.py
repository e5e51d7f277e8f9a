"""Programs that run one node end cleanly, whatever ends them."""
import signal
import subprocess
import sys
import time

import pytest
from ros_process import environment

PROGRAM = """
import sys, time, threading
import rclpy
from rclpy.node import Node
from espnet_ros.errors import SourceError
from espnet_ros.nodes.common.process import run
from std_msgs.msg import String

class Toy(Node):
    def __init__(self, stop):
        super().__init__('toy')
        self.stop = stop
        self.publisher = self.create_publisher(String, 'toy', 1)
        self.create_timer(0.05, self.work)
        self.count = 0
        {start}
        print('ready', flush=True)
    def work(self):
        self.publisher.publish(String(data='x'))
        self.count += 1
        {work}
    def destroy_node(self):
        {destroy}
        super().destroy_node()
        print('destroyed', flush=True)

sys.exit(run(Toy, threads={threads}))
"""


@pytest.fixture
def toy(ros_domain):
    """Function toy(start=, work=, destroy=, threads=, arguments=) -> running process of the program above."""
    processes = []

    def start(arguments=(), start='pass', work='pass', destroy='pass', threads=1):
        program = PROGRAM.format(start=start, work=work, destroy=destroy, threads=threads)
        processes.append(subprocess.Popen(
            [sys.executable, '-c', program, *arguments], env=environment(ros_domain), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, universal_newlines=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def end_of(process, seconds=50.0):
    """Return (exit code, output, the log's own lines) of a process that ends within `seconds`."""
    output, errors = process.communicate(timeout=seconds)
    lines = [line for line in errors.splitlines() if '[rcl]' not in line]
    return process.returncode, output, lines


@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_spinning_node_cleanly(toy, number, threads):
    process = toy(threads=threads)
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.3)
    process.send_signal(number)
    assert end_of(process) == (0, 'destroyed\n', [])


def test_signals_in_quick_succession_are_one_end(toy):
    process = toy()
    assert process.stdout.readline() == 'ready\n'
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    assert end_of(process) == (0, 'destroyed\n', [])


@pytest.mark.parametrize('hang', [
    {'work': 'print("hangs", flush=True); time.sleep(60)'},
    {'start': 'print("hangs", flush=True); time.sleep(60)'},
    {'work': 'self.stop(); print("hangs", flush=True)', 'destroy': 'time.sleep(60)'},
    {'start': 'threading.Thread(target=time.sleep, args=[60]).start()', 'work': 'print("hangs", flush=True)'},
    {'start': 'threading.Thread(target=time.sleep, args=[60], daemon=True).start()',
     'work': 'print("hangs", flush=True)'},
    # Python's signal handlers do not run while the main thread is in C code.
    {'start': 'print("hangs", flush=True); __import__("hashlib").pbkdf2_hmac("md5", b"", b"", 2**31 - 1)'},
], ids=['callback', 'constructor', 'destroy', 'thread', 'daemon thread', 'C code'])
def test_signal_ends_a_program_that_hangs(toy, hang):
    process = toy(**hang)
    while process.stdout.readline() != 'hangs\n':
        pass
    process.send_signal(signal.SIGINT)
    code, _, lines = end_of(process)  # before what hangs ends by itself
    assert (code, lines) == (0, [])


@pytest.mark.parametrize('threads', [1, 3])
def test_node_that_has_finished_ends_the_program(toy, threads):
    code, output, lines = end_of(toy(work='if self.count == 3: self.stop()', threads=threads))
    assert (code, output, lines) == (0, 'ready\ndestroyed\n', []), lines


@pytest.mark.parametrize('where', [
    {'start': 'raise SourceError("there is no camera 7")'},
    {'work': 'raise SourceError("there is no camera 7")'},
    {'work': 'raise SourceError("there is no camera 7")', 'threads': 3},
    {'work': 'self.stop(SourceError("there is no camera 7"))'},
    {'start': 'threading.Thread(target=stop, args=[SourceError("there is no camera 7")]).start()'},
], ids=['constructor', 'callback', 'callback in a pool', 'stop', 'stop in a thread'])
def test_user_error_is_one_sentence_and_exit_code_1(toy, where):
    code, _, lines = end_of(toy(**where))
    assert code == 1
    assert len(lines) == 1 and lines[0].startswith('[FATAL]') and lines[0].endswith(': there is no camera 7'), lines


@pytest.mark.parametrize('where', ['start', 'work'])
def test_bug_shows_its_traceback_and_exit_code_1(toy, where):
    code, _, lines = end_of(toy(**{where: '1 // 0'}))
    assert code == 1
    assert lines[0].startswith('Traceback') and lines[-1].startswith('ZeroDivisionError')


@pytest.mark.parametrize('arguments, sentence', [
    (['street'], 'the command line has street, which no node reads; parameters are given as --ros-args -p NAME:=VALUE'),
    (['--ros-args', '-p', 'rate'], 'cannot use the command line --ros-args -p rate: '),
    (['--ros-args', '--params-file', 'no such file'], 'cannot use the command line --ros-args --params-file'),
    (['--ros-args', '--rate', '3'], 'cannot use the command line --ros-args --rate 3: '),
])
def test_wrong_command_line_is_one_sentence(toy, arguments, sentence):
    code, output, lines = end_of(toy(arguments))
    assert (code, output) == (1, '')
    assert len(lines) == 1 and sentence in lines[0], lines


def test_shutdown_from_inside_ends_the_program(toy):
    code, output, lines = end_of(toy(work='if self.count == 3: self.context.shutdown()'))
    assert (code, output, lines) == (0, 'ready\ndestroyed\n', []), lines
