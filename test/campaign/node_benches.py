"""What the faults of nodes are brought about on: nodes that run, and all that stands around them."""
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request

LIMIT = 2.0
"""Seconds from a fault's end to a good answer."""
PATIENCE = 30.0
"""What fails a trial: other programs may hold the machine, so the answers without a fault are measured beside."""


class Segmentation:
    """A segmentation node with a small model, its camera, a subscriber of its labels, and /clock."""

    def __init__(self, domain, context, folder):
        from rosgraph_msgs.msg import Clock
        from segmentation_rig import FP32, Rig, write_model
        from sensor_msgs.msg import Image
        self.model = write_model(folder)
        self.rig = Rig(domain, context, '/faults', 'model:={}'.format(self.model), *FP32)
        self.ahead = 0.0
        self._clock_runs = True
        self._domain = domain
        self._image, self._clock = Image, Clock
        self._parameters = {}
        self._mark = 0
        self._camera = self.subscription = None
        self._sim = self.rig.node.create_publisher(Clock, '/clock', 1)
        self.rig.node.create_timer(0.02, self._tick)
        self.answers = []
        self.rig.node.create_subscription(Image, self.rig.name + '/labels', self.answers.append, 50)
        self.spare = None
        self.answered()

    def close(self):
        self.release_spare()
        self.rig.close()

    def prepare(self, parameters):
        """Let the node have these parameters; all others as at its start."""
        if parameters != self._parameters:
            self._parameters = parameters
            self.down()
            own = {name: getattr(self, value[1:]) if value == '/model' else value
                   for name, value in parameters.items()}
            before = {'use_sim_time': False, 'image_transport': 'raw', 'max_decode_time': 2.0, 'refuse_damaged': False}
            assert self.rig.set(**{**before, **own}) == {}
            self.up()
        self._mark = len(self.rig._arrays)

    def anew(self):
        """End the node's process and start it again, with the parameters that it has."""
        parameters, self._parameters = self._parameters, {}
        self.rig.process.end()
        self.rig.respawn()
        self.prepare(parameters)

    def down(self):
        from segmentation_rig import wait_until
        for label in {'active': ('deactivate', 'cleanup'), 'inactive': ('cleanup',)}.get(self.rig.state(), ()):
            wait_until(lambda label=label: self.rig.change_state(label))
        self.unplug()

    def up(self):
        from segmentation_rig import wait_until
        mark = len(self.rig.process.output)
        assert self.rig.change_state('configure') and self.rig.change_state('activate'), self.rig.process.output
        wait_until(lambda: 'engine ready' in self.rig.process.output[mark:])

    # The camera

    @property
    def compressed(self):
        return self._parameters.get('image_transport') == 'compressed'

    def good(self):
        from over_dds import good_message
        return good_message('compressed' if self.compressed else 'raw')

    def plug(self, qos=1):
        """Return the camera's publisher, made where there is none."""
        if self._camera is None:
            message = self.good()
            self._camera = self.rig.node.create_publisher(
                type(message), self.rig.namespace + '/image' + '/compressed' * self.compressed, qos)
        return self._camera

    def unplug(self):
        if self._camera is not None:
            self.rig.node.destroy_publisher(self._camera)
            self._camera = None

    def now(self):
        """The time of the node's clock, in ns."""
        return time.time_ns() + int(self.ahead * 1e9) * bool(self._parameters.get('use_sim_time'))

    def show(self, message=None, shift=0.0):
        """Publish an image (None: a good one), stamped `shift` seconds from now (None: as it is); return its stamp."""
        message = self.good() if message is None else message
        if shift is not None:
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(self.now() + int(shift * 1e9), 10**9)
        message.header.frame_id = 'camera'
        self.plug().publish(message)
        return message.header.stamp.sec, message.header.stamp.nanosec

    def answered(self, make=lambda: None, seconds=PATIENCE):
        """Show images until one is answered; return the answer. Raises AssertionError after so many seconds."""
        sent, deadline = set(), time.monotonic() + seconds
        del self.answers[:]
        while time.monotonic() < deadline and self.rig.process.is_running():
            sent.add(self.show(make()))
            end = time.monotonic() + 0.2
            while time.monotonic() < end:
                for answer in list(self.answers):
                    if (answer.header.stamp.sec, answer.header.stamp.nanosec) in sent:
                        return answer
                time.sleep(0.002)
        raise AssertionError('no answer after {:.0f} s; the node {}: {}'.format(
            seconds, 'runs' if self.rig.process.is_running() else 'has ended', self.rig.process.output[-1500:]))

    def _tick(self):
        if self._clock_runs:
            message = self._clock()
            message.clock.sec, message.clock.nanosec = divmod(time.time_ns() + int(self.ahead * 1e9), 10**9)
            self._sim.publish(message)

    # How faults are named, and when they are over

    def is_named(self, sign):
        if callable(sign):
            return sign()
        return any(sign[1] in status.message for array in self.rig._arrays[self._mark:] for status in array.status
                   if status.name == '{}: {}'.format(self.rig.name.lstrip('/'), sign[0]))

    def silent(self):
        """Return a sign: diagnostics of the node have not come for 2.5 s, as a monitor sees it."""
        began = newest = time.monotonic()
        seen = len(self.rig._arrays)

        def is_silent():
            nonlocal newest, seen
            arrays, seen = self.rig._arrays[seen:], len(self.rig._arrays)
            if any(status.name.startswith(self.rig.name[1:]) for array in arrays for status in array.status):
                newest = time.monotonic()
            return time.monotonic() - max(began, newest) > 2.5
        return is_silent

    def value(self, part, key):
        return int(self.rig.values(part)[key])

    # Another program that subscribes to the labels

    def start_spare(self):
        """Start it, to be used later in the round."""
        if self.spare is None:
            program = ('import rclpy; from sensor_msgs.msg import Image; rclpy.init(); n = rclpy.create_node("spare"); '
                       'n.create_subscription(Image, {!r}, lambda m: print("got", flush=True), 5); rclpy.spin(n)')
            from ros_process import environment
            self.spare = subprocess.Popen(
                [sys.executable, '-c', program.format(self.rig.name + '/labels')], env=environment(self._domain),
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def taken_spare(self):
        """Return it once it has received labels."""
        from segmentation_rig import wait_until
        self.start_spare()
        os.set_blocking(self.spare.stdout.fileno(), False)

        def has_got():
            self.show()
            time.sleep(0.1)
            return self.spare.stdout.read()
        wait_until(has_got, 60.0)
        return self.spare

    def release_spare(self):
        spare, self.spare = self.spare, None
        if spare is not None:
            spare.kill()
            spare.wait()
            spare.stdout.close()


class Diagnostics:
    """A diagnostics node with a stand-in for tegrastats and a port for Prometheus."""

    def __init__(self, domain, context, folder):
        from diagnostic_msgs.msg import DiagnosticArray
        from ros_process import NodeProcess, Observer
        from stand_in_tegrastats import StandIn
        folder = folder / 'tegrastats'
        folder.mkdir()
        self.stand_in = StandIn(folder)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.observer = Observer(context)
        self.arrays = self.observer.collect(DiagnosticArray, '/diagnostics')
        self.process = NodeProcess('espnet_ros.nodes.diagnostics.__main__', [
            '--ros-args', '-p', 'tegrastats:={}'.format(self.stand_in.path), '-p', 'interval:=0.2',
            '-p', 'prometheus_port:={}'.format(self.port)], domain)
        self.answered()

    def close(self):
        self.process.end()
        self.observer.close()

    def prepare(self, parameters):
        del self.arrays[:]

    def start_spare(self):
        pass

    def is_named(self, sign):
        return sign() if callable(sign) else any(
            status.name.endswith(': ' + sign[0]) and sign[1] in status.message
            for array in list(self.arrays) for status in array.status)

    def answered(self, seconds=2 * PATIENCE):
        """Wait until tegrastats is read and Prometheus is served."""
        del self.arrays[:]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.is_running():
            if self.is_named(('GPU', '47% at 1300 MHz')) and self.is_scraped():
                return
            time.sleep(0.01)
        raise AssertionError('tegrastats is not read: {}'.format(self.process.output[-1500:]))

    def is_scraped(self):
        with contextlib.suppress(OSError):
            return b'espnet' in urllib.request.urlopen(
                'http://127.0.0.1:{}/metrics'.format(self.port), timeout=LIMIT).read()
        return False


BENCHES = {kind.__name__: kind for kind in (Segmentation, Diagnostics)}
