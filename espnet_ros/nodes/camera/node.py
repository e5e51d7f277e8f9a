"""The camera node: publishes images from a webcam, stream, video, folder or the synthetic street."""
import threading
import typing

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from espnet_ros.images.pictures import public_address
from espnet_ros.images.sources import LARGEST, LOOP_SECONDS, open_source
from espnet_ros.nodes.camera.calibration import pinhole_to_info, read_calibration
from espnet_ros.nodes.camera.feed import Feed
from espnet_ros.nodes.camera.ground_truth import GroundTruth
from espnet_ros.nodes.common.clock import warn_without_clock
from espnet_ros.nodes.common.endpoints import resolve
from espnet_ros.nodes.common.messages import array_to_image, bgr_to_compressed, scale_camera_info
from espnet_ros.nodes.common.parameters import ParameterSet, Rule

# Reliable matches reliable and best-effort subscribers; a few images deep, so that a recorder that lags loses none.
CAMERA_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)


class CameraParameters(typing.NamedTuple):
    """Parameters of the camera node with their defaults."""

    source: str = 'street'
    width: int = 0
    height: int = 0
    rate: float = 0.0
    loop: bool = False
    frame_id: str = 'camera'
    camera_info_url: str = ''
    jpeg_quality: int = 80
    wait_for_subscriber: bool = False
    depth_encoding: str = '32FC1'
    lidar_rings: int = 16
    lidar_noise: float = 0.0


CAMERA_RULES = {
    'source': Rule('street or street:SEED (synthetic), webcam index or /dev path, rtsp:// or http:// stream, video '
                   'file, image file, or folder of images.', fixed=True),
    'width': Rule('Width of the images in pixels; 0: that of the source, or from height and aspect ratio.', 0, LARGEST,
                  fixed=True),
    'height': Rule('Height of the images in pixels; 0: that of the source, or from width and aspect ratio.', 0, LARGEST,
                   fixed=True),
    'rate': Rule('Images per second; 0: that of the source, else 10.', 0.0, 1000.0, fixed=True),
    'loop': Rule('Repeat a video, a folder, or the first {:g} s of the street, which are then drawn beforehand.'.format(
        LOOP_SECONDS), fixed=True),
    'frame_id': Rule('frame_id in the header of all messages.', fixed=True),
    'camera_info_url': Rule('Calibration file (YAML of camera_calibration): path, file:// or package://.', fixed=True),
    'jpeg_quality': Rule('JPEG quality of image_raw/compressed.', 1, 100),
    'wait_for_subscriber': Rule('Publish the first image only once somebody subscribes.', fixed=True),
    'depth_encoding': Rule('Of depth/image_rect_raw (street): meters as 32FC1 or millimeters as 16UC1.',
                           choices=('32FC1', '16UC1'), fixed=True),
    'lidar_rings': Rule('Rings of the simulated lidar in points (street).', 1, 128, fixed=True),
    'lidar_noise': Rule('Standard deviation of its ranges in meters.', 0, 10, fixed=True),
}


class CameraOutputs:
    """The camera's topics; images are converted only for subscribers."""

    def __init__(self, node, info, with_labels):
        """info: CameraInfo to send along, for its own size; with_labels: whether there is a ground truth."""
        self._info = info
        self._image = node.create_publisher(Image, 'image_raw', CAMERA_QOS)
        self._compressed = node.create_publisher(CompressedImage, 'image_raw/compressed', CAMERA_QOS)
        self._camera_info = node.create_publisher(CameraInfo, 'camera_info', CAMERA_QOS)
        self._labels = node.create_publisher(Image, 'ground_truth', CAMERA_QOS) if with_labels else None

    @property
    def viewers(self):
        """Number of subscriptions to the images."""
        return self._image.get_subscription_count() + self._compressed.get_subscription_count()

    def publish(self, capture, header, jpeg_quality):
        """Publish a Capture on every topic, all with `header`."""
        height, width = capture.image.shape[:2]
        info = scale_camera_info(self._info, width, height) if self._info.width else CameraInfo()
        info.header, info.width, info.height = header, width, height
        self._camera_info.publish(info)
        if self._labels is not None and self._labels.get_subscription_count():
            self._labels.publish(array_to_image(capture.labels, 'mono8', header))
        if self._image.get_subscription_count():
            self._image.publish(array_to_image(capture.image, 'bgr8', header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(bgr_to_compressed(capture.image, jpeg_quality, header))

    def flush(self):
        """Wait at most 1 s for each topic until subscribers have received everything."""
        for publisher in (self._image, self._compressed, self._camera_info, self._labels):
            if hasattr(publisher, 'wait_for_all_acked'):  # since Humble
                publisher.wait_for_all_acked(Duration(seconds=1))


class CameraNode(Node):
    """Wires source, feed and topics together; the program ends with the source."""

    def __init__(self, stop):
        """Open the source and start to publish; stop: tells the program to end. Raises EspnetError."""
        super().__init__('camera')
        self._stop = stop
        self._feed = None
        self._settings = ParameterSet(self, CameraParameters(), CAMERA_RULES)
        self._settings.check_problems()
        settings = self._settings.value
        info = read_calibration(settings.camera_info_url) if settings.camera_info_url else CameraInfo()
        source = open_source(settings.source, settings.width, settings.height, settings.rate, settings.loop)
        if source.camera_matrix is not None and not settings.camera_info_url:
            info = pinhole_to_info(source.camera_matrix, *source.size)
        self._outputs = CameraOutputs(self, info, source.labeled)
        self._truth = GroundTruth(self, source, settings) if source.mount is not None else None
        self._feed = Feed(source, settings.rate, self)
        warn_without_clock(self)
        self.get_logger().info('active: images of {} on {}{}'.format(
            public_address(settings.source), resolve(self, 'image_raw'),
            ', waiting for a subscriber' * settings.wait_for_subscriber))
        self._player = threading.Thread(target=self._play, name='camera', daemon=True)
        self._player.start()

    def destroy_node(self):
        """Stop publishing before the publishers are destroyed."""
        if self._feed is not None:
            self._feed.stop()
            self._player.join(1.0)
        return super().destroy_node()

    def _play(self):
        try:
            self._publish_all()
            self._stop()
        except Exception as error:
            if not self._feed.stopped:  # else the node is being destroyed
                self._stop(error)

    def _publish_all(self):
        settings = self._settings.value
        while settings.wait_for_subscriber and not self._outputs.viewers:
            if not self._feed.wait(0.05):
                return
        count = 0
        for capture, stamp in self._feed:
            header = Header(frame_id=settings.frame_id, stamp=stamp.to_msg())
            self._outputs.publish(capture, header, self._settings.value.jpeg_quality)
            if self._truth is not None:
                self._truth.publish(capture, header)
            count += 1
        if not self._feed.stopped:
            self._outputs.flush()
            self.get_logger().info('the source has ended after {} images'.format(count))
