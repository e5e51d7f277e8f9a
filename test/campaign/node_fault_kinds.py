"""The kinds of faults around running nodes."""
import collections
import contextlib
import functools
import os
import pathlib
import resource
import signal
import socket
import tempfile
import time

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


@contextlib.contextmanager
def camera_infos(bench):
    """Yield a publisher of CameraInfo beside the images; what the node makes of them is in bench.infos."""
    from sensor_msgs.msg import CameraInfo
    bench.infos = []
    node = bench.rig.node
    publisher = node.create_publisher(CameraInfo, bench.rig.namespace + '/camera_info', 1)
    subscription = node.create_subscription(
        CameraInfo, bench.rig.name + '/camera_info', lambda message: bench.infos.append(message), 5)
    yield CameraInfo, publisher
    node.destroy_publisher(publisher)
    node.destroy_subscription(subscription)


@fault('no camera_info')
def no_camera_info(bench, rng):
    with camera_infos(bench) as (kind, publisher):
        bench.down()
        bench.up()

        def is_told():
            bench.show()
            time.sleep(0.2)
            return bench.is_named(('Output', 'none has come from the camera'))
        yield is_told
        publisher.publish(kind(width=160, height=120))


@fault('a camera_info without sizes')
def empty_camera_info(bench, rng):
    with camera_infos(bench) as (kind, publisher):
        def is_told():
            publisher.publish(kind())
            bench.show()
            time.sleep(0.2)
            return bench.is_named(('Output', 'fill in width and height'))
        yield is_told


@fault('a camera_info that changes with each image')
def changing_camera_info(bench, rng):
    with camera_infos(bench) as (kind, publisher):
        def is_scaled():
            info = kind(width=rng.randrange(1, 4000), height=rng.randrange(1, 4000))
            info.k[0] = rng.uniform(1.0, 1e4)
            publisher.publish(info)
            bench.show()
            time.sleep(0.1)
            return any((found.width, found.height) == (160, 120) for found in bench.infos)
        yield is_scaled


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
def large(side):
    """A compressed image, a small PNG of side x side pixels; a side of 5000 takes a tenth of a second to decode."""
    import cv2
    import numpy as np
    from sensor_msgs.msg import CompressedImage
    return CompressedImage(
        format='png', data=cv2.imencode('.png', np.zeros((side, side, 3), np.uint8))[1].tobytes())


@fault('a decoder that takes too long', image_transport='compressed', max_decode_time=0.05)
def slow_decoder(bench, rng):
    def is_told():
        bench.show(large(5000))
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


# A large message would find no memory in the middleware, and the node would never see it.
@fault('no memory for a large image', image_transport='compressed')
def memory(bench, rng):
    message = large(8000)
    bench.anew()  # it keeps the memory of images that it has seen
    bench.answered()
    pages = int(pathlib.Path('/proc/{}/statm'.format(bench.rig.process.pid)).read_text().split()[0])
    with limit(bench, resource.RLIMIT_AS, pages * resource.getpagesize() + (40 << 20)):
        def is_told():
            bench.show(message)
            time.sleep(0.3)
            return bench.is_named(('Input', 'there is no memory left for it'))
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
        os.environ.update(variables, ROS_LOG_DIR=os.path.dirname(str(bench.model)))
        if 'HOME' in variables and not variables['HOME']:
            del os.environ['HOME']
        try:
            bench.rig.respawn()
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield None


started('no home folder', HOME='', XDG_CACHE_HOME='')
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


# The diagnostics node

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
