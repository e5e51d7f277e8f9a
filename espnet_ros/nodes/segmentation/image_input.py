"""Image subscription: newest frame, camera_info, input faults."""
import collections
import time
import typing

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from espnet_ros.diagnostics.latency import RateMeter
from espnet_ros.diagnostics.status import SILENCE_SECONDS, InputState
from espnet_ros.errors import ImageError
from espnet_ros.nodes.common.clock import NO_CLOCK, PATIENCE
from espnet_ros.nodes.common.endpoints import create_subscription, expand, resolve, similar_topics
from espnet_ros.nodes.common.messages import compressed_to_bgr, image_to_bgr, stamp_to_seconds
from espnet_ros.nodes.common.slot import NewestSlot

FUTURE_SECONDS = 0.1
"""A stamp further ahead of the node's clock means that the clocks of two machines differ."""
OLD_SECONDS = 600.0
"""An older stamp is taken to be from a recording."""
RELIABILITY = {'best_effort': ReliabilityPolicy.BEST_EFFORT, 'reliable': ReliabilityPolicy.RELIABLE}
"""Fixed settings; 'auto' follows what the camera offers."""

_LOSS_REMEDY = ('best effort loses what does not fit the shared memory of the middleware (512 KiB in Fast DDS); let '
                'the camera publish with reliable QoS, or use its compressed images')


