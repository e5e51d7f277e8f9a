"""Images of a source, each at the time it is due."""
import threading
import time

from espnet_ros.errors import SourceError
from espnet_ros.nodes.common.slot import NewestSlot

PLAY_RATE = 10.0
"""Images per second of a source without a rate, such as a folder."""
FIRST_RETRY, LAST_RETRY = 1.0, 30.0
"""Seconds until a lost camera is tried again; they double from the first to the last."""


class Pace:
    """Due times at a steady rate; rate: per second, 0 for immediately.

    They do not drift: a late beat is made up for, but never more than one.
    """

    def __init__(self, rate):
        self._period = 1.0 / rate if rate else 0.0
        self._due = None

    def delay(self):
        """Return the seconds until the next due time; each call advances by one."""
        now = time.monotonic()
        self._due = now if self._due is None else max(self._due + self._period, now - self._period)
        return max(0.0, self._due - now)


class Feed:
    """Iterates over (Capture, stamp) of a source.

    A file waits for each picture to be due. A live source is read by a thread of its own, so that pictures never queue
    up: only the newest is given, and those nobody took in time are dropped. When it is lost, it is looked for until it
    is back.

    source: a capture.Source. rate: pictures per second, 0 for the source's own. node: its clock stamps, its log tells.
    """

    def __init__(self, source, rate, node):
        self._source = source
        self._rate = rate
        self._now = node.get_clock().now
        self._log = node.get_logger()
        self._told = 0
        self._slot = NewestSlot()
        self._stopped = threading.Event()
        self._error = None

    def stop(self):
        """End the iteration; from any thread, at once."""
        self._stopped.set()

    @property
    def stopped(self):
        return self._stopped.is_set()

    def wait(self, seconds):
        """Wait; return False as soon as the feed is stopped."""
        return not self._stopped.wait(seconds)

    def __iter__(self):
        return self._live() if self._source.live else self._played()

    def _played(self):
        pace = Pace(self._rate or self._source.rate or PLAY_RATE)
        with self._source:
            for capture in self._source:
                self._tell_problems()
                if not self.wait(pace.delay()):
                    return
                yield capture, self._now()
        self._tell_problems()

    def _live(self):
        threading.Thread(target=self._read, name='capture', daemon=True).start()
        pace = Pace(self._rate)
        while self.wait(pace.delay()):
            item = None
            while item is None and not self.stopped:
                item = self._slot.take(timeout=0.1)
                if self._error:
                    raise self._error
            if item is not None:
                yield item

    def _read(self):
        lost = False
        retry = FIRST_RETRY
        with self._source:
            while not self.stopped:
                try:
                    for capture in self._source:
                        self._slot.put((capture, self._now()))
                        if self.stopped:
                            return
                        if lost:
                            self._log.info('images arrive again')
                        lost, retry = False, FIRST_RETRY
                except SourceError as error:
                    if not lost:
                        self._log.warning('{}; trying again until it is back'.format(error))
                    lost = True
                except Exception as error:
                    self._error = error
                    return
                self.wait(retry)
                retry = min(2.0 * retry, LAST_RETRY)

    def _tell_problems(self):
        for problem in self._source.problems[self._told:]:
            self._log.warning(problem)
        self._told = len(self._source.problems)
