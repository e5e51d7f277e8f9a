"""Output topics of the segmentation node, each computed only while it has subscribers."""
import cv2
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

try:
    from vision_msgs.msg import LabelInfo, VisionClass
except ImportError:  # vision_msgs is optional: ~/label_map has the same content
    LabelInfo = None

from espnet_ros.errors import ImageError, quoted
from espnet_ros.images import render
from espnet_ros.labels import CATEGORIES, CATEGORY_SET, autoware
from espnet_ros.labels.label_map import set_to_label_map
from espnet_ros.nodes.common.endpoints import create_publisher, resolve
from espnet_ros.nodes.common.messages import array_to_image, autoware_mask, bgr_to_compressed, scale_camera_info
from espnet_ros.nodes.segmentation.compressor import LabelCompressor

# Reliable matches reliable and best-effort subscribers; depth 1, because old labels are useless.
OUTPUT_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
LARGEST_BEST_EFFORT = 512 << 10
"""Bytes of a message that Fast DDS delivers reliably to best-effort subscribers: the size of its shared memory."""
LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Outputs:
    """The publishers of one model's outputs for one camera."""

    def __init__(self, node, label_set, camera=''):
        """camera: name of the camera in the topics, ~/CAMERA/labels and so on; '' leaves it out."""
        self._node = node
        self._prefix = '~/{}/'.format(camera) if camera else '~/'
        self._label_set = label_set
        self._categories = label_set.category_table()
        self._topics = {}
        self._sizes = {}
        self._is_limited = get_rmw_implementation_identifier().startswith('rmw_fastrtps')
        self._warned = set()
        self._info_problem = ''
        self._rgb = label_set.palette()
        self._bgr = self._rgb[:, ::-1].copy()
        self._labels = self._image('labels')
        self._labels_compressed = self._publisher(CompressedImage, 'labels/compressed')
        self._compressor = LabelCompressor(self._labels_compressed)
        self._category_ids = self._image('categories')
        self._masks = [(i, self._image('mask/' + name)) for i, name in enumerate(CATEGORIES) if i > 0]
        self._confidence = self._image('confidence')
        self._probabilities = self._image('probabilities')
        self._autoware = self._publisher(Image, 'autoware/mask')
        self._autoware_ids = autoware.table_of(label_set)
        self._color = self._image('color')
        self._overlay = self._image('overlay')
        self._overlay_compressed = self._publisher(CompressedImage, 'overlay/compressed')
        # A mask's consumers of image_transport look for its camera_info beside it.
        self._camera_infos = [self._publisher(CameraInfo, name) for name in ('camera_info', 'mask/camera_info')]
        self._inferred = [self._labels, self._labels_compressed, self._category_ids, self._confidence, self._color,
                          self._probabilities, self._autoware,
                          self._overlay, self._overlay_compressed] + [mask for _, mask in self._masks]
        self._label_map = node.create_publisher(String, self._prefix + 'label_map', LATCHED_QOS)
        self._label_infos = [] if LabelInfo is None else [
            node.create_publisher(LabelInfo, self._prefix + name, LATCHED_QOS)
            for name in ('label_info', 'categories/label_info')]

    @property
    def subscribers(self):
        """Number of subscriptions to outputs of each frame."""
        return sum(publisher.get_subscription_count() for publisher in self._inferred + self._camera_infos)

    @property
    def wants_inference(self):
        """Whether an output that needs inference has subscribers."""
        return any(_wanted(publisher) for publisher in self._inferred)

    @property
    def wants_confidence(self):
        """Whether an output that needs the confidence has subscribers."""
        return _wanted(self._confidence) or _wanted(self._probabilities)

    def delivery_problem(self):
        """Return a sentence when a subscriber does not get what it asked for, else ''; each is logged where it begins.

        That is a best-effort subscriber of large outputs, or one of camera_info without any from the camera.
        """
        problems = [self._info_problem] if self._info_problem else []
        for topic, size in sorted(self._sizes.items()):
            if size <= LARGEST_BEST_EFFORT:
                continue
            listeners = sorted({info.node_name for info in self._node.get_subscriptions_info_by_topic(topic)
                                if info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT})
            if not listeners:
                continue
            problems.append('{} subscribes to {} at best effort, which loses messages of {} KiB; let it request '
                            'reliable, set output_size to network, or use compressed images'.format(
                                ', '.join(listeners), topic, size >> 10))
            if topic not in self._warned:
                self._warned.add(topic)
                self._node.get_logger().warning(problems[-1])
        return '; '.join(problems)

    def close(self):
        """Destroy all publishers."""
        self._compressor.close()
        latched = [self._label_map] + self._label_infos
        for publisher in self._inferred + self._camera_infos + latched:
            self._node.destroy_publisher(publisher)

    def announce(self, threshold):
        """Publish the latched label map; threshold is the confidence below which pixels are unlabeled, 0..1."""
        stamp = self._node.get_clock().now().to_msg()
        self._label_map.publish(String(data=set_to_label_map(self._label_set, threshold)))
        for publisher, label_set in zip(self._label_infos, (self._label_set, CATEGORY_SET)):
            message = LabelInfo(threshold=threshold, class_map=[
                VisionClass(class_id=c.id, class_name=c.name) for c in label_set.classes])
            message.header.stamp = stamp
            publisher.publish(message)

    def publish(self, header, picture, segmentation, alpha, jpeg_quality, camera_info):
        """Publish the outputs that have subscribers, with the stamp and frame_id of `header`, labels first.

        picture: returns BGR uint8 [H, W, 3], the image at the labels' size. segmentation: a segmenter.Segmentation.
        camera_info: the camera's CameraInfo or None.
        """
        labels = segmentation.labels
        self._send(self._labels, lambda: labels, 'mono8', header)
        if _wanted(self._labels_compressed):
            self._compressor.put(header, labels)
        needs_categories = [self._category_ids, self._probabilities] + [mask for _, mask in self._masks]
        if any(_wanted(publisher) for publisher in needs_categories):
            categories = render.categories(labels, self._categories)
            if segmentation.confidence is not None:
                self._send(self._probabilities, lambda: render.category_probabilities(
                    categories, segmentation.confidence, len(CATEGORIES) - 1), '32FC7', header)
            self._send(self._category_ids, lambda: categories, 'mono8', header)
            for category, publisher in self._masks:
                self._send(publisher, lambda c=category: render.category_mask(categories, c), 'mono8', header)
        if segmentation.confidence is not None:
            self._send(self._confidence, lambda: segmentation.confidence, 'mono8', header)
        if _wanted(self._autoware):
            self._autoware.publish(autoware_mask(labels, self._autoware_ids, header))
        self.publish_camera_info(header, labels.shape, camera_info)
        self._send(self._color, lambda: render.colorize(labels, self._rgb), 'rgb8', header)
        if _wanted(self._overlay) or _wanted(self._overlay_compressed):
            try:
                self._publish_overlay(header, picture, labels, alpha, jpeg_quality)
            except (ImageError, cv2.error) as error:  # the labels are out: the frame was segmented
                self._node.get_logger().warning('no overlay is published: {}'.format(quoted(error)),
                                                throttle_duration_sec=5.0)

    def _publish_overlay(self, header, picture, labels, alpha, jpeg_quality):
        overlay = render.overlay(picture(), render.colorize(labels, self._bgr), alpha, labels)
        self._send(self._overlay, lambda: cv2.cvtColor(overlay, cv2.COLOR_BGR2RGB), 'rgb8', header)
        if _wanted(self._overlay_compressed):
            self._overlay_compressed.publish(bgr_to_compressed(overlay, jpeg_quality, header))

    def publish_camera_info(self, header, shape, camera_info):
        """Publish a CameraInfo (or None), scaled to outputs of `shape` (height, width), if it has subscribers."""
        wanted = [publisher for publisher in self._camera_infos if _wanted(publisher)]
        problem, self._info_problem = self._info_problem, ''
        if not wanted:
            return
        try:
            if camera_info is None:
                raise ImageError('none has come from the camera; remap `camera_info` to its topic')
            info = scale_camera_info(camera_info, shape[1], shape[0])
        except ImageError as error:
            self._info_problem = 'no camera_info is published: {}'.format(error)
            if self._info_problem != problem:
                self._node.get_logger().warning(self._info_problem, throttle_duration_sec=5.0)
            return
        info.header.stamp = header.stamp
        info.header.frame_id = header.frame_id
        for publisher in wanted:
            publisher.publish(info)

    def _send(self, publisher, make, encoding, header):
        if _wanted(publisher):
            message = array_to_image(make(), encoding, header)
            if self._is_limited:
                self._sizes[self._topics[publisher]] = len(message.data)
            publisher.publish(message)

    def _image(self, name):
        publisher = self._publisher(Image, name)
        self._topics[publisher] = resolve(self._node, self._prefix + name)
        return publisher

    def _publisher(self, kind, name):
        topic = self._prefix + name
        logged = []

        def on_incompatible():
            if not logged:
                logged.append(True)
                self._node.get_logger().warning(
                    'a subscriber of {} requests a quality of service that is not offered; use reliable or best '
                    'effort, and volatile durability'.format(topic))
        return create_publisher(self._node, kind, topic, OUTPUT_QOS, on_incompatible)


def _wanted(publisher):
    return publisher.get_subscription_count() > 0
