"""Rolling rates and percentiles."""
import collections
import threading
import typing

import numpy as np


class Percentiles(typing.NamedTuple):
    """Median, 95th and 99th percentile, in seconds."""

    p50: float
    p95: float
    p99: float


class Rhythm(typing.NamedTuple):
    """Regularity of events: median interval, and jitter: 95% of the intervals differ from the median by less.

    In seconds; None where there are too few events.
    """

    interval: typing.Optional[float] = None
    jitter: typing.Optional[float] = None


class StageTimes:
    """The last durations of each named stage. Safe to use from several threads."""

    def __init__(self, kept=256):
        self._kept = kept
        self._stages = collections.OrderedDict()
        self._lock = threading.Lock()

    def add(self, **seconds):
        """Record one duration for each stage named."""
        with self._lock:
            for stage, value in seconds.items():
                self._stages.setdefault(stage, collections.deque(maxlen=self._kept)).append(value)

    def percentiles(self):
        """Return an ordered dict from stage to Percentiles, in the order in which stages were first added."""
        with self._lock:
            copies = [(stage, np.array(values)) for stage, values in self._stages.items()]
        return collections.OrderedDict(
            (stage, Percentiles(*np.percentile(values, (50, 95, 99)).tolist())) for stage, values in copies)


class RateMeter:
    """Events per second over the last `window` seconds of a clock that the caller reads. Safe to use from several
    threads."""

    def __init__(self, window=5.0):
        self._window = window
        # Bounded also for a clock that stands still, as in simulated time before its start.
        self._times = collections.deque(maxlen=1024)
        self._interval = None
        self._lock = threading.Lock()

    @property
    def last(self):
        """Time of the last event in seconds, None before the first."""
        with self._lock:
            return self._times[-1] if self._times else None

    def add(self, now):
        """Count an event at `now` seconds. A clock that jumped back resets the meter."""
        with self._lock:
            if self._times and now < self._times[-1]:
                self._times.clear()
            elif self._times:
                self._interval = now - self._times[-1]
            self._times.append(now)
            self._forget(now)

    def rate(self, now):
        """Return events per second, measured between the events of the window; 0 with fewer than two."""
        with self._lock:
            self._forget(now)
            count = len(self._times)
            if count < 2:
                return 0.0
            # The time since the last event counts, so that the rate falls at once when events stop.
            interval = (self._times[-1] - self._times[0]) / (count - 1)
            span = max(self._times[-1] - self._times[0], now - self._times[0] - interval)
            return (count - 1) / span if span > 0 else 0.0

    def rhythm(self):
        """Return the Rhythm of the window's events; of two events, or of slower ones, the interval alone."""
        with self._lock:
            intervals = np.diff(np.array(self._times))
        if not len(intervals):
            return Rhythm(self._interval)
        median = float(np.median(intervals))
        jitter = None if len(intervals) < 2 else float(np.percentile(np.abs(intervals - median), 95))
        return Rhythm(median, jitter)

    def _forget(self, now):
        while len(self._times) > 1 and self._times[0] < now - self._window:
            self._times.popleft()
