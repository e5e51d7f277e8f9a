"""The part of the fault campaign in which something fails around running nodes: each fault several times, in rounds.

    python test/campaign/node_faults.py [--trials 10] [--minutes M] [--seed S] [--faults A,B] [--table FILE]

After each fault a good image must be answered, stamp and all; the seconds from the fault's end until then are measured.
"""
import collections
import contextlib
import functools
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

LIMIT = 2.0
"""Seconds from a fault's end to a good answer."""
PATIENCE = 30.0
"""What fails a trial: other programs may hold the machine, so the answers without a fault are measured beside."""
FAULTS = collections.OrderedDict()
"""Name to Fault, in order of definition."""
Fault = collections.namedtuple('Fault', 'run bench parameters')


def fault(name, bench='Segmentation', **parameters):
    """Decorator of a generator function of (bench, rng), which breaks something, yields, and mends it.

    It yields how the fault is named: (part, text) of a status in diagnostics, a function that returns whether it is
    named, or None for what is no fault to be named, such as a new image size, and must change nothing for others.
    parameters: of the node, other than the usual ones.
    """
    def add(function):
        FAULTS[name] = Fault(function, bench, parameters)
        return function
    return add


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


# Images

def _refused(bench, rng, target, transport):
    """Fault of a malformed image from a Target of the campaign; transport: raw or compressed."""
    from over_dds import is_malformed, to_message
    message = None
    with tempfile.TemporaryDirectory() as folder:
        source = target(folder)
        while message is None or not is_malformed(message, transport):
            message = to_message(source.case(rng), transport)

    def is_refused():
        bench.show(message)
        time.sleep(0.3)
        return bench.is_named(('Input', 'the last image was refused'))
    yield is_refused


@fault('a malformed image')
def malformed(bench, rng):
    from targets import RawImages
    yield from _refused(bench, rng, RawImages, 'raw')


@fault('an empty image')
def empty(bench, rng):
    from sensor_msgs.msg import Image

    def is_refused():
        bench.show(Image(encoding='bgr8'))
        time.sleep(0.3)
        return bench.is_named(('Input', 'so it is empty'))
    yield is_refused


def raw(width, height, encoding='bgr8', pixel=3):
    from sensor_msgs.msg import Image
    return Image(width=width, height=height, step=width * pixel, encoding=encoding, data=bytes(height * width * pixel))


@fault('another image size')
def size(bench, rng):
    sides = rng.randrange(16, 900), rng.randrange(16, 700)
    answer = bench.answered(lambda: raw(*sides))
    assert (answer.width, answer.height) == sides
    yield None


@fault('another encoding')
def encoding(bench, rng):
    name, pixel = rng.choice((('mono8', 1), ('rgb8', 3), ('bgra8', 4), ('rgb16', 6), ('uyvy', 2), ('bayer_rggb8', 1)))
    bench.answered(lambda: raw(160, 120, name, pixel))
    yield None


@fault('a flood of images')
def flood(bench, rng):
    before = bench.value('Input', 'dropped') + bench.value('Input', 'lost')

    def is_counted():
        for _ in range(100):
            bench.show()
        return bench.value('Input', 'dropped') + bench.value('Input', 'lost') > before
    yield is_counted


@fault('two cameras on one topic')
def two_cameras(bench, rng):
    from sensor_msgs.msg import Image
    other = bench.rig.node.create_publisher(Image, bench.rig.namespace + '/image', 1)
    for _ in range(20):
        bench.show()
        other.publish(bench.good())
    yield 'Input', '2 programs publish'
    bench.rig.node.destroy_publisher(other)


def stamped(name, shift, text):
    @fault(name)
    def stamps(bench, rng):
        message = bench.good()

        def is_told():
            bench.show()
            bench.show(message, shift)
            time.sleep(0.3)
            return bench.is_named(('Input', text))
        yield is_told


stamped('stamps of zero', None, 'stamps are zero')
stamped('stamps that go back', -3.0, 'backwards')
stamped('stamps in the future', 30.0, 'in the future')


