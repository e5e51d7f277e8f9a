"""The worker with stand-ins for node, input, outputs and segmenter."""
import gc
import threading
import types
import weakref

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
        self.engine = types.SimpleNamespace(describe=lambda: EngineInfo('torch', 'CPU', 'fp32', 0.0), concurrency=1)

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
def make_worker():
    made = []

    def make(parts, streams):
        worker = Worker(parts, lambda progress: parts, streams, SegmentationParameters)
        worker.start()
        worker.activate()
        made.append((worker, parts))
        return worker
    yield make
    for worker, parts in made:
        parts.proceed.set()
        parts.infer.set()
        worker.stop()


@pytest.fixture
def worker(make_worker, parts, stream):
    return make_worker(parts, [stream])


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


def test_two_cameras_are_served_at_once_where_the_engine_can(make_worker):
    a, b = StandIns(), StandIns()
    a.engine = types.SimpleNamespace(describe=a.engine.describe, concurrency=2)
    streams = [Stream(a, a, 'a'), Stream(b, b, 'b')]
    barrier = threading.Barrier(2)
    a.segment = lambda *arguments: (barrier.wait(30.0), StandIns.segment(a, *arguments))[1]
    make_worker(a, streams)
    for parts in a, b:
        parts.slot.put(MESSAGE)
    wait_until(lambda: len(a.published) == len(b.published) == 1)  # neither could be alone
    assert [stream.published for stream in streams] == [1, 1]


def test_an_engine_goes_with_its_worker_and_does_not_wait_for_the_garbage_collector(parts, stream):
    class Segmenter:
        engine, segment, at_output_size = parts.engine, parts.segment, parts.at_output_size
    worker = Worker(parts, lambda progress: Segmenter(), [stream], SegmentationParameters)
    worker.start()
    worker.activate()
    parts.slot.put(MESSAGE)
    wait_until(lambda: stream.published)
    segmenter = weakref.ref(worker._segmenter)
    gc.disable()
    try:
        worker.stop(60.0)
        parts.published.clear()
        del worker
        assert segmenter() is None and stream.published
    finally:
        gc.enable()


def test_images_of_one_camera_keep_their_order(make_worker):
    parts, other, calls = StandIns(), StandIns(), []
    parts.engine = types.SimpleNamespace(describe=parts.engine.describe, concurrency=2)

    def segment(*arguments):
        calls.append(threading.current_thread())
        if len(calls) == 1:
            parts.infer.clear()
        elif len(calls) == 2:
            parts.infer.set()
        return StandIns.segment(parts, *arguments)
    parts.segment = segment
    stream = Stream(parts, parts, 'a')
    make_worker(parts, [stream, Stream(other, other, 'b')])
    parts.slot.put(MESSAGE)
    assert parts.inferring.wait(30.0)
    parts.slot.put(MESSAGE)
    assert stream.turn(0.0).since is None  # the second thread leaves it alone
    other.slot.put(MESSAGE)
    wait_until(lambda: len(parts.published) == 2 and other.published)
    assert calls[0] is not calls[1]
