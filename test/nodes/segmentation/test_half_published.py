"""An overlay that cannot be made takes nothing back: the labels are out."""
import types

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from std_msgs.msg import Header  # noqa: E402

from espnet_ros.errors import ImageError  # noqa: E402
from espnet_ros.labels import CAMVID  # noqa: E402
from espnet_ros.nodes.segmentation import outputs  # noqa: E402
from espnet_ros.segmenter import Segmentation, Timings  # noqa: E402


class Publisher:
    def __init__(self, listeners):
        self.listeners, self.messages = listeners, []

    def get_subscription_count(self):
        return self.listeners

    def publish(self, message):
        self.messages.append(message)


def test_an_overlay_that_cannot_be_encoded_is_told_and_refuses_no_frame(monkeypatch):
    warnings, publishers = [], {}
    node = types.SimpleNamespace(
        create_publisher=lambda kind, topic, qos, **_: Publisher(0),
        get_logger=lambda: types.SimpleNamespace(warning=lambda text, **_: warnings.append(text)))

    def create(node, kind, topic, *_):
        return publishers.setdefault(topic, Publisher(topic in ('~/labels', '~/color', '~/overlay/compressed')))

    def refuse(*_):
        raise ImageError('cannot write it as JPEG')

    monkeypatch.setattr(outputs, 'create_publisher', create)
    monkeypatch.setattr(outputs, 'resolve', lambda node, topic: topic)
    monkeypatch.setattr(outputs, 'bgr_to_compressed', refuse)
    labels = np.zeros((4, 6), np.uint8)
    outputs.Outputs(node, CAMVID).publish(
        Header(frame_id='camera'), lambda: np.zeros((4, 6, 3), np.uint8),
        Segmentation(labels, None, Timings(0.0, 0.0, 0.0)), 0.5, 80, None)
    assert [len(publishers[topic].messages) for topic in ('~/labels', '~/color', '~/overlay/compressed')] == [1, 1, 0]
    assert warnings == ["no overlay is published: 'cannot write it as JPEG'"]
