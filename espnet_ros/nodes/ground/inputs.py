"""The ground node's inputs: newest messages by stamp."""
import collections

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from espnet_ros.nodes.common.endpoints import resolve
from espnet_ros.nodes.common.messages import stamp_to_seconds

LATCHED_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Input:
    """The last messages on one topic, and a subscription that asks for what its publishers offer."""

    def __init__(self, node, kind, topic, depth, on_message=None):
        """depth: messages kept. on_message: called with each message, or None."""
        self.topic = resolve(node, topic)
        self.received = 0
        self._node, self._kind, self._on_message = node, kind, on_message
        self._messages = collections.deque(maxlen=depth)
        self._reliability = None
        self._subscription = None
        self.adapt()

    def adapt(self):
        """Ask for reliable delivery where every publisher offers it: best effort loses large messages."""
        offers = {info.qos_profile.reliability for info in self._node.get_publishers_info_by_topic(self.topic)}
        if not offers and self._reliability is not None:
            return
        suited = ReliabilityPolicy.RELIABLE if offers == {ReliabilityPolicy.RELIABLE} else ReliabilityPolicy.BEST_EFFORT
        if suited != self._reliability:
            self._reliability = suited
            self.close()
            self._subscription = self._node.create_subscription(
                self._kind, self.topic, self._receive, QoSProfile(depth=2, reliability=suited))

    def close(self):
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    @property
    def publishers(self):
        return self._node.count_publishers(self.topic)

    def newest(self):
        """Return the last message, None before the first."""
        return self._messages[-1] if self._messages else None

    def at(self, stamp):
        """Return the message with exactly this stamp, or None."""
        for message in reversed(self._messages):
            if message.header.stamp == stamp:
                return message
        return None

    def near(self, stamp, slop):
        """Return (message, seconds apart) nearest to a stamp and at most `slop` seconds away, else (None, seconds).

        (None, None) before the first message.
        """
        if not self._messages:
            return None, None
        wanted = stamp_to_seconds(stamp)
        best = min(self._messages, key=lambda m: abs(stamp_to_seconds(m.header.stamp) - wanted))
        apart = abs(stamp_to_seconds(best.header.stamp) - wanted)
        return (best if apart <= slop else None), apart

    def _receive(self, message):
        self.received += 1
        self._messages.append(message)
        if self._on_message is not None:
            self._on_message(message)
