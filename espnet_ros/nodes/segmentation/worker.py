"""Worker thread of the segmentation node: builds the engine, then segments images."""
import threading
import time

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import EngineState
from espnet_ros.errors import EspnetError, ImageError
from espnet_ros.nodes.common.messages import stamp_to_seconds
from espnet_ros.nodes.segmentation.image_input import OLD_SECONDS
from espnet_ros.nodes.segmentation.schedule import choose

NO_CONFIDENCE = 'the confidence of the last image is 0 everywhere; the weights are of no use or the engine is'
_ONE_BUILD = threading.Lock()
"""An abandoned build ends before the next one begins: a small board has no memory for two."""


class Worker(threading.Thread):
    """Builds the engine, then takes a camera's newest image, segments it and publishes, until told to stop.

    Images of several cameras are segmented in as many threads as the engine may be called from at the same time.

    build: returns a ready segmenter.Segmenter or raises EngineError; it may take minutes and reports its progress
    to the function it gets. streams: a Stream for each camera; schedule.choose tells whose turn it is. settings:
    returns the current SegmentationParameters.
    """

    def __init__(self, node, build, streams, settings):
        super().__init__(name='segmentation', daemon=True)
        self.enabled = True
        self._active = False
        self._node = node
        self._build = build
        self._streams = streams
        self._settings = settings
        self._stopped = threading.Event()
        self._arrived = arrived = threading.Condition()
        self._began = time.monotonic()
        self._segmenter = None
        self._engine = EngineState(keys.BUILDING)

        def on_put():  # not a method, which would keep the worker and its engine as long as the input
            with arrived:
                arrived.notify()
        for stream in streams:
            stream.input.slot.on_put = on_put

    @property
    def active(self):
        """Whether it segments images."""
        return self._active

    def activate(self):
        """Segment the images from now on."""
        self._active = True

    def deactivate(self):
        """Stop segmenting. Nothing is published after this returns; a publisher that blocks is waited for 1 s."""
        self._active = False
        deadline = time.monotonic() + 1.0
        for stream in self._streams:
            if stream.publishing.acquire(timeout=max(0.0, deadline - time.monotonic())):
                stream.publishing.release()

    def stop(self, timeout=1.0):
        """End the thread; a build that takes longer than `timeout` is abandoned and publishes nothing."""
        self._stopped.set()
        self.deactivate()
        self.join(timeout)

    def run(self):
        """Build the engine, then segment images until stopped."""
        self._segmenter = self._built()
        if self._segmenter is None:
            return
        others = [threading.Thread(target=self._serve, name='segmentation', daemon=True) for _ in range(
            min(self._segmenter.engine.concurrency, len(self._streams)) - 1)]
        for other in others:
            other.start()
        self._serve()
        for other in others:
            other.join()

    def _serve(self):
        """Segment images until stopped."""
        while not self._stopped.is_set():
            stream, message = self._next()
            if message is not None:
                self._handle(stream, message)

    def _next(self):
        """Return the Stream whose turn it is and its image, which are then this thread's; (None, None) after 0.1 s."""
        with self._arrived:
            max_rate, now = self._settings().max_rate, time.monotonic()
            index, pause = choose([stream.turn(max_rate) for stream in self._streams], now)
            if index is None:
                self._arrived.wait(0.1 if pause is None else min(pause, 0.1))  # max_rate may change meanwhile
                return None, None
            stream = self._streams[index]
            message = stream.input.slot.take(timeout=0)
            if message is not None:
                stream.started = stream.busy_since = now
            return stream, message

    def engine_state(self):
        """Return the EngineState for diagnostics."""
        engine = self._engine
        if engine.phase == keys.BUILDING:
            return engine._replace(seconds=time.monotonic() - self._began)
        found = self._segmenter.engine.problem if self._segmenter else ''
        return engine._replace(problem='; '.join(filter(None, (engine.problem, found))))

    def _progress(self, words):
        self._engine = EngineState(keys.BUILDING, values=((keys.STEP, words),))
        self._node.get_logger().info(words)

    def _built(self):
        """Return the segmenter, None when it cannot be built; set the EngineState accordingly."""
        while not _ONE_BUILD.acquire(timeout=0.1):
            if self._stopped.is_set():
                return None
        try:
            segmenter = self._build(self._progress)
            info = segmenter.engine.describe()
        except Exception as error:  # whatever a backend raises, the node reports it and goes on
            self._engine = EngineState(
                keys.FAILED, problem=str(error) if isinstance(error, EspnetError) else repr(error))
            return None
        finally:
            _ONE_BUILD.release()
        if self._stopped.is_set():
            return None
        self._engine = EngineState(keys.READY, info.build_seconds, info.fallback, (
            (keys.BACKEND, info.backend), (keys.DEVICE, info.device), (keys.PRECISION, info.precision),
            ('build time (s)', '{:.1f}'.format(info.build_seconds)), ('cache', info.cache),
            (keys.CHOICE, info.choice)))
        if info.fallback:
            self._node.get_logger().warning('{}; using {} instead'.format(info.fallback, info.backend))
        self._node.get_logger().info('engine ready after {:.1f} s: {} on {}, {}{}'.format(
            info.build_seconds, info.backend, info.device, info.precision,
            ' ({})'.format(info.choice) if info.choice else ''))
        return segmenter

    def _handle(self, stream, message):
        try:
            if not self.enabled or not self._active or not stream.outputs.subscribers:
                stream.skipped += 1
            elif stream.outputs.wants_inference:
                self._segment(stream, message)
            else:
                self._publish_camera_info(stream, message)
        except ImageError as error:
            stream.input.refuse(str(error))
        except Exception as error:  # one bad frame must not end the node
            if self._stopped.is_set():
                return  # the node is being destroyed
            stream.failed += 1
            stream.failure = repr(error)
            self._node.get_logger().error('cannot segment an image: {!r}'.format(error),
                                          throttle_duration_sec=5.0)
        finally:
            stream.busy_since = None

    def _segment(self, stream, message):
        settings = self._settings()
        header = message.header
        began = time.perf_counter()
        image = stream.input.to_bgr(message, settings.max_decode_time, settings.refuse_damaged)
        converted = time.perf_counter()
        result = self._segmenter.segment(image, stream.outputs.wants_confidence, settings.confidence_threshold)
        segmented = time.perf_counter()
        if result.confidence is not None:
            stream.doubt = '' if result.confidence.any() else NO_CONFIDENCE
        with stream.publishing:
            if not self._active:
                stream.skipped += 1
                return
            stream.outputs.publish(
                header, lambda: self._segmenter.at_output_size(image), result, settings.overlay_alpha,
                settings.jpeg_quality, stream.input.camera_info_of(header))
        done = time.perf_counter()
        stream.input.accept()
        stream.failure = ''
        stream.published += 1
        now = self._now()
        stream.rate.add(now)
        stream.times.add(convert=converted - began, preprocess=result.timings.preprocess,
                         inference=result.timings.inference, postprocess=result.timings.postprocess,
                         publish=done - segmented, total=done - began)
        age = now - stamp_to_seconds(header.stamp)
        if abs(age) < OLD_SECONDS:  # else stamp and clock are unrelated, which the input reports
            stream.times.add(**{keys.STAMP_TO_OUTPUT: age})

    def _publish_camera_info(self, stream, message):
        """Publish the camera_info alone, which needs no inference."""
        settings = self._settings()
        image = stream.input.to_bgr(message, settings.max_decode_time, settings.refuse_damaged)
        shape = self._segmenter.at_output_size(image).shape[:2]
        stream.skipped += 1
        with stream.publishing:
            if self._active:
                stream.outputs.publish_camera_info(message.header, shape, stream.input.camera_info_of(message.header))
        stream.input.accept()

    def _now(self):
        return self._node.get_clock().now().nanoseconds * 1e-9
