"""Replays images into a running segmentation node and collects its labels."""
import threading
import time
import typing

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import ERROR, OK
from espnet_ros.engine import EngineInfo
from espnet_ros.errors import EspnetError, ImageError, LabelError, SourceError, suggestion
from espnet_ros.images.decoding import image_to_label_pixels, quoted
from espnet_ros.labels.label_map import LABEL_MAP, label_map_to_set
from espnet_ros.nodes.common.diagnostic_messages import message_to_statuses
from espnet_ros.nodes.common.messages import array_to_image
from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS

_ASK_AGAIN, _LATENCIES = 2.0, 4.0
"""An image without an answer is sent again after so many seconds and so many times the last latency."""
_LOOK_SECONDS = 0.1
"""Seconds between checks while waiting."""
_GRAPH_SECONDS = _DIAGNOSTICS_SECONDS = 3.0
"""Seconds for discovery of topics that have come or gone, and for diagnostics, published once a second, to follow."""


REPLAY_GAP = 10 ** 7
"""Nanoseconds between the stamps of an image and of an earlier one that is played after it."""


class _Sent(typing.NamedTuple):
    """An image on its way: time.monotonic() when it was first sent, and the stamp in ns that it was sent with."""

    time: float
    stamp: int


class Answer(typing.NamedTuple):
    """The labels of an image.

    stamp: ns, and frame_id: those of the image. labels: uint8 [H, W]. arrived: time.monotonic() of its arrival.
    latency: seconds from sending the image until then.
    """

    stamp: int
    frame_id: str
    labels: typing.Any
    arrived: float
    latency: float