@fault('stamps of last year')
def old(bench, rng):
    def is_told():
        for _ in range(2):  # the second does not go back
            bench.show(shift=-3e7)
        time.sleep(0.3)
        return bench.is_named(('Input', 's old; for recordings'))
    yield is_told


@fault('a stamp twice')
def twice(bench, rng):
    message = bench.good()

    def is_told():
        bench.show(message)
        for _ in range(3):
            time.sleep(0.05)
            bench.show(message, None)
        return bench.is_named(('Input', 'two images have the stamp'))
    yield is_told


# The camera

@fault('a camera that is gone')
def gone(bench, rng):
    bench.show()
    bench.unplug()
    yield 'Input', 'nothing publishes it'


@fault('a camera that is silent')
def still(bench, rng):
    bench.show()
    yield 'Input', 'its publisher is silent'


@fault('a camera that comes back as best effort')
def reliability(bench, rng):
    from rclpy.qos import qos_profile_sensor_data
    bench.unplug()
    bench.plug(qos_profile_sensor_data)
    bench.answered()
    yield None
    bench.unplug()


def camera_infos(bench):
    from sensor_msgs.msg import CameraInfo
    return (CameraInfo, bench.rig.node.create_publisher(CameraInfo, bench.rig.namespace + '/camera_info', 1),
            bench.rig.node.create_subscription(
                CameraInfo, bench.rig.name + '/camera_info', lambda message: bench.infos.append(message), 5))


@fault('no camera_info')
def no_camera_info(bench, rng):
    bench.infos = []
    kind, publisher, subscription = camera_infos(bench)
    bench.down()
    bench.up()

    def is_told():
        bench.show()
        time.sleep(0.2)
        return bench.is_named(('Output', 'none has come from the camera'))
    yield is_told
    publisher.publish(kind(width=160, height=120))
    bench.rig.node.destroy_publisher(publisher)
    bench.rig.node.destroy_subscription(subscription)


@fault('a camera_info without sizes')
def empty_camera_info(bench, rng):
    bench.infos = []
    kind, publisher, subscription = camera_infos(bench)

    def is_told():
        publisher.publish(kind())
        bench.show()
        time.sleep(0.2)
        return bench.is_named(('Output', 'fill in width and height'))
    yield is_told
    bench.rig.node.destroy_publisher(publisher)
    bench.rig.node.destroy_subscription(subscription)


@fault('a camera_info that changes with each image')
def changing_camera_info(bench, rng):
    bench.infos = []
    kind, publisher, subscription = camera_infos(bench)

    def is_scaled():
        info = kind(width=rng.randrange(1, 4000), height=rng.randrange(1, 4000))
        info.k[0] = rng.uniform(1.0, 1e4)
        publisher.publish(info)
        bench.show()
        time.sleep(0.1)
        return any((found.width, found.height) == (160, 120) for found in bench.infos)
    yield is_scaled
    bench.rig.node.destroy_publisher(publisher)
    bench.rig.node.destroy_subscription(subscription)


# Subscribers

@fault('a subscriber that never reads')
def deaf(bench, rng):
    spare = bench.taken_spare()
    os.kill(spare.pid, signal.SIGSTOP)
    for _ in range(20):
        bench.answered()
    yield None
    os.kill(spare.pid, signal.SIGCONT)


@fault('a subscriber that is killed')
def killed_subscriber(bench, rng):
    bench.taken_spare()
    bench.release_spare()
    yield None


