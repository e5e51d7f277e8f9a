"""The worker with stand-ins for node, input, outputs and segmenter."""
import threading
import types

import numpy as np
import pytest
from ros_process import wait_until

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.engine import EngineInfo  # noqa: E402
from espnet_ros.nodes.segmentation.settings import SegmentationParameters  # noqa: E402
from espnet_ros.nodes.segmentation.stream import Stream  # noqa: E402
from espnet_ros.nodes.segmentation.worker import Worker  # noqa: E402
from espnet_ros.segmenter import Segmentation, Timings  # noqa: E402

HEADER = types.SimpleNamespace(stamp=types.SimpleNamespace(sec=0, nanosec=0))
MESSAGE = types.SimpleNamespace(header=HEADER)


class StandIns:
    """All that a Worker uses. publishing, proceed: set while something is published, and to let it go on."""

    def __init__(self):
        from espnet_ros.nodes.common.slot import NewestSlot
        self.slot = NewestSlot()
        self.subscribers, self.wants_inference, self.wants_confidence = 1, True, False
        self.published, self.infos, self.segmented = [], [], 0
        self.publishing, self.proceed, self.inferring = threading.Event(), threading.Event(), threading.Event()
        self.proceed.set()
        self.infer = threading.Event()
        self.infer.set()
        self.engine = types.SimpleNamespace(describe=lambda: EngineInfo('torch', 'CPU', 'fp32', 0.0))

    # The node
    def get_logger(self):
        return types.SimpleNamespace(info=print, warning=print, error=lambda text, **_: print(text))

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(nanoseconds=0))

    # The input
    def to_bgr(self, message, max_decode_time, refuse_damaged):
        return np.zeros((6, 8, 3), np.uint8)

    def camera_info_of(self, header):
        return 'info'

    def accept(self):
        pass

    def refuse(self, reason):
        pytest.fail(reason)

    # The segmenter
    def segment(self, image, confidence, threshold):
        self.segmented += 1
        self.inferring.set()
        assert self.infer.wait(30.0)
        return Segmentation(np.zeros(image.shape[:2], np.uint8), None, Timings(0.0, 0.0, 0.0))

    def at_output_size(self, image):
        return image

    # The outputs
    def publish(self, *arguments):
        self.publishing.set()
        assert self.proceed.wait(30.0)
        self.published.append(arguments)

    def delivery_problem(self):
        return ''

    def publish_camera_info(self, header, shape, info):
        self.infos.append((header, shape, info))


@pytest.fixture
def parts():
    return StandIns()


@pytest.fixture
def stream(parts):
    return Stream(parts, parts)


@pytest.fixture
def worker(parts, stream):
    found = Worker(parts, lambda progress: parts, [stream], SegmentationParameters)
    found.start()
    found.activate()
    yield found
    parts.proceed.set()
    parts.infer.set()
    found.stop()


def test_deactivate_returns_after_what_is_being_published(worker, parts):
    parts.proceed.clear()
    parts.slot.put(MESSAGE)
    assert parts.publishing.wait(30.0)
    threading.Timer(0.2, parts.proceed.set).start()
    worker.deactivate()
    assert len(parts.published) == 1


def test_nothing_is_published_once_deactivate_has_returned(worker, stream, parts):
    parts.infer.clear()
    parts.slot.put(MESSAGE)
    assert parts.inferring.wait(30.0)
    worker.deactivate()
    parts.infer.set()
    wait_until(lambda: stream.skipped == 1)
    assert parts.published == []


def test_a_publisher_that_hangs_does_not_hold_up_deactivate_for_ever(worker, parts):
    parts.proceed.clear()
    parts.slot.put(MESSAGE)
    assert parts.publishing.wait(30.0)
    worker.deactivate()
    assert not worker.active


def test_a_lone_subscriber_of_camera_info_starts_no_inference(worker, stream, parts):
    parts.wants_inference = False
    parts.slot.put(MESSAGE)
    wait_until(lambda: parts.infos)
    assert parts.infos == [(HEADER, (6, 8), 'info')] and parts.segmented == 0
    assert stream.skipped == 1


def test_without_subscribers_nothing_is_done(worker, stream, parts):
    parts.subscribers = 0
    parts.slot.put(MESSAGE)
    wait_until(lambda: stream.skipped == 1)
    assert parts.segmented == 0 and parts.infos == parts.published == []
