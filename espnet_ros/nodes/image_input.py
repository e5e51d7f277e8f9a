"""The segmentation node's ear: newest image, its camera_info, and what is wrong with them."""
import collections
import typing

from rclpy.expand_topic_name import expand_topic_name
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # before Iron
    from rclpy.qos_event import SubscriptionEventCallbacks

from espnet_ros.nodes.messages import compressed_to_bgr, image_to_bgr, stamp_to_seconds
from espnet_ros.nodes.slot import NewestSlot
from espnet_ros.telemetry.latency import RateMeter
from espnet_ros.telemetry.status import SILENCE_SECONDS, InputState

FUTURE_SECONDS = 0.1
"""A stamp further ahead of the node's clock than this means that two clocks disagree."""
OLD_SECONDS = 600.0
"""A stamp further behind than this belongs to a recording."""
RELIABILITY = {'best_effort': ReliabilityPolicy.BEST_EFFORT, 'reliable': ReliabilityPolicy.RELIABLE}


class ImageInput:
    """Listens to images and camera_info; `slot` holds the newest image message."""

    def __init__(self, node, transport, reliability):
        """transport: 'raw' or 'compressed'. reliability: a key of RELIABILITY."""
        self.slot = NewestSlot()
        self.to_bgr = _TRANSPORTS[transport].to_bgr
        self.topic = _TRANSPORTS[transport].topic(node)
        self._node = node
        self._kind = _TRANSPORTS[transport].kind
        self._reliability = reliability
        self._subscriptions = []
        self._rate = RateMeter()
        self._since = 0.0
        self._received = self._lost = self._refused = 0
        self._sequence = None
        self._refusal = self._clock_problem = self._qos_problem = ''
        self._last_stamp = None
        self._clock_problem_at = 0.0
        self._warned = set()
        self._infos = collections.OrderedDict()

    def open(self):
        """Subscribe."""
        self._since = self._now()
        self._sequence = None
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=RELIABILITY[self._reliability],
                         durability=DurabilityPolicy.VOLATILE)
        # Sequence numbers, which tell what was lost on the way, come with newer rclpy alone.
        callback = self._on_numbered_image if hasattr(Subscription, 'CallbackType') else self._on_image
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos)
        self._subscriptions = [
            self._node.create_subscription(self._kind, self.topic, callback, qos, event_callbacks=events),
            self._node.create_subscription(CameraInfo, 'camera_info', self._on_camera_info, qos_profile_sensor_data)]

    def close(self):
        """Stop listening; an image that waits is dropped."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self.slot.clear()

    def refuse(self, reason):
        """Count a frame that could not be read as an image."""
        self._refused += 1
        self._refusal = reason
        self._node.get_logger().warning('refused an image on {}: {}'.format(self.topic, reason),
                                        throttle_duration_sec=5.0)

    def accept(self):
        """Note that the newest frame was read."""
        self._refusal = ''

    def camera_info_of(self, header):
        """Return the CameraInfo with the stamp of `header`, else the newest one, else None."""
        key = header.stamp.sec, header.stamp.nanosec
        if key in self._infos:
            return self._infos[key]
        return next(reversed(list(self._infos.values())), None)

    def state(self, active):
        """Return the InputState for diagnostics."""
        now = self._now()
        last = self._rate.last
        publishers = self._node.count_publishers(self.topic)
        silence = max(0.0, now - (self._since if last is None else max(last, self._since)))
        if publishers > 1:
            self._warn_once('several publishers on {}: their images alternate; remap `image` to one camera'.format(
                self.topic))
        # Several writers number their images independently: gaps then mean nothing.
        lost = self._lost if self._sequence is not None and publishers <= 1 else None
        return InputState(active, self.topic, publishers, self._rate.rate(now), self._received, lost,
                          self.slot.dropped, self._refused, silence, self._refusal, self._clock_problem,
                          self._qos_problem)

    def _now(self):
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _on_numbered_image(self, message, info):
        number = info.get('publication_sequence_number')
        if number is not None:
            # A number that falls back belongs to a camera that was started again.
            if self._sequence is not None and number > self._sequence:
                self._lost += number - self._sequence - 1
            self._sequence = number
        self._on_image(message)

    def _on_image(self, message):
        self._received += 1
        now = self._now()
        self._rate.add(now)
        self._check_stamp(stamp_to_seconds(message.header.stamp), now)
        self.slot.put(message)

    def _check_stamp(self, stamp, now):
        if stamp == 0.0:
            problem = 'stamps are zero; set the header stamp in the camera driver'
        elif self._last_stamp is not None and stamp < self._last_stamp:
            problem = 'stamps jumped {:.3f} s backwards; is a recording looping, or do two cameras share {}?'.format(
                self._last_stamp - stamp, self.topic)
        elif stamp > now + FUTURE_SECONDS:
            problem = ('stamps lie {:.3f} s in the future; synchronise the clocks (chrony, PTP), or set use_sim_time '
                       'for recordings'.format(stamp - now))
        elif stamp < now - OLD_SECONDS:
            problem = 'stamps are {:.0f} s old; for recordings play with --clock and set use_sim_time'.format(
                now - stamp)
        else:
            problem = ''
        if problem and not self._clock_problem:
            self._node.get_logger().warning('images on {}: {}'.format(self.topic, problem))
        if problem:
            self._clock_problem, self._clock_problem_at = problem, now
        elif abs(now - self._clock_problem_at) > SILENCE_SECONDS:  # a jump lasts one frame: keep it in sight
            self._clock_problem = ''
        self._last_stamp = stamp

    def _on_camera_info(self, message):
        self._infos[message.header.stamp.sec, message.header.stamp.nanosec] = message
        while len(self._infos) > 32:
            self._infos.popitem(last=False)

    def _on_incompatible_qos(self, _event):
        self._qos_problem = ('a publisher of {} offers another quality of service than is asked for; '.format(self.topic)
                             + ('set image_reliability to best_effort' if self._reliability == 'reliable'
                                else 'compare with: ros2 topic info -v ' + self.topic))
        self._warn_once(self._qos_problem)

    def _warn_once(self, text):
        if text not in self._warned:
            self._warned.add(text)
            self._node.get_logger().warning(text)


class _Transport(typing.NamedTuple):
    kind: type
    to_bgr: typing.Callable
    topic: typing.Callable


def _raw_topic(node):
    return node.resolve_topic_name('image')


def _compressed_topic(node):
    """Return `image/compressed`, following a remapping of it or of `image`."""
    own = node.resolve_topic_name('image/compressed')
    if own != expand_topic_name('image/compressed', node.get_name(), node.get_namespace()):
        return own
    return _raw_topic(node) + '/compressed'


_TRANSPORTS = {
    'raw': _Transport(Image, image_to_bgr, _raw_topic),
    'compressed': _Transport(CompressedImage, compressed_to_bgr, _compressed_topic)}
