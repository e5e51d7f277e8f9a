"""espnet-ros monitor beside real nodes."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from ros_process import NodeProcess, environment, wait_until
from segmentation_rig import FP32, small_model  # noqa: F401

pytest.importorskip('rclpy', reason='the monitor needs ROS 2')

COMMAND = [sys.executable, '-m', 'espnet_ros.cli', 'monitor']
NUMBER = r'\d+\.\d+'


@pytest.fixture(scope='module')
def start_process(ros_domain):
    """Function start_process(module, *parameters, remap=) -> NodeProcess; all end with the module."""
    processes = []

    def start(module, *parameters, remap=()):
        words = [word for flag, settings in (('-p', parameters), ('-r', remap)) for text in settings
                 for word in (flag, text)]
        processes.append(NodeProcess('espnet_ros.nodes.{}.__main__'.format(module), ['--ros-args', *words], ros_domain))
        return processes[-1]
    yield start
    for process in processes:
        process.end()


@pytest.fixture(scope='module')
def nodes(start_process, small_model):  # noqa: F811
    """The node /pair/espnet and the camera in front of it; nobody subscribes to the results."""
    segmentation = start_process('segmentation', 'model:={}'.format(small_model), *FP32, remap=['__ns:=/pair'])
    start_process('camera', 'source:=street', 'width:=96', 'height:=64', 'rate:=5.0',
                  remap=['__ns:=/pair', 'image_raw:=image'])
    return segmentation


@pytest.fixture
def start_segmentation(start_process, small_model):  # noqa: F811
    """Function that starts the node /espnet, without a camera; it ends with the test."""
    started = []

    def start():
        started.append(start_process('segmentation', 'model:={}'.format(small_model), *FP32,
                                     remap=['image:=image_raw']))
        return started[-1]
    yield start
    for process in started:
        process.end()


@pytest.fixture
def monitor(ros_domain):
    def run(*arguments):
        return subprocess.run([*COMMAND, *arguments], env=environment(ros_domain), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
    return run


@contextlib.contextmanager
def running(ros_domain, *arguments, **options):
    """A monitor that goes on; it is killed at the end."""
    process = subprocess.Popen([*COMMAND, *arguments], env=dict(environment(ros_domain), TERM='xterm-256color'),
                               **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_rates_and_latencies_of_a_running_node(nodes, monitor, observer):  # noqa: F811
    from sensor_msgs.msg import Image
    labels = observer.collect(Image, '/pair/espnet/labels')
    wait_until(lambda: labels, 90)
    pattern = (r'pair/espnet OK: in ({0}) Hz, out ({0}) Hz, dropped (\d+), latency p50 ({0}) p95 ({0}) p99 ({0}) ms, '
               r'engine ready$').format(NUMBER)
    done = wait_until(lambda: (lambda found: re.match(pattern, found.stdout.strip()) and found)(
        monitor('--once', '--timeout', '60', '--nodes', '/pair/espnet')), 200)
    assert done.returncode == 0 and done.stderr == ''
    into, out, _, p50, p95, p99 = map(float, re.match(pattern, done.stdout.strip()).groups())
    assert 0 < into < 20 and 0 < out < 20 and 0 < p50 <= p95 <= p99 < 60000

    found, = json.loads(monitor('--once', '--json', '--nodes', '/pair').stdout)
    assert found['name'] == 'pair/espnet' and 0 <= found['age'] < 60
    assert found['parts']['Input']['values']['topic'] == '/pair/image'
    assert found['parts']['Engine']['values']['model'] == 'small'
    # What the dashboard reads is what the node writes.
    assert re.fullmatch('[0-9a-f]{64}', found['parts']['Engine']['values']['weights SHA-256'])
    assert float(found['parts']['Latency']['values']['stamp to output p50 (ms)']) > 0


def test_it_asks_the_node_for_nothing(nodes, monitor):
    nodes.wait_for('engine ready')
    for _ in range(2):
        done = monitor('--once', '--json', '--timeout', '60', '--nodes', '/pair')
        output = json.loads(done.stdout)[0]['parts']['Output']
        assert (output['message'], output['values']['subscribers']) == ('idle: nobody subscribes', '0')


def test_exit_codes_and_a_node_that_is_missing(start_segmentation, monitor):
    def says(words, *arguments):
        """What ends with these words sooner or later: a busy machine does not find the node in seconds."""
        return wait_until(lambda: (lambda done: words in done.stdout + done.stderr and done)(
            monitor('--once', *arguments)))
    start_segmentation().wait_for('engine ready')  # without a camera
    done = says('ERROR espnet: Input: no image on /image_raw', '--timeout', '60')
    assert done.returncode == 4 and 'nothing publishes it; start the camera or remap `image`' in done.stdout
    assert says('ERROR rear: no diagnostics yet', '--timeout', '4', '--nodes', 'espnet', 'rear').returncode == 4
    words = 'no diagnostics of other on /diagnostics; name one of these with --node'
    assert says(words, '--timeout', '6', '--nodes', 'other').returncode == 1


def test_a_warning_is_exit_code_3(monitor, observer):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    publisher = observer.node.create_publisher(DiagnosticArray, '/elsewhere', 10)
    observer.node.create_timer(0.2, lambda: publisher.publish(DiagnosticArray(status=[DiagnosticStatus(
        name='front/espnet: Engine', level=bytes([1]), message='ready: no GPU; install its driver')])))
    done = monitor('--once', '--timeout', '60', '--topic', '/elsewhere', '--nodes', 'front')
    assert done.returncode == 3
    assert done.stdout.splitlines()[1:] == ['WARN front/espnet: Engine: ready: no GPU; install its driver']


@pytest.mark.parametrize('arguments, code, sentence', [
    (['--once', '--timeout', '1', '--topic', '/nothing'], 1,
     'no diagnostics of a segmentation node on /nothing; start one with'),
    (['--once', '--timeout', '0'], 1, '--timeout is 0.0; it must be above 0'),
    (['--once', '--timeout', 'nan'], 1, '--timeout is nan; it must be above 0'),
    (['--topic', 'a b'], 1, "'a b' is not a topic name such as")])
def test_what_cannot_be_is_one_sentence(monitor, arguments, code, sentence):
    done = monitor(*arguments)
    assert (done.returncode, done.stdout) == (code, '')
    assert done.stderr.startswith('espnet-ros: error: ' + sentence) and done.stderr.count('\n') == 1


def test_lines_for_a_log_go_on_when_the_node_ends_and_comes_back(start_segmentation, ros_domain):  # noqa: F811
    with running(ros_domain, '--nodes', 'espnet', stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, '')
        assert re.match(r'\d\d:\d\d:\d\d no diagnostics of a segmentation node on /diagnostics; start', next(lines))
        segmentation = start_segmentation()
        assert any('engine ready' in line for line in lines)
        segmentation.kill()
        assert any(re.search(r' ERROR espnet: silent for \d+ s; has it ended\?', line) for line in lines)
        assert any(re.search(r' espnet silent for \d+ s', line) for line in lines)
        start_segmentation()
        assert any('engine ready' in line for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0


class Terminal:
    """A terminal with a monitor in it; text: all that was written to it."""

    def __init__(self, domain):
        self.text = ''
        self._child, self._terminal = pty.openpty()
        self.before = self.settings()
        self.resize(60)
        values = dict(environment(domain), TERM='xterm-256color', PYTHONIOENCODING='utf-8')
        values.pop('COLUMNS', None)
        values.pop('LINES', None)
        self.process = subprocess.Popen(COMMAND, env=values, stdin=self._terminal, stdout=self._terminal,
                                        stderr=self._terminal)

    def settings(self):
        return termios.tcgetattr(self._terminal)

    def resize(self, columns):
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, columns, 0, 0))

    def read_until(self, condition, seconds=90):
        """Read until the condition holds, or for so long."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self._read()
        self._read()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)
        os.close(self._child)

    def _read(self):
        if select.select([self._child], [], [], 0.2)[0]:
            self.text += os.read(self._child, 65536).decode('utf-8', 'replace')


