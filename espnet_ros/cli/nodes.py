"""Nodes as child processes of a command."""
import contextlib
import os
import signal
import subprocess
import sys

from espnet_ros.cli.files import make_folder
from espnet_ros.errors import EspnetError


def ros(what):
    """Raise EspnetError without ROS 2, which `what` needs."""
    try:
        import espnet_ros.clients.background  # noqa: F401
    except ImportError as error:
        raise EspnetError('{} needs ROS 2 ({}); source its setup.bash, or install the wheels in '
                          'requirements/run.txt'.format(what, error)) from None


@contextlib.contextmanager
def segmentation_node(logs, **parameters):
    """Yield Nodes with a segmentation node in a private ROS domain, which this process joins."""
    from espnet_ros.clients.domain import private_domain, private_environment
    make_folder(logs)
    with private_domain() as domain:
        environment = private_environment(domain)
        os.environ.clear()
        os.environ.update(environment)
        with Nodes(logs) as nodes:
            nodes.start('segmentation', **parameters)
            yield nodes


class Nodes:
    """Nodes as child processes, which end with the context. logs: folder for their output."""

    def __init__(self, logs):
        self.logs = logs
        self._processes = {}

    def __enter__(self):
        # Nodes are in sessions of their own: without this they would outlive a terminal that is closed.
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
                signal.signal(number, lambda number, _: sys.exit(128 + number))
        return self

    def __exit__(self, *_):
        for process, _, _ in self._processes.values():
            process.send_signal(signal.SIGINT)
        for process, log, _ in self._processes.values():
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def start(self, name, *remaps, **parameters):
        """Start the node `name` with remappings and ROS parameters; its output goes to a file of its own."""
        command = [sys.executable, '-m', 'espnet_ros.nodes.' + name, '--ros-args']
        for remap in remaps:
            command += ['-r', remap]
        for key, value in parameters.items():
            # A source such as '0' is a string: quoted, for ROS reads parameters as YAML.
            text = "'{}'".format(value.replace("'", "''")) if isinstance(value, str) else str(value).lower()
            command += ['-p', '{}:={}'.format(key, text)]
        self._run(name, command, True)

    def start_page(self, host='127.0.0.1', port=None):
        """Serve the live page of the nodes (`espnet-ros view`); the nodes do without it when it ends."""
        command = [sys.executable, '-u', '-m', 'espnet_ros.cli', 'view', '--host', host]
        self._run('page', command + ([] if port is None else ['--port', str(port)]), False)

    def lines(self, name):
        """Return what a process has written so far."""
        return (self.logs / (name + '.log')).read_text(encoding='utf-8', errors='replace').strip().splitlines()

    def is_running(self, name):
        """Return whether a process that was started has not ended."""
        return self._processes[name][0].poll() is None

    def check(self):
        """Raise EspnetError when a node has ended."""
        for name, (process, _, is_node) in self._processes.items():
            if is_node and process.poll() is not None:
                raise EspnetError('the {} node ended with code {}: {} (all in {})'.format(
                    name, process.returncode, ' '.join(self.lines(name)[-1:]), self.logs / (name + '.log')))

    def _run(self, name, command, is_node):
        log = open(self.logs / (name + '.log'), 'w', encoding='utf-8')
        # In a session of its own: Ctrl-C in the terminal is ours to pass on.
        self._processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                                 stdin=subprocess.DEVNULL, start_new_session=True), log, is_node
