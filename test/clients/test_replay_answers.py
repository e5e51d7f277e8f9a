"""Which answer belongs to which played image, and what is no answer; the test is the node."""
import threading
import time

import numpy as np
import pytest
from ros_process import wait_until

from espnet_ros.errors import SourceError
from espnet_ros.labels import LabelClass, LabelSet
from espnet_ros.labels.label_map import set_to_label_map

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.clients.replay import REPLAY_GAP  # noqa: E402

STAMPS = [1_000_000_000 * 10**9 + number * 10**8 for number in range(6)]
BLACK = np.zeros((8, 8, 3), np.uint8)


def answer_to(stamp, frame_id, value=1, **changes):
    """The labels that a node would publish: 8 x 8 pixels of `value`."""
    from sensor_msgs.msg import Image
    message = Image(height=8, width=8, step=8, encoding='mono8', data=bytes([value]) * 64)
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    for name, changed in changes.items():
        setattr(message, name, changed)
    return message


def status(name, message, level=0, **values):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    return DiagnosticArray(status=[DiagnosticStatus(
        name=name, level=bytes([level]), message=message,
        values=[KeyValue(key=key.replace('_', ' '), value=value) for key, value in values.items()])])


class Deaf:
    """A node with the topics of a segmentation node, which says what the test tells it."""

    def __init__(self, context, namespace):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import Image
        from std_msgs.msg import String

        from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS
        self.name = namespace + '/deaf'
        self.node = rclpy.create_node('deaf', namespace=namespace, context=context)
        self.labels = self.node.create_publisher(Image, '~/labels', 10)
        self.label_map = self.node.create_publisher(String, '~/label_map', LATCHED_QOS)
        self.diagnostics = self.node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.node.create_subscription(Image, 'image', lambda message: None, 10)

    def describe(self, text=set_to_label_map(LabelSet('roads', (LabelClass(0, 'road', 1, (128, 64, 128)),)))):
        from std_msgs.msg import String
        self.label_map.publish(String(data=text))

    def says(self, message, level=0, **values):
        self.diagnostics.publish(status(self.name.lstrip('/') + ': Engine', message, level, **values))


@pytest.fixture
def deaf(ros_context, request):
    found = Deaf(ros_context, '/test{}'.format(abs(hash(request.node.name))))
    yield found
    found.node.destroy_node()


@pytest.fixture
def player(play, deaf, monkeypatch):
    """A Player connected to it."""
    monkeypatch.setattr('espnet_ros.clients.replay._DIAGNOSTICS_SECONDS', 0.2)  # none comes by itself
    deaf.describe()
    deaf.says('ready')
    found = play(deaf.name)
    found.connect(30.0)
    assert found.class_names == ['road']
    return found


def test_cameras_with_equal_stamps_are_told_apart(player, deaf):
    player.send(STAMPS[0], 'left', BLACK)
    player.send(STAMPS[0], 'right', BLACK)
    deaf.labels.publish(answer_to(STAMPS[0], 'right', 2))
    assert player.wait(STAMPS[0], 'right', 30.0)
    answer, = player.take()
    assert answer[:2] == (STAMPS[0], 'right') and answer.labels.tolist() == [[2] * 8] * 8


def test_another_recording_with_the_same_stamps_begins_afresh(player, deaf):
    player.send(STAMPS[0], 'camera', BLACK)
    deaf.labels.publish(answer_to(STAMPS[0], 'camera', 1))
    assert player.wait(STAMPS[0], 'camera', 30.0)  # answered, but nobody took it
    time.sleep(0.3)
    player.forget()
    assert player.take() == []
    before = time.monotonic()
    player.send(STAMPS[0], 'camera', BLACK)
    deaf.labels.publish(answer_to(STAMPS[0], 'camera', 2))  # a late answer to the first
    deaf.labels.publish(answer_to(STAMPS[0] + REPLAY_GAP, 'camera', 3))
    assert player.wait(STAMPS[0], 'camera', 30.0)
    answer, = player.take()
    assert answer.labels[0, 0] == 3 and answer.latency <= time.monotonic() - before


def test_stamps_never_decrease(player, deaf):
    from sensor_msgs.msg import Image
    seen = []
    player.create_subscription(Image, deaf.name.rpartition('/')[0] + '/image', lambda m: seen.append(m.header), 10)
    wait_until(lambda: player.count_subscribers(deaf.name.rpartition('/')[0] + '/image') == 2)
    for stamp, frame_id in ((STAMPS[3], 'a'), (STAMPS[3], 'b'), (STAMPS[1], 'a'), (STAMPS[2], 'a'), (STAMPS[1], 'a')):
        player.send(stamp, frame_id, BLACK)
    wait_until(lambda: len(seen) == 5)
    stamps = [header.stamp.sec * 10**9 + header.stamp.nanosec for header in seen]
    third = STAMPS[3] + REPLAY_GAP
    assert stamps == [STAMPS[3], STAMPS[3], third, third + STAMPS[2] - STAMPS[1], third]  # the last is sent again
    deaf.labels.publish(answer_to(third, 'a'))
    assert player.wait(STAMPS[1], 'a', 30.0)
    assert player.take()[0][:2] == (STAMPS[1], 'a')