@pytest.fixture
def terminal(ros_domain, observer):  # noqa: F811
    """A Terminal; a node says that it builds its engine."""
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
    publisher = observer.node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    observer.node.create_timer(0.2, lambda: publisher.publish(DiagnosticArray(status=[DiagnosticStatus(
        name='espnet: Engine', level=bytes([0]), message='building engine, 42 s')])))
    found = Terminal(ros_domain)
    yield found
    found.close()


@pytest.mark.parametrize('number, expected', [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_terminal_is_left_as_it_was(terminal, number, expected):
    terminal.read_until(lambda: 'building engine, 42 s' in terminal.text)
    terminal.process.send_signal(number)
    terminal.read_until(lambda: terminal.process.poll() is not None, 30)
    seen = terminal.text
    assert (terminal.process.poll(), terminal.settings()) == (expected, terminal.before), seen
    # The other screen is left again, and the cursor is back.
    assert 0 <= seen.find('\x1b[?1049h') < seen.rfind('\x1b[?1049l')
    assert seen.rfind('\x1b[?25h') > seen.rfind('\x1b[?25l') >= 0 and 'Traceback' not in seen


def test_it_follows_the_size_of_the_terminal(terminal):
    def bottom(columns):
        return '╰' + (columns - 2) * '─' + '╯'
    terminal.read_until(lambda: bottom(60) in terminal.text)
    assert bottom(60) in terminal.text and bottom(100) not in terminal.text
    terminal.resize(100)
    terminal.read_until(lambda: bottom(100) in terminal.text)
    assert bottom(100) in terminal.text
