"""Newest frames on their way from ROS to browsers."""
import contextlib
import threading
import typing

OUTPUTS = ('overlay', 'color', 'confidence', *('mask/' + name for name in (
    'flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')))
"""Topics of a segmentation node that a browser can show."""


class Frame(typing.NamedTuple):
    """A camera image and what was made of it, both JPEG; `camera` is empty where the image did not arrive.

    number: counts frames of one output, from 1. stamp: seconds, that of the camera image.
    """

    number: int
    stamp: float
    camera: bytes
    output: bytes


class FrameStore:
    """Keeps the newest Frame of each output for any number of viewers; older frames are replaced, never queued."""

    def __init__(self):
        self._condition = threading.Condition()
        self._frames: dict[str, Frame] = {}
        self._viewers: list[dict] = []

    @property
    def wanted(self):
        """The set of outputs that somebody looks at."""
        with self._condition:
            return {viewer['output'] for viewer in self._viewers}

    @contextlib.contextmanager
    def viewer(self):
        """Register a viewer; yields its choice, a dict whose 'output' is one of OUTPUTS."""
        choice = {'output': OUTPUTS[0]}
        with self._condition:
            self._viewers.append(choice)
        try:
            yield choice
        finally:
            with self._condition:
                self._viewers = [viewer for viewer in self._viewers if viewer is not choice]

    def put(self, output, stamp, camera, picture):
        """Replace the newest frame of an output; camera, picture: JPEG bytes."""
        with self._condition:
            number = self._frames[output].number + 1 if output in self._frames else 1
            self._frames[output] = Frame(number, stamp, camera, picture)
            self._condition.notify_all()

    def newer(self, output, number, timeout):
        """Return the newest Frame of an output once it is not frame `number`; None after `timeout` seconds."""
        def is_newer():
            return output in self._frames and self._frames[output].number != number
        with self._condition:
            return self._frames[output] if self._condition.wait_for(is_newer, timeout) else None