@fault('a subscriber of another quality of service')
def other_quality(bench, rng):
    from rclpy.qos import DurabilityPolicy, QoSProfile
    subscription = bench.rig.node.create_subscription(
        bench._image, bench.rig.name + '/labels', print,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    yield lambda: 'requests a quality of service that is not offered' in bench.rig.process.output
    bench.rig.node.destroy_subscription(subscription)


@fault('large outputs for a best-effort subscriber')
def best_effort(bench, rng):
    from rclpy.qos import qos_profile_sensor_data
    subscription = bench.rig.node.create_subscription(
        bench._image, bench.rig.name + '/color', lambda message: None, qos_profile_sensor_data)

    def is_told():
        bench.show(raw(640, 480))
        time.sleep(0.3)
        return bench.is_named(('Output', 'at best effort'))
    yield is_told
    bench.rig.node.destroy_subscription(subscription)


# Parameters, services, lifecycle

@fault('wrong parameters')
def wrong_parameters(bench, rng):
    name, value = rng.choice((
        ('overlay_alpha', 2.0), ('max_rate', float('nan')), ('jpeg_quality', 'x'), ('model', '/other'),
        ('confidence_threshold', float('inf')), ('cameras', ['a', 'a']), ('max_decode_time', -1.0)))
    refused = bench.rig.set(**{name: value})
    yield lambda: bool(refused.get(name))


@fault('parameters that change while images come')
def changing_parameters(bench, rng):
    for _ in range(10):
        bench.show()
        assert bench.rig.set(overlay_alpha=rng.random(), confidence_threshold=rng.random() * 0.1,
                             jpeg_quality=rng.randrange(1, 101)) == {}
    yield None
    assert bench.rig.set(confidence_threshold=0.0) == {}


@fault('~/enable off')
def disabled(bench, rng):
    bench.rig.enable(False)
    yield 'Output', 'disabled by ~/enable'
    bench.rig.enable(True)


@fault('deactivated')
def deactivated(bench, rng):
    assert bench.rig.change_state('deactivate')
    yield 'Input', 'not active'
    assert bench.rig.change_state('activate')


@fault('cleaned up')
def cleaned_up(bench, rng):
    bench.down()
    yield 'Engine', 'not configured'
    bench.up()


@fault('transitions that its state does not have')
def wrong_transitions(bench, rng):
    label = rng.choice(('configure', 'activate', 'cleanup'))
    result = bench.rig.change_state(label)
    yield lambda: not result


@fault('a model that is missing')
def no_model(bench, rng):
    bench.down()
    assert bench.rig.set(model='/nowhere/model.yaml') == {} and not bench.rig.change_state('configure')
    yield 'Engine', 'not configured: '
    assert bench.rig.set(model=str(bench.model)) == {}
    bench.up()


# Compressed images

@fault('a compressed image that is none', image_transport='compressed')
def malformed_compressed(bench, rng):
    from targets import CompressedImages
    yield from _refused(bench, rng, CompressedImages, 'compressed')


@fault('a JPEG that is damaged', image_transport='compressed')
def damaged(bench, rng):
    import cv2
    from segmentation_rig import picture
    from sensor_msgs.msg import CompressedImage
    data = bytearray(cv2.imencode('.jpg', picture(640, 480))[1].tobytes())
    data[3000:3040] = bytes(40)

    def is_told():
        bench.show(CompressedImage(format='jpeg', data=data))
        time.sleep(0.3)
        return bench.is_named(('Input', 'is damaged and was used all the same'))
    yield is_told


@functools.lru_cache
def noise():
    """A PNG that takes a tenth of a second and more to decode."""
    import cv2
    import numpy as np
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)
    return cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


@fault('a decoder that takes too long', image_transport='compressed', max_decode_time=0.05)
def slow_decoder(bench, rng):
    from sensor_msgs.msg import CompressedImage

    def is_told():
        bench.show(CompressedImage(format='png', data=noise()))
        time.sleep(1.0)
        return bench.is_named(('Input', 'is not decoded: it took longer'))
    yield is_told


@fault('no descriptors left', image_transport='compressed')
def descriptors(bench, rng):
    with limit(bench, resource.RLIMIT_NOFILE, len(os.listdir('/proc/{}/fd'.format(bench.rig.process.pid)))):
        for _ in range(5):
            bench.answered()
        yield None


@fault('a full disk (no file may grow)', image_transport='compressed')
def full_disk(bench, rng):
    with limit(bench, resource.RLIMIT_FSIZE, 0):
        for _ in range(5):
            bench.answered()
        yield None


# The process

@contextlib.contextmanager
def limit(bench, what, value):
    pid = bench.rig.process.pid
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


