"""A node that hands a segmentation node's pictures and diagnostics to the live page."""
import collections
import os

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from espnet_ros.errors import EspnetError
from espnet_ros.images.decoding import compressed_to_bgr
from espnet_ros.labels.label_map import label_map_to_set
from espnet_ros.nodes.common.diagnostic_messages import message_to_statuses
from espnet_ros.nodes.common.messages import image_to_bgr, stamp_to_seconds
from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS

CAMERA_BYTES, CAMERA_IMAGES = 64 << 20, 250
"""Camera images kept at most until their output comes: 5 s of 480x360 at 25 Hz, 20 images of 1280x800."""
LONGEST_SIDE = 1280
"""Pixels to which larger pictures are reduced for the page."""
JPEG_QUALITY = 80
_ADAPT_SECONDS = 0.2


class CameraImages:
    """Image messages that wait for their outputs, which come in order and up to seconds later."""

    def __init__(self):
        self._messages = collections.OrderedDict()

    def add(self, message):
        """Keep a message, in place of the oldest ones beyond CAMERA_BYTES or CAMERA_IMAGES."""
        self._messages[message.header.stamp.sec, message.header.stamp.nanosec] = message
        while len(self._messages) > 1 and (len(self._messages) > CAMERA_IMAGES or sum(
                len(image.data) for image in self._messages.values()) > CAMERA_BYTES):
            self._messages.popitem(last=False)

    def of(self, stamp):
        """Return the message of that stamp, which stays for its other outputs, and forget older ones; None without."""
        found = self._messages.get((stamp.sec, stamp.nanosec))
        while found is not None and next(iter(self._messages.values())) is not found:
            self._messages.popitem(last=False)
        return found

    def clear(self):
        """Forget all."""
        self._messages.clear()


class Viewer(Node):
    """Subscribes to what viewers of a FrameStore look at, and to nothing while nobody looks.

    target: returns the full name of the segmentation node, None before it is known. camera: returns the name of its
    image topic, None before it is known. store: a view.frames.FrameStore. on_statuses: called with the Status values of
    each diagnostics message. on_label_set: called with the LabelSet of the node's label map.
    """

    def __init__(self, target, camera, store, on_statuses, on_label_set):
        super().__init__('viewer_{}'.format(os.getpid()))
        self.error = None  # set by background.spinning
        self._target = target
        self._camera = camera
        self._store = store
        self._on_label_set = on_label_set
        self._open = {}
        self._images = CameraImages()
        self.create_subscription(
            DiagnosticArray, '/diagnostics', lambda message: on_statuses(message_to_statuses(message)), 100)
        self.create_timer(_ADAPT_SECONDS, self._adapt)

    def _adapt(self):
        """Open and close subscriptions as viewers come, choose and go."""
        target, camera, wanted = self._target(), self._camera(), self._store.wanted
        topics = {}
        if target:
            topics[target + '/label_map'] = String, self._on_label_map, LATCHED_QOS
        if target and wanted:
            for output in wanted:
                topic, kind = (output + '/compressed', CompressedImage) if output == 'overlay' else (output, Image)
                topics['{}/{}'.format(target, topic)] = kind, self._on_output(output), QoSProfile(depth=1)
            if camera:
                kind = CompressedImage if camera.endswith('/compressed') else Image
                topics[camera] = kind, self._images.add, self._camera_qos(camera)
        for topic in self._open.keys() - topics.keys():
            self.destroy_subscription(self._open.pop(topic))
        for topic in topics.keys() - self._open.keys():
            kind, callback, qos = topics[topic]
            self._open[topic] = self.create_subscription(kind, topic, callback, qos)
        if not wanted:
            self._images.clear()

    def _camera_qos(self, topic):
        """Reliable where every publisher offers that: best effort loses large images."""
        offers = [info.qos_profile.reliability for info in self.get_publishers_info_by_topic(topic)]
        is_reliable = offers and all(offer == ReliabilityPolicy.RELIABLE for offer in offers)
        return QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE if is_reliable
                          else ReliabilityPolicy.BEST_EFFORT)

    def _on_label_map(self, message):
        try:
            self._on_label_set(label_map_to_set(message.data, 'the label map'))
        except EspnetError as error:
            self.get_logger().warning(str(error))

    def _on_output(self, output):
        def callback(message):
            stamp = message.header.stamp
            camera = self._images.of(stamp)
            try:
                self._store.put(output, stamp_to_seconds(stamp), b'' if camera is None else _jpeg(camera),
                                _jpeg(message))
            except EspnetError as error:
                self.get_logger().warning('{} is not shown: {}'.format(output, error), throttle_duration_sec=5.0)
        return callback


def _jpeg(message):
    """Return an Image or CompressedImage as JPEG bytes, reduced to LONGEST_SIDE. Raises ImageError."""
    if isinstance(message, CompressedImage):
        data = bytes(message.data)
        if data.startswith(b'\xff\xd8'):  # JPEG already
            return data
        image = compressed_to_bgr(message)
    else:
        image = image_to_bgr(message)
    scale = LONGEST_SIDE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
