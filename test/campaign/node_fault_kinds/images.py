"""Faults of images and of the camera that publishes them."""
import contextlib
import tempfile
import time

from node_fault_kinds.faults import Faults

FAULTS = Faults()
fault = FAULTS.define


# Images

def refused(bench, rng, target, transport):
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
    yield from refused(bench, rng, RawImages, 'raw')


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