def test_answers_to_others_and_second_answers_are_not_taken(player, deaf):
    player.send(STAMPS[1], 'camera', BLACK)
    for stamp, frame_id in ((STAMPS[0], 'camera'), (STAMPS[1], 'other'), (STAMPS[1], 'camera'), (STAMPS[1], 'camera')):
        deaf.labels.publish(answer_to(stamp, frame_id))
    assert player.wait(STAMPS[1], 'camera', 30.0)
    player.send(STAMPS[2], 'camera', BLACK)
    deaf.labels.publish(answer_to(STAMPS[2], 'camera'))
    assert player.wait(STAMPS[2], 'camera', 30.0)
    assert [answer.stamp for answer in player.take()] == [STAMPS[1], STAMPS[2]]


def test_no_answer_is_a_sentence_with_what_the_node_says(player, deaf):
    deaf.says('one image has been in work for 7 s', 1)
    wait_until(lambda: 'in work' in player.silence(0))
    with pytest.raises(SourceError, match='gave no labels within 0 s; its diagnostics say: Engine: one image has been'):
        player.ask(STAMPS[0], 'camera', BLACK, 0.3)
    assert player.wait(STAMPS[0], 'camera', 0.1) is False


def test_an_image_without_an_answer_is_sent_again(player, deaf):
    from sensor_msgs.msg import Image
    seen = []

    def on_image(message):
        seen.append(message.header.stamp.nanosec)
        if len(seen) == 2:
            deaf.labels.publish(answer_to(STAMPS[2], 'camera', 4))
    player.create_subscription(Image, deaf.name.rpartition('/')[0] + '/image', on_image, 10)
    wait_until(lambda: player.count_subscribers(deaf.name.rpartition('/')[0] + '/image') == 2)
    answer = player.ask(STAMPS[2], 'camera', BLACK, 60.0)
    assert answer.labels[0, 0] == 4 and answer.latency > 1.9  # from when it was sent first
    assert player.repeated == 1 and seen[:2] == [200_000_000] * 2


def test_an_engine_that_is_being_built_is_waited_for(play, deaf):
    deaf.describe()
    player, told = play(deaf.name), []
    built, stop = threading.Event(), threading.Event()

    def build():
        while not stop.wait(0.2):
            deaf.says('forging', phase='ready' if built.is_set() else 'building')

    def tell(text):
        told.append(text)
        built.set()
    thread = threading.Thread(target=build)
    thread.start()
    try:
        with pytest.raises(SourceError, match='is still forging'):
            player.connect(30.0, 1.0)
        player.connect(30.0, 300.0, tell)
    finally:
        stop.set()
        thread.join()
    assert told and set(told) == {'forging'}


def test_an_engine_that_fails_ends_every_wait(player, deaf):
    deaf.says('no engine: out of memory', 2)
    with pytest.raises(SourceError, match='has no engine: no engine: out of memory'):
        player.ask(STAMPS[0], 'camera', BLACK, 60.0)
    with pytest.raises(SourceError, match='out of memory'):
        player.wait(STAMPS[0], 'camera', 60.0)


def test_a_node_that_counts_nothing_has_no_counters(player):
    player._told = 0
    assert player.counters() == {}


@pytest.mark.parametrize('changes, sentence', [
    ({'step': 0}, 'labels cannot be read'),
    ({'data': bytes(5)}, 'labels cannot be read'),
    ({'encoding': 'rgb8', 'step': 24, 'data': bytes(192)}, "labels cannot be read: it has 'rgb8' images, not mono8"),
    ({'encoding': 'mono16', 'step': 16, 'data': bytes(128)}, "labels cannot be read: it has 'mono16' images"),
])
def test_what_is_no_label_image_ends_the_wait_with_a_sentence(player, deaf, changes, sentence):
    player.send(STAMPS[0], 'camera', BLACK)
    deaf.labels.publish(answer_to(STAMPS[0], 'camera', **changes))
    with pytest.raises(SourceError, match=sentence):
        player.wait(STAMPS[0], 'camera', 60.0)


@pytest.mark.parametrize('text', ['x', '[]', '{}', '{"classes": [1]}', '[' * 100000])
def test_what_is_no_label_map_is_a_sentence(play, deaf, text):
    deaf.describe(text)
    with pytest.raises(SourceError, match='publishes no label map .*; is it a segmentation node?'):
        play(deaf.name).connect(30.0)
