"""The interface of engines."""
import abc
import typing

from espnet_ros.errors import EngineError

if typing.TYPE_CHECKING:
    import numpy as np  # commands start without it

BACKENDS = ('auto', 'torch', 'openvino', 'onnxruntime', 'tensorrt')
PRECISIONS = ('auto', 'fp32', 'bf16', 'fp16', 'int8')
OUTPUT_SIZES = ('camera', 'network')
UPSAMPLINGS = ('nearest', 'bilinear')
"""Sizes of the labels and ways to bring them there (segmenter.Segmenter)."""


class EngineInfo(typing.NamedTuple):
    """How an engine runs: backend, device and precision by name, seconds it took to build, state of its cache.

    fallback, choice: as in Engine.
    """

    backend: str
    device: str
    precision: str
    build_seconds: float
    cache: str = 'none'
    fallback: str = ''
    choice: str = ''


class Engine(abc.ABC):
    """A network at one input size, ready to run.

    card: the ModelCard of the network. width, height: its input size in pixels. fallback: why it runs in place of
    the engine that was asked for; empty when it is that engine. choice: what 'auto' went by; empty when it was not
    left to choose. problem: what it has turned out not to be able to do; empty when all is well. concurrency: how many
    threads may call `run` at the same time.
    """

    fallback = ''
    choice = ''
    problem = ''
    concurrency = 1

    def __init__(self, card, width, height):
        self.card = card
        self.width = width
        self.height = height

    @abc.abstractmethod
    def run(self, image: 'np.ndarray', confidence: bool = False) -> typing.Tuple[
            'np.ndarray', typing.Optional['np.ndarray']]:
        """Segment one image of the engine's size.

        image: BGR uint8 or float32 0..255 [height, width, 3]. Returns (labels, confidence), both uint8
        [height, width]: class ids of the card's label set, 255 for background, and the top softmax probability
        times 255, None unless asked for, or when `problem` says why there is none. Both belong to the caller.
        """

    def logits(self, image):
        """Return what the network answers to an image, as for `run`: logits, float32 [outputs, h, w].

        h, w: the engine's size, or a whole fraction of it. Raises EngineError where an engine gives labels only.
        """
        raise EngineError('{} gives labels only; take --backend torch for logits'.format(self.describe().backend))

    @abc.abstractmethod
    def describe(self) -> EngineInfo:
        """Return an EngineInfo."""
