"""The stream of one camera through the segmentation node."""
import math
import threading
import time

from espnet_ros.diagnostics.latency import RateMeter, StageTimes
from espnet_ros.diagnostics.status import OutputState
from espnet_ros.nodes.segmentation.schedule import Turn


class Stream:
    """One camera: its ImageInput, its Outputs, and its counters and times.

    camera: its name in topics and diagnostics, '' without one. priority, rate: as in parameters camera_priorities and
    camera_rates. publishing: held while outputs are published. Fields are set by the Worker alone: published, skipped,
    failed (counters); failure: the last frame's error, and doubt: why its labels may be useless, '' without one;
    started: monotonic seconds at which its last frame was taken; busy_since: likewise while a frame is in work, else
    None.
    """

    def __init__(self, image_input, outputs, camera='', priority=1, rate=0.0):
        self.input = image_input
        self.outputs = outputs
        self.camera = camera
        self.times = StageTimes()
        self.rate = RateMeter()
        self.published = self.skipped = self.failed = 0
        self.failure = self.doubt = ''
        self.started = -math.inf
        self.busy_since = None
        self.publishing = threading.Lock()
        self._priority = priority
        self._limit = rate

    def turn(self, max_rate):
        """Return the Turn that `schedule.choose` needs; max_rate: in Hz, 0 for no limit."""
        since = self.input.slot.since if self.busy_since is None else None  # one image at a time, in their order
        limits = [limit for limit in (max_rate, self._limit) if limit > 0]
        return Turn(since, self.started + 1.0 / min(limits) if limits else -math.inf, self._priority)

    def output_state(self, active, enabled, now):
        """Return the OutputState for diagnostics; now: seconds of the node's clock."""
        since = self.busy_since
        total = self.times.percentiles().get('total')
        return OutputState(active, enabled, self.outputs.subscribers, self.rate.rate(now), self.published,
                           self.skipped, self.failed, self.failure, self.rate.rhythm(),
                           0.0 if since is None else time.monotonic() - since, total and total.p50,
                           self.outputs.delivery_problem() if active else '', self.doubt)
