"""Nodes as real processes on a ROS domain of their own, and the fixtures to test them from outside."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from espnet_ros.clients.domain import private_domain, private_environment
from espnet_ros.diagnostics.checkup import DDS_PROFILES

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def environment(domain):
    """Return the environment of a process that sees only this machine's nodes on `domain`."""
    values = private_environment(domain)
    values.update(
        AMENT_PREFIX_PATH=os.pathsep.join(filter(None, [sys.prefix, os.environ.get('AMENT_PREFIX_PATH')])),
        PYTHONPATH=os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get('PYTHONPATH')])),
        PYTHONUNBUFFERED='1')
    if not any(values.get(name) for name in DDS_PROFILES):
        values.update(dict.fromkeys(DDS_PROFILES, str(pathlib.Path(__file__).with_name('announce.xml'))))
    return values


def wait_until(condition, seconds=120.0):
    """Call `condition` until it returns something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            assert value, 'nothing after {} s'.format(seconds)
            return value
        time.sleep(0.02)


class NodeProcess:
    """A node that runs as a process: module's main(), with ROS arguments; its output is kept."""

    def __init__(self, module, arguments, domain):
        program = 'import sys; from {} import main; sys.exit(main())'.format(module)
        self._process = subprocess.Popen(
            [sys.executable, '-c', program, *map(str, arguments)], env=environment(domain), cwd=REPOSITORY,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self._lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def output(self):
        """All that the process has written so far to its output and error output."""
        return ''.join(self._lines)

    def is_running(self):
        return self._process.poll() is None

    def wait_for(self, text, seconds=120.0):
        """Wait until the output holds `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            ended = not self.is_running()
            if ended:
                self._reader.join(5.0)
            assert text in self.output or not (ended or time.monotonic() > deadline), \
                'no {!r} from the process, exit code {}:\n{}'.format(text, self._process.poll(), self.output)
            time.sleep(0.02)

    def wait_for_end(self, code, seconds=120.0):
        """Wait until the process ends by itself, assert its exit code, and return its output."""
        try:
            found = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError('still runs after {} s:\n{}'.format(seconds, self.output))
        self._reader.join(5.0)
        assert found == code, 'exit code {}:\n{}'.format(found, self.output)
        return self.output

    def stop(self, number=signal.SIGINT, seconds=120.0):
        """Send a signal; assert a clean end with exit code 0 and no traceback; return the output.

        A node has 2 s; the rest is for a loaded machine.
        """
        assert self.is_running(), 'ended before it was stopped:\n' + self.output
        self._process.send_signal(number)
        output = self.wait_for_end(0, seconds)
        assert 'Traceback' not in output and 'rcl_shutdown' not in output, output
        return output

    def end(self):
        """End the process, by SIGTERM where that helps: a killed one leaves its shared memory to the others."""
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """End the process and what it started, whatever they do."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._reader.join(5.0)

    def _read(self):
        with self._process.stdout as stream:
            for line in stream:
                self._lines.append(line.decode('utf-8', 'replace'))


@pytest.fixture(scope='session')
def ros_domain():
    """A domain id that no other run of these tests on this machine has; this process's rclpy uses it too."""
    with private_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(domain).items():
            patch.setenv(name, value)
        yield domain


@pytest.fixture
def start_node(ros_domain):
    """Function start_node(module, *arguments) -> NodeProcess; all are killed when the test ends."""
    processes = []

    def start(module, *arguments):
        processes.append(NodeProcess(module, arguments, ros_domain))
        return processes[-1]

    yield start
    for process in processes:
        process.end()


@pytest.fixture(scope='session')
def ros_context(ros_domain):
    """An initialized rclpy context of this process on the tests' domain."""
    import rclpy
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    yield context
    context.try_shutdown()


class Observer:
    """A node of this process whose callbacks run in a thread of their own, so that a test can wait for messages."""

    def __init__(self, context):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        self._collected = []
        self.node = rclpy.create_node('observer', context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def collect(self, message_type, topic, qos=50):
        """Return a list that grows by each message on `topic`."""
        messages = []
        self._collected.append(self.node.create_subscription(message_type, topic, messages.append, qos))
        return messages

    def forget(self):
        """Unsubscribe from all that collect() subscribed to."""
        while self._collected:
            self.node.destroy_subscription(self._collected.pop())

    def close(self):
        self._ended.set()
        self._executor.create_task(lambda: None)
        self._thread.join(10.0)
        self.node.destroy_node()

    def _spin(self):
        from rclpy.exceptions import InvalidHandle
        while not self._ended.is_set():
            with contextlib.suppress(InvalidHandle):  # the test has just destroyed something
                self._executor.spin_once()


@pytest.fixture
def observer(ros_context):
    """An Observer on the tests' domain."""
    found = Observer(ros_context)
    yield found
    found.close()