class Player(Node):
    """Publishes images to one segmentation node and receives its labels, matched by stamp and frame_id.

    Every image is preceded by its stamp on /clock, for nodes with use_sim_time. Spin it in a thread
    (clients.background). Methods that wait raise SourceError when the node is gone or has no engine.
    """

    def __init__(self, target='/espnet', check=lambda: None):
        """target: the segmentation node's full name. check: called while waiting; raises when the node has ended.

        class_names: of the node's model, once it is connected. repeated: number of images sent more than once.
        """
        super().__init__('player')
        self.error = None
        self.class_names = None
        self.repeated = 0
        self._target = target
        self._namespace, _, self._name = target.rpartition('/')
        self._check_program = check
        self._labels = target + '/labels'
        self._arrived = threading.Condition()
        self._answers = []
        self._sent = {}
        self._shift = self._newest = 0
        self._is_fresh = False  # an image with the newest stamp may be another than before
        self._latency = 0.0
        self._statuses = {}
        self._messages = 0
        self._images = None
        self._clock = self.create_publisher(Clock, '/clock', 10)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    # Discovery

    def connect(self, timeout, build_timeout=0.0, tell=lambda text: None):
        """Wait until the node is discovered, topics are matched and its engine is built. Raises SourceError.

        timeout: seconds; build_timeout: those for the engine. tell: called with the progress of the build.
        """
        topic = self._wait(timeout, self._image_topic, self._why_no_images)
        if self._images is None:
            self._open(topic, timeout)
        self._wait(timeout, lambda: self._is_matched(topic), lambda: self._why_unmatched(topic))
        reported = time.monotonic()
        self._wait_briefly(lambda: self._engine_says())
        deadline = reported + build_timeout
        while self._value(keys.ENGINE, keys.PHASE) == keys.BUILDING:
            self._check()
            if time.monotonic() > deadline:
                raise SourceError("'{}' is still {}; wait until it is ready".format(self._target, self._engine_says()))
            if time.monotonic() > reported + 5.0:
                reported = time.monotonic()
                tell(self._engine_says())
            time.sleep(_LOOK_SECONDS)

    def _image_topic(self):
        """Return the topic of raw images that the node subscribes to, None while there is none."""
        found = self._topics(self.get_subscriber_names_and_types_by_node, 'sensor_msgs/msg/Image')
        return found[0] if found else None

    def _why_no_images(self):
        if not self._is_there():
            names = ['/'.join((space.rstrip('/'), name)) for name, space in self.get_node_names_and_namespaces()]
            return "no segmentation node is called '{}'{}".format(
                self._target, suggestion(self._target, names) or '; start it, or give another name')
        return "'{}' takes no raw images: it must be active, with the parameter image_transport:=raw{}".format(
            self._target, self._said())

    def _is_there(self):
        return (self._name, self._namespace or '/') in self.get_node_names_and_namespaces()

    def _topics(self, read, kind):
        """Return the node's topics of a message type that `read` finds, [] where there is no such node."""
        try:
            return [topic for topic, kinds in read(self._name, self._namespace or '/') if kind in kinds]
        except RuntimeError:  # there is no such node
            return []

    def _open(self, topic, timeout):
        """Subscribe to the node and advertise images for it. Raises SourceError."""
        maps = self._wait(timeout, lambda: self._topics(self.get_publisher_names_and_types_by_node,
                                                        'std_msgs/msg/String'),
                          lambda: "'{}' publishes no label map; is it a segmentation node?".format(self._target))
        self._wait(min(timeout, _GRAPH_SECONDS), lambda: self._labels in self._outputs(), lambda: (
            "'{}' publishes its labels elsewhere than on {}: start it without that remapping ({})".format(
                self._target, self._labels, ', '.join(self._outputs()) or 'no images')))
        # A publisher that has just ended may still be listed.
        self._wait(min(timeout, _GRAPH_SECONDS), lambda: not self._others(topic), lambda: (
            '{} also publishes images on {}, which would alternate with the recorded ones; end it, or evaluate with '
            'another node'.format(self._others(topic), topic)))
        self.create_subscription(Image, self._labels, self._on_labels, QoSProfile(depth=10))
        self.create_subscription(String, maps[0], self._on_label_map, LATCHED_QOS)
        self._images = self.create_publisher(Image, topic, QoSProfile(depth=10))

    def _outputs(self):
        return self._topics(self.get_publisher_names_and_types_by_node, 'sensor_msgs/msg/Image')

    def _others(self, topic):
        """Names of the nodes that publish on a topic."""
        return ', '.join(sorted({info.node_name for info in self.get_publishers_info_by_topic(topic)}))

    def _is_matched(self, topic):
        # The node first subscribes at best effort, which loses large images, and changes once it sees the publisher.
        return self.class_names and self.count_publishers(self._labels) and any(
            info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
            for info in self.get_subscriptions_info_by_topic(topic))

    def _why_unmatched(self, topic):
        if self.class_names and self.count_subscribers(topic):
            return ("'{}' subscribes to {} at best effort, which loses images; give it the parameter "
                    'image_reliability:=auto'.format(self._target, topic))
        return "'{}' does not subscribe to {}: configure and activate it{}".format(self._target, topic, self._said())

    # Images and answers

    def send(self, stamp, frame_id, image):
        """Publish an image, BGR uint8 [H, W, 3], with its stamp in ns.

        The node sees stamps that never decrease: what is played again, or earlier, gets later ones.
        """
        with self._arrived:
            sent = self._sent.setdefault((stamp, frame_id), _Sent(time.monotonic(), self._shifted(stamp, frame_id)))
        header = Header(frame_id=frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(sent.stamp, 10 ** 9)
        message = array_to_image(image, 'bgr8', header)
        self._clock.publish(Clock(clock=header.stamp))
        self._images.publish(message)

    def tick(self, elapsed):
        """Let /clock say that so many seconds have passed since the newest image: ages are measured by it."""
        header = Header()
        header.stamp.sec, header.stamp.nanosec = divmod(self._newest + int(1e9 * elapsed), 10 ** 9)
        self._clock.publish(Clock(clock=header.stamp))

    def _shifted(self, stamp, frame_id):
        """Return the stamp to send in place of `stamp`: a node would report stamps that jump backwards."""
        if (stamp, frame_id) in self._sent:
            return self._sent[stamp, frame_id].stamp  # it is sent again
        if stamp + self._shift < self._newest + self._is_fresh:
            self._shift = self._newest + REPLAY_GAP - stamp
        self._newest = stamp + self._shift
        self._is_fresh = False
        return self._newest

    def take(self):
        """Return the Answers that have arrived since the last call, in their order."""
        with self._arrived:
            answers, self._answers = self._answers, []
            return answers

    def wait(self, stamp, frame_id, timeout):
        """Wait until the image sent with these is answered; return whether it is, False after `timeout` seconds."""
        return self._wait_for(lambda: (stamp, frame_id) not in self._sent, timeout)

    def ask(self, stamp, frame_id, image, timeout):
        """Send an image and return its Answer; others that have arrived are lost.

        Raises SourceError when there is none within `timeout` seconds.
        """
        self.forget()
        deadline = time.monotonic() + timeout
        attempts = 0
        while time.monotonic() < deadline:
            self.send(stamp, frame_id, image)
            attempts += 1
            self.repeated += attempts == 2
            patience = max(_ASK_AGAIN, _LATENCIES * self._latency)
            if self._wait_for(lambda: self._answers, min(patience, deadline - time.monotonic())):
                return self.take()[0]
        raise SourceError(self.silence(timeout))

    def forget(self):
        """Ignore answers to images sent so far: another recording may have the same stamps."""
        with self._arrived:
            self._sent.clear()
            self._answers.clear()
            self._is_fresh = True

    def silence(self, seconds):
        """Return a sentence for a node that has published no labels for so long."""
        return "'{}' gave no labels within {:.0f} s{}".format(self._target, seconds, self._said())

    # Diagnostics of the node

    def engine(self):
        """Return the node's EngineInfo, None where its diagnostics have none."""
        backend, device, precision, fallback, choice = (self._value(keys.ENGINE, key) for key in (
            keys.BACKEND, keys.DEVICE, keys.PRECISION, keys.FALLBACK, keys.CHOICE))
        return EngineInfo(backend, device, precision, 0.0, fallback=fallback, choice=choice) if backend else None

    def model(self):
        """Return (SHA-256 of the weights, network input such as 480x360) of the node, '' for what is unknown."""
        return self._value(keys.ENGINE, keys.WEIGHTS), self._value(keys.ENGINE, keys.NETWORK_INPUT)

    def counters(self, settled=True):
        """Return the node's counters of images, a dict with keys.COUNTERS; {} without diagnostics.

        settled: wait for diagnostics that include everything until now, at most some seconds.
        """
        before = self._messages
        # The first message may have been on its way already.
        self._wait_briefly(lambda: not settled or self._messages >= before + 2)
        statuses = self._statuses
        return {counter: keys.count_of(statuses, counter) for counter in keys.COUNTERS if self._messages}

    def _value(self, part, key):
        return keys.value_of(self._statuses, part, key)

    def _said(self):
        """Problems in the node's diagnostics, as the end of a sentence."""
        wrong = ['{}: {}'.format(name, status.message) for name, status in sorted(self._statuses.items())
                 if status.level > OK]
        said = wrong or ['{}: {}'.format(name, status.message) for name, status in sorted(self._statuses.items())]
        return '; its diagnostics say: ' + '; '.join(said) if said else '; it publishes no diagnostics'

    def _engine_says(self):
        return self._statuses[keys.ENGINE].message if keys.ENGINE in self._statuses else ''

    # Waiting

    def _check(self):
        """Raise SourceError when no answer can come."""
        self._check_program()
        if isinstance(self.error, EspnetError):
            raise SourceError(str(self.error))
        if self.error is not None:
            raise self.error
        engine = self._statuses.get(keys.ENGINE)
        if engine is not None and engine.level == ERROR:
            raise SourceError("'{}' has no engine: {}".format(self._target, engine.message))

    def _wait(self, seconds, condition, problem):
        """Return condition() once it is true. Raises SourceError with problem() after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            self._check()
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise SourceError(problem())
            time.sleep(_LOOK_SECONDS)

    def _wait_briefly(self, condition):
        """Wait briefly for diagnostics to fulfill a condition; go on without."""
        deadline = time.monotonic() + _DIAGNOSTICS_SECONDS
        while not condition() and time.monotonic() < deadline:
            self._check()
            time.sleep(_LOOK_SECONDS)

    def _wait_for(self, condition, seconds):
        """Wait until an arriving answer makes condition() true; return whether it is."""
        deadline = time.monotonic() + seconds
        while True:
            self._check()
            with self._arrived:
                if self._arrived.wait_for(condition, min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
                    return True
            if time.monotonic() > deadline:
                return False
            if not self.count_publishers(self._labels):
                raise SourceError("'{}' is gone: nobody publishes {} any more".format(self._target, self._labels))

    # Callbacks; what they raise becomes `error`

    def _on_labels(self, message):
        now = time.monotonic()
        stamp = message.header.stamp.sec * 10 ** 9 + message.header.stamp.nanosec
        with self._arrived:
            key = next((key for key, sent in self._sent.items()
                        if (sent.stamp, key[1]) == (stamp, message.header.frame_id)), None)
        if key is None:
            return  # labels of another publisher's image, or the second ones of an image that was sent twice
        try:
            if message.encoding != 'mono8':
                raise ImageError('it has {} images, not mono8'.format(quoted(message.encoding)))
            labels = image_to_label_pixels(message).copy()
        except ImageError as error:
            raise SourceError('{} cannot be read: {}'.format(self._labels, error))
        with self._arrived:
            if key not in self._sent:
                return  # forgotten meanwhile
            self._latency = now - self._sent[key].time
            # A node answers in order: it has dropped the images sent before this one.
            for earlier in list(self._sent):
                del self._sent[earlier]
                if earlier == key:
                    break
            self._answers.append(Answer(key[0], key[1], labels, now, self._latency))
            self._arrived.notify_all()

    def _on_label_map(self, message):
        try:
            self.class_names = list(label_map_to_set(message.data, self._target + LABEL_MAP).names)
        except LabelError as error:
            raise SourceError("'{}' publishes no label map ({}); is it a segmentation node?".format(
                self._target, error))

    def _on_diagnostics(self, message):
        own = keys.parts_of(message_to_statuses(message), self._target)
        self._statuses = dict(self._statuses, **own)  # another thread reads the old one
        self._messages += bool(own)