@fault('no memory for a large image')
def memory(bench, rng):
    pid = bench.rig.process.pid
    pages = int(pathlib.Path('/proc/{}/statm'.format(pid)).read_text().split()[0])
    with limit(bench, resource.RLIMIT_AS, pages * resource.getpagesize() + (40 << 20)):
        def is_told():
            bench.show(raw(5000, 4000, 'mono8', 1))  # 60 MB in three channels
            time.sleep(0.5)
            return bench.is_named(('Input', 'refused')) or bench.is_named(('Output', 'the last image failed'))
        yield is_told


@fault('stopped and continued')
def stopped(bench, rng):
    os.kill(bench.rig.process.pid, signal.SIGSTOP)
    yield bench.silent()
    os.kill(bench.rig.process.pid, signal.SIGCONT)


@fault('killed and started again')
def killed(bench, rng):
    bench.rig.process.kill()
    yield bench.silent()
    bench.rig.respawn()


def started(name, **variables):
    """A fault that lasts from the node's start on: it has to work all the same."""
    @fault(name)
    def start(bench, rng):
        bench.rig.process.end()
        before = dict(os.environ)
        os.environ.update(variables)
        if 'HOME' in variables and not variables['HOME']:
            del os.environ['HOME']
        try:
            bench.rig.respawn()
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield None


started('no home folder', HOME='', XDG_CACHE_HOME='', ROS_LOG_DIR=tempfile.gettempdir())
started('an odd locale', LC_ALL='xx_YY.UTF-16', LANG='C', LANGUAGE='tlh')
started('a cache that cannot be written', XDG_CACHE_HOME='/dev/null/x', TMPDIR='/proc/self')


# Simulated time

@fault('a clock that jumps back', use_sim_time=True)
def clock_back(bench, rng):
    bench.answered()

    def is_told():
        bench.show()
        time.sleep(0.1)
        bench.ahead -= 100.0
        time.sleep(0.1)
        bench.show()
        time.sleep(1.0)
        return bench.is_named(('Input', 'backwards'))
    yield is_told


@fault('a clock that jumps ahead', use_sim_time=True)
def clock_ahead(bench, rng):
    bench.answered()
    bench.ahead += 1000.0
    yield None


@fault('a clock that stands still', use_sim_time=True)
def clock_still(bench, rng):
    bench.answered()
    bench._clock_runs = False

    def is_told():
        bench.show(shift=1.0)
        time.sleep(0.3)
        return bench.is_named(('Input', 'in the future'))
    yield is_told
    bench._clock_runs = True


@fault('serialized messages with mutated bytes')
def cdr(bench, rng):
    from mutations import mutated
    from rclpy.serialization import serialize_message
    data = serialize_message(bench.good())
    for _ in range(50):
        bench.plug().publish(mutated(data, rng, [data]))
    yield None


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


def tegrastats(name, mode, text):
    @fault(name, 'Diagnostics')
    def broken(bench, rng):
        bench.stand_in.mode(mode)
        yield None if text is None else ('GPU', text)
        bench.stand_in.mode('replay')


tegrastats('tegrastats dies', 'die', 'ended with code 3')
tegrastats('tegrastats is silent', 'hang', 'has been silent')
tegrastats('tegrastats prints garbage', 'garbage', 'prints what cannot be read')
tegrastats('tegrastats prints without line ends', 'endless', '')
tegrastats('tegrastats prints 10,000 lines a second', 'flood', None)


@fault('40 slow clients of Prometheus', 'Diagnostics')
def slow_clients(bench, rng):
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(40):
            clients.append(stack.enter_context(socket.create_connection(('127.0.0.1', bench.port), 5.0)))

        def is_served():
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b'G')
            return bench.is_scraped()
        yield is_served


@fault('garbage for Prometheus', 'Diagnostics')
def garbage_client(bench, rng):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', bench.port), 5.0) as client:
        client.sendall(rng.choice((b'GET /\xff HTTP/9.9\r\n', b'\0' * 70000, b'GET / HTTP/1.1\r\nA: ' + b'b' * 99999)))
    yield None


BENCHES = {kind.__name__: kind for kind in (Segmentation, Diagnostics)}


class Tally:
    """What came of the trials of one fault."""

    def __init__(self):
        self.seconds, self.failures, self.sign = [], [], ''

    def add(self, seconds):
        self.seconds.append(seconds)


