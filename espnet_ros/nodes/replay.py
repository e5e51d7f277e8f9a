"""Recorded images played into a running segmentation node, and its answers."""
import json
import threading
import time
import typing

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from espnet_ros.errors import SourceError
from espnet_ros.nodes.messages import array_to_image
from espnet_ros.nodes.outputs import LATCHED_QOS

IMAGE_TYPE = 'sensor_msgs/msg/Image'
_ASK_AGAIN = 2.0
"""Seconds after which an image without an answer is sent again: it may have been lost on its way."""


class Answer(typing.NamedTuple):
    """What the node made of an image: labels uint8 [H, W], and the seconds from sending the one to having the other."""

    labels: np.ndarray
    latency: float


class Player(Node):
    """Publishes images to one segmentation node and takes its labels; their stamps, in ns, say what belongs together.

    Every image is preceded by its stamp on /clock, for nodes with use_sim_time. Spin it in a thread (nodes.background).
    """

    def __init__(self, target='/espnet'):
        """target: the segmentation node's full name. class_names: those of its model, once it is connected."""
        super().__init__('player')
        self.error = None
        self._target = target
        self._arrived = threading.Condition()
        self._answers = {}
        self._sent = {}
        self._images = None
        self._clock = self.create_publisher(Clock, '/clock', 10)
        self._labels = target + '/labels'
        self.class_names = None
        self.create_subscription(Image, self._labels, self._on_labels, QoSProfile(depth=10))
        self.create_subscription(String, target + '/label_map', self._on_label_map, LATCHED_QOS)

    def connect(self, timeout):
        """Find the node and wait until both hear each other. Raises SourceError."""
        deadline = time.monotonic() + timeout
        topic = self._wait(deadline, self._topic, "no segmentation node is called '{}', or it takes no raw images; "
                           'start it, and give it the parameter image_transport:=raw'.format(self._target))
        self._images = self.create_publisher(Image, topic, QoSProfile(depth=10))
        # The node first listens at best effort, which loses large images, and changes when it sees what is offered.
        self._wait(deadline, lambda: self.class_names and self.count_publishers(self._labels) and any(
            info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
            for info in self.get_subscriptions_info_by_topic(topic)),
                   "'{}' does not listen to {} yet; is it active?".format(self._target, topic))

    def send(self, stamp, frame_id, image):
        """Publish an image, BGR uint8 [H, W, 3], with its stamp in ns."""
        header = Header(frame_id=frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, 10 ** 9)
        self._clock.publish(Clock(clock=header.stamp))
        with self._arrived:
            self._sent.setdefault(stamp, time.monotonic())
        self._images.publish(array_to_image(image, 'bgr8', header))

    def take(self, stamp):
        """Return the Answer to the image of that stamp and forget it, None while there is none."""
        with self._arrived:
            return self._answers.pop(stamp, None)

    def ask(self, stamp, frame_id, image, timeout):
        """Send an image and return its Answer. Raises SourceError when there is none within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.send(stamp, frame_id, image)
            with self._arrived:
                self._arrived.wait_for(lambda: stamp in self._answers, min(_ASK_AGAIN, deadline - time.monotonic()))
                if stamp in self._answers:
                    return self._answers.pop(stamp)
        raise SourceError("'{}' gave no labels within {:.0f} s; its diagnostics say why".format(self._target, timeout))

    def _topic(self):
        """Return the topic on which the node listens for raw images, None while there is none."""
        namespace, _, name = self._target.rpartition('/')
        if (name, namespace or '/') not in self.get_node_names_and_namespaces():
            return None
        found = [topic for topic, types in self.get_subscriber_names_and_types_by_node(name, namespace or '/')
                 if IMAGE_TYPE in types]
        return found[0] if found else None

    @staticmethod
    def _wait(deadline, condition, problem):
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise SourceError(problem)
            time.sleep(0.05)

    def _on_label_map(self, message):
        self.class_names = [c['name'] for c in json.loads(message.data)['classes']]

    def _on_labels(self, message):
        now = time.monotonic()
        stamp = message.header.stamp.sec * 10 ** 9 + message.header.stamp.nanosec
        labels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, :message.width]
        with self._arrived:
            if stamp in self._sent:  # else somebody else's image
                self._answers[stamp] = Answer(labels, now - self._sent.pop(stamp))
                self._arrived.notify_all()
