"""Pictures come when they are due, live ones newest first, and a lost camera comes back."""
import threading
import time

import numpy as np
import pytest

from espnet_ros.errors import SourceError
from espnet_ros.images.sources import Capture, Source
from espnet_ros.nodes.camera import feed
from espnet_ros.nodes.camera.feed import Feed, Pace


class Clock:
    """The steady clock, which stands still."""

    def __init__(self):
        self.time = 100.0

    def monotonic(self):
        return self.time


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(feed, 'time', found)
    return found


def test_pace_does_not_drift(clock):
    pace = Pace(4.0)
    beats = []
    for work in (0.0, 0.1, 0.2, 0.05, 0.0):
        clock.time += work
        clock.time += pace.delay() + 0.001  # a wait is never exact
        beats.append(clock.time - 100.0)
    assert beats == pytest.approx([0.001, 0.251, 0.501, 0.751, 1.001])


def test_pace_makes_up_for_one_late_beat_but_not_for_more(clock):
    pace = Pace(4.0)
    assert pace.delay() == 0.0
    clock.time += 0.3
    assert pace.delay() == 0.0  # due at 0.25
    assert pace.delay() == pytest.approx(0.2)  # due at 0.5, as ever
    clock.time += 10.0
    assert pace.delay() == 0.0
    assert pace.delay() == 0.0
    assert pace.delay() == pytest.approx(0.25)


def test_pace_without_rate_never_waits(clock):
    pace = Pace(0.0)
    assert [pace.delay() for _ in range(3)] == [0.0, 0.0, 0.0]


class Log(list):
    """A node's logger that remembers."""

    def info(self, text):
        self.append('info: ' + text)

    def warning(self, text):
        self.append('warning: ' + text)


class Recorder:
    """What a feed needs of a node; its clock counts."""

    def __init__(self):
        self.log = Log()
        self.time = 0

    def get_clock(self):
        return self

    def now(self):
        self.time += 1
        return self.time

    def get_logger(self):
        return self.log


class Camera(Source):
    """A source of numbered pictures; each list is one connection, which ends with a loss."""

    live = True

    def __init__(self, *connections, gap=0.0):
        super().__init__(0, 0)
        self._connections = list(connections)
        self._gap = gap

    def _once(self):
        for number in self._connections.pop(0) if self._connections else ():
            time.sleep(self._gap)
            yield Capture(np.full((1, 1, 3), number, np.uint8), str(number))
        raise SourceError('camera 5 delivers no more images')


def test_lost_camera_is_told_once_and_comes_back(monkeypatch):
    monkeypatch.setattr(feed, 'FIRST_RETRY', 0.01)
    node = Recorder()
    lines = Feed(Camera([1, 2], [], [], [3, 4], gap=0.05), 0.0, node)
    found = []
    for capture, _ in lines:
        found.append(capture.name)
        if len(found) == 4:
            lines.stop()
    assert found == ['1', '2', '3', '4']
    lost = 'warning: camera 5 delivers no more images; trying again until it is back'
    assert node.log[:2] == [lost, 'info: images arrive again'] and node.log[2:] in ([], [lost])


def test_live_source_gives_the_newest():
    node = Recorder()
    lines = Feed(Camera(range(200), gap=0.005), 5.0, node)
    found = []
    for capture, stamp in lines:
        found.append(int(capture.name))
        assert stamp == found[-1] + 1  # taken when the picture was
        if len(found) == 3:
            lines.stop()
    assert found[0] <= 2 and found[1] > found[0] + 5 and found[2] > found[1] + 5


def test_error_in_the_reading_thread_comes_out():
    class Broken(Camera):
        def _once(self):
            raise ZeroDivisionError
            yield
    with pytest.raises(ZeroDivisionError):
        list(Feed(Broken(), 0.0, Recorder()))


def test_stop_ends_a_feed_whose_camera_hangs():
    released = threading.Event()

    class Hanging(Camera):
        def _once(self):
            released.wait(60.0)
            yield Capture(np.zeros((1, 1, 3), np.uint8), 'late')
    lines = Feed(Hanging(), 0.0, Recorder())
    threading.Timer(0.2, lines.stop).start()
    started = time.monotonic()
    assert list(lines) == []
    assert time.monotonic() - started < 50.0
    released.set()


def test_what_a_file_source_passes_over_is_told_once():
    class Folder(Source):
        def _once(self):
            self._note('a.png is damaged')
            yield Capture(np.zeros((1, 1, 3), np.uint8), 'b')
            self._note('c.png is damaged')
    node = Recorder()
    lines = Feed(Folder(0, 0, loop=True), 1000.0, node)
    found = []
    for capture, _ in lines:
        found.append(capture.name)
        if len(found) == 3:
            lines.stop()
    assert found == ['b', 'b', 'b']
    assert node.log == ['warning: a.png is damaged', 'warning: c.png is damaged']
