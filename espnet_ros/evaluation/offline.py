"""Evaluation of a model on every frame, as fast as the machine can."""
import concurrent.futures
import contextlib
import queue
import threading
import typing

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.evaluation.frames import FrameSource
from espnet_ros.evaluation.pictures import frame_pictures
from espnet_ros.evaluation.scans import ScanSettings, score_source
from espnet_ros.evaluation.scoring import Comparison, score_frame
from espnet_ros.evaluation.tasks import TaskResult
from espnet_ros.segmenter import Segmenter

_PREFETCHED = 2
"""Number of decoded frames that wait for the engine."""
OFFLINE, ONE_BY_ONE = 'offline', 'offline, one frame at a time'
"""Values of Setup.mode: with and without threads that decode and score while the engine runs."""


class Setup(typing.NamedTuple):
    """Everything that determines the results. It can be pickled for processes that see the same files.

    model: name, card or weights file. width, height, backend, device, precision: as for `engine.build_engine`.
    sources: of the frames. comparisons: one for each source. protocol: of scoring.PROTOCOLS. outlines: whether to
    compute boundary F1. mode: how the images reach the model, in words. overlap: decode and score other frames while
    the engine runs, which is faster but adds to the latency that is measured. upsampling: as in Segmenter. scans: how
    to score the scans of bags with depth or a lidar; None not to.
    """

    model: str
    width: int
    height: int
    backend: str
    device: str
    precision: str
    sources: tuple[FrameSource, ...]
    comparisons: tuple[Comparison, ...]
    protocol: str
    outlines: bool
    mode: str = OFFLINE
    overlap: bool = True
    upsampling: str = 'nearest'
    scans: ScanSettings | None = None


class FrameReference(typing.NamedTuple):
    """A frame to draw: the index of its source, a frame number not above its own, its topic and stamp in ns."""

    source: int
    start: int
    topic: str
    stamp: int


class Evaluator:
    """A model to evaluate. Raises EspnetError."""

    def __init__(self, setup):
        self.setup = setup
        model = models.find(setup.model)
        self.segmenter = Segmenter(build_engine(model.card, models.load(model), setup.width, setup.height,
                                                setup.backend, setup.device, setup.precision, strict=True),
                                   upsampling=setup.upsampling)

    def describe(self):
        """Return the engine's EngineInfo."""
        return self.segmenter.engine.describe()

    def run(self, task):
        """Yield a TaskResult for each frame of a Task and one for its end.

        The engine does not wait for anything else: one thread decodes and resizes the next images, another one resizes
        and scores the last labels.

        A record is plain data: bag, topic, stamp (ns), latency (seconds from image to labels), stages (seconds of
        each), and with ground truth what scoring.score_frame returns.
        """
        if not self.setup.overlap:
            yield from self._run_one_by_one(task)
            return
        with contextlib.closing(prefetch(self._prepared(task))) as frames, \
                concurrent.futures.ThreadPoolExecutor(1) as scorer:
            count, scored = 0, None
            for frame, prepared, problems in frames:
                score = frame and scorer.submit(self._record, task.source, frame, self.segmenter.infer(prepared))
                if scored:  # the frame before, scored while the engine ran
                    count += 1
                    yield TaskResult(task._replace(stop=task.start + count), [scored.result()], problems)
                scored = score
            yield TaskResult(task, [], problems)

    def _run_one_by_one(self, task):
        """Yield as `run` does, without other threads while a frame is segmented, as on a robot."""
        with contextlib.closing(fresh_frames(self.setup.sources[task.source], task)) as frames:
            for count, (frame, problems) in enumerate(frames, 1):
                if frame is None:
                    yield TaskResult(task, [], problems)
                    return
                inferred = self.segmenter.infer(self.segmenter.prepare(frame.image))
                yield TaskResult(task._replace(stop=task.start + count), [self._record(task.source, frame, inferred)],
                           problems)

    def _prepared(self, task):
        """Yield (frame without its image, Prepared image, problems), as fresh_frames does."""
        with contextlib.closing(fresh_frames(self.setup.sources[task.source], task)) as frames:
            for frame, problems in frames:
                if frame is None:
                    yield None, None, problems
                else:
                    yield frame._replace(image=None), self.segmenter.prepare(frame.image), problems

    def _record(self, source, frame, inferred):
        result = self.segmenter.finish(inferred)
        record = {'bag': source, 'topic': frame.topic, 'stamp': frame.stamp, 'latency': sum(result.timings),
                  'stages': result.timings._asdict()}
        if frame.truth is not None:
            record.update(score_frame(self.setup.comparisons[source], frame.truth, result.labels, self.setup.protocol,
                                      self.setup.outlines, frame.instances))
        return record

    def draw(self, reference):
        """Return the FramePictures of a FrameReference, None if it no longer exists."""
        with contextlib.closing(self.setup.sources[reference.source].fresh_copy().frames(reference.start)) as frames:
            for frame in frames:
                if (frame.topic, frame.stamp) == (reference.topic, reference.stamp):
                    return frame_pictures(self.setup.comparisons[reference.source], frame.image, frame.truth,
                                          self.segmenter.segment(frame.image).labels)
        return None

    def scans(self, source):
        """Return the scans.Scored of a source, given its number, or the sentence why there is none."""
        return score_source(self.setup, source, lambda frame: self.segmenter.segment(frame.image).labels)


def fresh_frames(source, task):
    """Yield each frame of a Task with the problems found up to it, and at the end None with all of them."""
    source = source.fresh_copy()
    for frame in source.frames(task.start, task.stop):
        yield frame, source.skipped
    yield None, source.skipped


def prefetch(items):
    """Yield the items of an iterator that a thread runs, up to two items ahead. Closing it ends the thread."""
    waiting: queue.Queue = queue.Queue(_PREFETCHED)
    stop = threading.Event()

    def put(entry):
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(entry, timeout=0.1)
                return

    def read():
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
            put((None, StopIteration))
        except BaseException as error:  # raised again in the consumer
            put((None, error))
        finally:
            items.close()

    thread = threading.Thread(target=read, name='prefetch', daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is StopIteration:
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()
        thread.join()