def trial(bench, found, rng):
    """Try a fault once; return (seconds from its end to a good answer, whether it had to be named)."""
    bench.prepare(found.parameters)
    running = found.run(bench, rng)
    sign = next(running)
    deadline = time.monotonic() + PATIENCE
    try:
        while sign is not None and not bench.is_named(sign):
            assert time.monotonic() < deadline, 'not named: {}'.format(sign)
            time.sleep(0.02)
    finally:
        next(running, None)
    end = time.monotonic()
    bench.answered()
    return time.monotonic() - end, sign is not None


def campaign(domain, context, folder, names, trials, seed, deadline=float('inf'), tell=lambda text: None):
    """Run the rounds; return (tallies by name, seconds of answers without a fault before each trial)."""
    from targets import rng_of
    tallies = {name: Tally() for name in names}
    benches, usual = {}, []
    # Those of equal parameters are neighbors, because a change of parameters takes a second.
    order = sorted(names, key=lambda name: (FAULTS[name].bench, sorted(FAULTS[name].parameters)))
    try:
        for number in range(trials):
            for name in order:
                if time.monotonic() > deadline:
                    return tallies, usual
                found = FAULTS[name]
                if found.bench not in benches:
                    benches[found.bench] = BENCHES[found.bench](domain, context, folder)
                bench = benches[found.bench]
                try:
                    began = time.monotonic()
                    bench.answered()
                    usual.append(time.monotonic() - began)
                    seconds, named = trial(bench, found, rng_of(seed, name, number))
                    tallies[name].add(seconds)
                    tallies[name].sign = 'yes' if named else 'nothing to name'
                    tell('{} {}: {:.2f} s'.format(name, number, seconds))
                except (Exception, AssertionError) as error:
                    tallies[name].failures.append((number, '{}: {}'.format(type(error).__name__, error)))
                    tell('{} {}: FAILED: {}'.format(name, number, str(error)[-1500:]))
                    benches.pop(found.bench).close()
    finally:
        for bench in benches.values():
            bench.close()
    return tallies, usual


def table(tallies, usual):
    """Yield the lines of the table."""
    yield '| fault | trials | recovered | named | seconds to the next good answer: median, longest |'
    yield '|---|---|---|---|---|'
    for name, tally in tallies.items():
        if tally.seconds or tally.failures:
            seconds = tally.seconds or [float('nan')]
            yield '| {} | {} | {} | {} | {:.2f}, {:.2f} |'.format(
                name, len(tally.seconds) + len(tally.failures), len(tally.seconds), tally.sign or '-',
                statistics.median(seconds), max(seconds))
    yield ''
    late = sum(second > LIMIT for tally in tallies.values() for second in tally.seconds)
    yield ('Without a fault an answer took {:.2f} s (median) to {:.2f} s. After one, {} of {} took more than '
           '{:g} s.').format(
        statistics.median(usual), max(usual), late, sum(len(tally.seconds) for tally in tallies.values()), LIMIT)
    for name, tally in tallies.items():
        for number, text in tally.failures[:3]:
            yield ''
            yield '`--faults {!r}`, trial {}: {}'.format(name, number, ascii(text)[:300])


def main():
    from run import fault_options, processor, write_table
    options = fault_options(__doc__, 10)
    import rclpy

    from espnet_ros.clients.domain import private_domain
    names = options.faults.split(',') if options.faults else list(FAULTS)
    began = time.monotonic()
    with private_domain() as domain, tempfile.TemporaryDirectory() as folder:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        try:
            tallies, usual = campaign(
                domain, context, pathlib.Path(folder), names, options.trials, options.seed,
                began + 60.0 * options.minutes, lambda text: print(text, flush=True))
        finally:
            context.try_shutdown()
    lines = ['Seed {}, {:.0f} minutes, {}, a load of {:.1f}.'.format(
        options.seed, (time.monotonic() - began) / 60.0, processor(), os.getloadavg()[2]), '', *table(tallies, usual)]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines, 'node faults')
    return 1 if any(tally.failures for tally in tallies.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