class ImageInput:
    """Subscribes to images and camera_info; `slot` holds the newest image message."""

    def __init__(self, node, transport, reliability, image='image', camera_info='camera_info'):
        """transport: 'raw' or 'compressed'. reliability: 'auto' or a key of RELIABILITY.

        image, camera_info: topics before remapping; compressed images are on `compressed` below `image`.
        """
        self.slot = NewestSlot()
        self._to_bgr = _TRANSPORTS[transport].to_bgr
        self.topic = _TRANSPORTS[transport].topic(node, image)
        self._node = node
        self._image, self._camera_info = image, camera_info
        self._kind = _TRANSPORTS[transport].kind
        self._wanted = RELIABILITY.get(reliability)
        self._reliability = None
        self._subscriptions = []
        self._rate = RateMeter()
        self._since = 0.0
        self._received = self._lost = self._refused = 0
        self._sequence = None
        self._gap = 0
        self._several_publishers = False
        self._counted = (0, 0)
        self._refusal = self._clock_problem = self._qos_problem = self._damage = ''
        self._last_stamp = None
        self._clock_problem_at = 0.0
        self._warned = set()
        self._infos = collections.OrderedDict()
        self._newest_info = None
        self._made = time.monotonic()

    def open(self):
        """Subscribe."""
        self._since = self._now()
        self._sequence = self._last_stamp = None
        self._refusal = self._clock_problem = self._qos_problem = ''
        self._reliability = self._suited()
        self._subscriptions = [self._subscribe(), self._node.create_subscription(
            CameraInfo, self._camera_info, self._on_camera_info, qos_profile_sensor_data)]

    def close(self):
        """Unsubscribe; an image that waits is dropped."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self.slot.clear()

    def adapt(self):
        """Subscribe again when the camera's reliability has changed; call this periodically while open."""
        suited = self._suited()
        if self._subscriptions and suited != self._reliability:
            self._reliability = suited
            self._sequence = None  # images sent between the two subscriptions are not lost in transport
            self._node.destroy_subscription(self._subscriptions[0])
            self._subscriptions[0] = self._subscribe()

    def refuse(self, reason):
        """Count an image that could not be decoded, and log why."""
        self._refused += 1
        self._refusal = reason
        self._node.get_logger().warning('refused an image on {}: {}'.format(self.topic, reason),
                                        throttle_duration_sec=10.0)

    def to_bgr(self, message, max_decode_time=0.0, refuse_damaged=False):
        """Return the message's image, BGR uint8 [H, W, 3]. Raises ImageError. For the rest see the parameters."""
        if self._kind is Image:
            return self._to_bgr(message)
        found = []
        image = self._to_bgr(message, found.append, max_decode_time)
        self._damage, = found
        if self._damage and refuse_damaged:
            damage, self._damage = self._damage, ''
            raise ImageError('it is damaged: {}; look at the camera and its connection'.format(damage))
        return image

    def accept(self):
        """Note that the newest image was decoded."""
        self._refusal = ''

    def camera_info_of(self, header):
        """Return the CameraInfo with the stamp of `header`, else the newest one, else None."""
        return self._infos.get((header.stamp.sec, header.stamp.nanosec), self._newest_info)

    def state(self, active):
        """Return the InputState for diagnostics."""
        now = self._now()
        self._since = min(self._since or now, now)  # simulated time starts late and may restart
        last = self._rate.last
        last = None if last is not None and last > now else last
        silence = max(0.0, now - (self._since if last is None else max(last, self._since)))
        publishers = self._node.count_publishers(self.topic)
        if publishers == 0:
            self._qos_problem = ''
        if self._several_publishers != (publishers > 1):
            self._several_publishers = publishers > 1
            self._sequence = None
        if publishers > 1:
            self._warn_once('several publishers on {}: their images alternate; remap `{}` to one camera'.format(
                self.topic, self._image))
        if now == 0.0 and active and time.monotonic() > self._made + PATIENCE:
            self._warn_once(NO_CLOCK)
        # Several publishers number their images independently: gaps do not mean losses then.
        lost = None if self._sequence is None or self._several_publishers else self._lost
        return InputState(active, self.topic, publishers, self._rate.rate(now), self._received, lost,
                          self.slot.dropped, self._refused, silence, self._refusal,
                          NO_CLOCK if now == 0.0 else self._clock_problem,
                          self._qos_problem or ('' if lost is None else self._transport_problem()),
                          self._rate.rhythm(), self._damage, self._image, () if publishers else similar_topics(
                              self._node, self.topic, 'sensor_msgs/msg/' + self._kind.__name__))

    def _transport_problem(self):
        """Return a sentence when best effort lost many images since the last call, else ''."""
        received, lost = self._received - self._counted[0], self._lost - self._counted[1]
        self._counted = self._received, self._lost
        if self._reliability != ReliabilityPolicy.BEST_EFFORT or lost < 2 or lost < 0.2 * (lost + received):
            return ''
        self._warn_once('images on {} are lost in transport: {}'.format(self.topic, _LOSS_REMEDY))
        return '{} of {} images were lost in transport: {}'.format(lost, lost + received, _LOSS_REMEDY)

    def _suited(self):
        """Return the reliability to request: the parameter's, else reliable where every publisher offers it."""
        if self._wanted is not None:
            return self._wanted
        offers = {info.qos_profile.reliability for info in self._node.get_publishers_info_by_topic(self.topic)}
        if not offers and self._reliability is not None:
            return self._reliability  # no camera: no reason to change
        return ReliabilityPolicy.RELIABLE if offers == {ReliabilityPolicy.RELIABLE} else ReliabilityPolicy.BEST_EFFORT

    def _subscribe(self):
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=self._reliability,
                         durability=DurabilityPolicy.VOLATILE)
        # Only newer versions of rclpy pass sequence numbers, which reveal losses in transport.
        callback = self._on_numbered_image if hasattr(Subscription, 'CallbackType') else self._on_image
        return create_subscription(self._node, self._kind, self.topic, callback, qos, self._on_incompatible_qos)

    def _now(self):
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _on_numbered_image(self, message, info):
        number = info.get('publication_sequence_number')
        if number is not None:
            if self._sequence is not None and number > self._sequence:
                self._gap = number - self._sequence - 1
                self._lost += self._gap
            elif self._sequence is not None:
                # The camera was restarted, or the gap before was between two cameras.
                self._lost -= self._gap
                self._gap = 0
            self._sequence = number
        self._on_image(message)

    def _on_image(self, message):
        self._received += 1
        self._qos_problem = ''
        now = self._now()
        self._rate.add(now)
        self._check_stamp(stamp_to_seconds(message.header.stamp), now)
        self.slot.put(message)

    def _check_stamp(self, stamp, now):
        if now == 0.0:
            return  # state() reports the missing clock
        if stamp == 0.0:
            problem = 'stamps are zero; set the header stamp in the camera driver'
        elif self._last_stamp is not None and stamp < self._last_stamp:
            problem = 'stamps jumped {:.3f} s backwards; is a recording looping, or do two cameras share {}?'.format(
                self._last_stamp - stamp, self.topic)
        elif stamp == self._last_stamp:
            problem = 'two images have the stamp {:.3f} s; is the camera driver publishing an image twice?'.format(
                stamp)
        elif stamp > now + FUTURE_SECONDS:
            problem = ('stamps lie {:.3f} s in the future; synchronize the clocks (chrony, PTP), or set use_sim_time '
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
        elif abs(now - self._clock_problem_at) > SILENCE_SECONDS:  # a jump lasts one frame: keep it visible
            self._clock_problem = ''
        self._last_stamp = stamp

    def _on_camera_info(self, message):
        self._newest_info = message
        self._infos[message.header.stamp.sec, message.header.stamp.nanosec] = message
        while len(self._infos) > 32:
            self._infos.popitem(last=False)

    def _on_incompatible_qos(self):
        if self._wanted is None:
            return  # adapt() will request less
        self._qos_problem = 'a publisher of {} offers another quality of service than requested; {}'.format(
            self.topic, 'set image_reliability to auto' if self._wanted == ReliabilityPolicy.RELIABLE
            else 'compare with: ros2 topic info -v ' + self.topic)
        self._warn_once(self._qos_problem)

    def _warn_once(self, text):
        if text not in self._warned:
            self._warned.add(text)
            self._node.get_logger().warning(text)


class _Transport(typing.NamedTuple):
    kind: type
    to_bgr: typing.Callable
    topic: typing.Callable


def _compressed_topic(node, image):
    """Return the topic `compressed` below `image`, following a remapping of either."""
    topic = image + '/compressed'
    own = resolve(node, topic)
    return own if own != expand(node, topic) else resolve(node, image) + '/compressed'


_TRANSPORTS = {
    'raw': _Transport(Image, image_to_bgr, resolve),
    'compressed': _Transport(CompressedImage, compressed_to_bgr, _compressed_topic)}
