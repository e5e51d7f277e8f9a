"""A running ground node, and everything that it listens to, published from a synthetic street."""
import itertools

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped  # noqa: F401
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_process import NodeProcess, Observer, wait_until
from sensor_msgs.msg import CameraInfo, Image, Imu, PointCloud2
from std_msgs.msg import Header, String

from espnet_ros.labels import CITYSCAPES
from espnet_ros.labels.label_map import set_to_label_map
from espnet_ros.nodes.camera.calibration import pinhole_to_info
from espnet_ros.nodes.common.geometry_messages import depth_to_image
from espnet_ros.nodes.common.messages import array_to_image
from espnet_ros.scene import Street

MODULE = 'espnet_ros.nodes.ground.__main__'
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_NUMBERS = itertools.count(1)
INPUTS = {'labels': Image, 'camera_info': CameraInfo, 'image': Image, 'depth': Image, 'points': PointCloud2,
          'imu': Imu, 'odom': Odometry}


class GroundRig:
    """One ground node as a process; `publish` sends messages of one stamp, `wait` returns what came back."""

    def __init__(self, domain, context, *parameters, label_map=True):
        self.namespace = '/ground_{}'.format(next(_NUMBERS))
        self.street = Street(320, 160, 5)
        self.frame = self.street.frame(4.0, depth=True)
        self.observer = Observer(context)
        node = self.observer.node
        self._publishers = {name: node.create_publisher(kind, '{}/{}'.format(self.namespace, name), 5)
                            for name, kind in INPUTS.items()}
        self._map = node.create_publisher(String, self.namespace + '/label_map', LATCHED)
        if label_map:
            self._map.publish(String(data=set_to_label_map(CITYSCAPES)))
        self._arrays = self.observer.collect(DiagnosticArray, '/diagnostics')
        self._second = 100
        words = ['--ros-args', '-r', '__ns:=' + self.namespace]
        for parameter in parameters or ('camera_height:={}'.format(self.street.mount),):
            words += ['-p', parameter]
        self.process = NodeProcess(MODULE, words, domain)

    def close(self):
        self.process.end()
        self.observer.close()

    def collect(self, kind, name):
        return self.observer.collect(kind, '{}/ground/{}'.format(self.namespace, name))

    def ready(self, *names):
        """Wait until the node listens to these inputs."""
        wait_until(lambda: all(self._publishers[name].get_subscription_count() for name in names))

    def header(self):
        self._second += 1
        header = Header(frame_id='camera')
        header.stamp.sec, header.stamp.nanosec = self._second, 123
        return header

    def messages(self, header):
        """The right message for each input."""
        height, width = self.frame.labels.shape
        info = pinhole_to_info(self.street.camera_matrix, width, height)
        info.header = header
        return {'camera_info': info, 'image': array_to_image(self.frame.image, 'bgr8', header),
                'depth': depth_to_image(self.frame.depth, header), 'labels': array_to_image(
                    self.frame.labels, 'mono8', header)}

    def publish(self, *names, **changed):
        """Publish the named inputs, then labels, with one new stamp, and return their header."""
        header = self.header()
        messages = self.messages(header)
        messages.update({name: make(header) for name, make in changed.items()})
        for name in list(names) + [name for name in changed if name not in names and name != 'labels'] + ['labels']:
            self._publishers[name].publish(messages[name])
        return header

    def send(self, header, *names):
        """Publish the named inputs with this header."""
        messages = self.messages(header)
        for name in names:
            self._publishers[name].publish(messages[name])

    def until(self, found, *names, **changed):
        """Publish over and over until `found` holds a message with the stamp of what was sent; return it."""
        sent = []

        def came():
            sent.append(self.publish(*names, **changed).stamp)
            return [message for message in found if message.header.stamp in sent]
        import time

        def slowly():
            time.sleep(0.15)
            return came()
        return wait_until(slowly)[-1]

    def wait_for_problem(self, text, *names, **changed):
        """Publish over and over until diagnostics says `text`; return the status."""
        wanted = self.namespace.lstrip('/') + '/ground: Input'

        def said():
            import time
            time.sleep(0.15)
            self.publish(*names, **changed)
            return [status for array in self._arrays[-3:] for status in array.status
                    if status.name == wanted and text in status.message]
        try:
            return wait_until(said)[-1]
        except AssertionError:
            pytest.fail('no {!r} in {}\n{}'.format(text, [
                status.message for array in self._arrays[-3:] for status in array.status if status.name == wanted],
                self.process.output))


def ranges_of(scan):
    """Angles and ranges of a LaserScan: two float arrays."""
    ranges = np.array(scan.ranges)
    return scan.angle_min + scan.angle_increment * np.arange(len(ranges)), ranges
