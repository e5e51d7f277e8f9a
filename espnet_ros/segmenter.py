"""Segmentation of images of any size: resizing, inference, resizing of the labels."""
import time
import typing

import cv2
import numpy as np

from espnet_ros import models
from espnet_ros.engine import OUTPUT_SIZES, UPSAMPLINGS, build_engine
from espnet_ros.errors import EngineError, ImageError, ParameterError
from espnet_ros.images.resize import resize_for_viewing, resize_image, resize_nearest
from espnet_ros.labels import UNLABELED
from espnet_ros.models.card import ModelCard, good_sides


class Timings(typing.NamedTuple):
    """Seconds spent on one image."""

    preprocess: float
    inference: float
    postprocess: float


class Prepared(typing.NamedTuple):
    """An image prepared for the engine.

    pixels: BGR uint8 or float32 0..255 at the engine's size. width, height: the image's own. seconds: spent so far.
    """

    pixels: np.ndarray
    width: int
    height: int
    seconds: float


class Inferred(typing.NamedTuple):
    """Output of the engine: labels and confidence (None when not asked for), uint8 at its size.

    width, height: as in Prepared. preprocess, inference: seconds.
    """

    labels: np.ndarray
    confidence: typing.Optional[np.ndarray]
    width: int
    height: int
    preprocess: float
    inference: float


class Segmentation(typing.NamedTuple):
    """Labels of one image.

    labels: uint8 [H, W], class ids of the model's label set, 255 = unlabeled. confidence: uint8 [H, W], top softmax
    probability times 255, or None when it was not asked for.
    """

    labels: np.ndarray
    confidence: typing.Optional[np.ndarray]
    timings: Timings


def input_size(card: ModelCard, width: int = 0, height: int = 0) -> typing.Tuple[int, int]:
    """Return the network's input size (width, height) in pixels: the card's where 0 is given.

    Raises ParameterError when a side is none of the card's.
    """
    size = width or card.input_width, height or card.input_height
    for name, side in zip(('input_width', 'input_height'), size):
        if side not in card.sides:
            raise ParameterError('{} is {}; it must be {}, or 0 for the size in the model card'.format(
                name, side, good_sides(card.sides, side)))
    return size


class Segmenter:
    """Resizes an image to the engine's input, runs the engine, resizes the labels back.

    engine: an espnet_ros.engine.Engine. output_size: 'camera' for labels at the image's size, 'network' for labels
    at the engine's. upsampling: 'nearest' resizes the engine's labels; 'bilinear' resizes the network's logits to the
    size of the labels and takes the best class then, as section 4.1 of the paper, which takes longer and needs an
    engine that gives logits. width, height: of the labels in pixels, 0 for those of output_size.
    """

    def __init__(self, engine, output_size='camera', upsampling='nearest', width=0, height=0):
        if output_size not in OUTPUT_SIZES:
            raise ParameterError('output_size is {!r}; it must be one of {}'.format(
                output_size, ', '.join(OUTPUT_SIZES)))
        if upsampling not in UPSAMPLINGS:
            raise ParameterError('upsampling is {!r}; it must be one of {}'.format(upsampling, ', '.join(UPSAMPLINGS)))
        self.engine = engine
        self.output_size = output_size
        self.upsampling = upsampling
        self._width, self._height = width, height

    def size_for(self, width, height):
        """Return (width, height) of the labels of an image of this size, in pixels."""
        if self.output_size == 'network':
            width, height = self.engine.width, self.engine.height
        return self._width or width, self._height or height

    def segment(self, image: np.ndarray, confidence: bool = False, threshold: float = 0.0) -> Segmentation:
        """Return the Segmentation of an image.

        image: BGR uint8 [H, W, 3] of any size. confidence: whether to compute it. threshold: pixels whose
        confidence is below it (0..1) become unlabeled. Raises ImageError, and EngineError when the engine fails.

        The same as its three steps `prepare`, `infer` and `finish`, which can run in threads of their own.
        """
        return self.finish(self.infer(self.prepare(image), confidence or threshold > 0), confidence, threshold)

    def prepare(self, image: np.ndarray) -> Prepared:
        """Return the Prepared image; image: as for `segment`. Raises ImageError."""
        if not isinstance(image, np.ndarray):
            raise ImageError('an image must be uint8 [H, W, 3], not a {}; cv2.imread returns None for a '
                             'file that it cannot read'.format(type(image).__name__))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ImageError('an image must be uint8 [H, W, 3], not {} {}'.format(image.dtype, list(image.shape)))
        began = time.perf_counter()
        pixels = resize_image(image, self.engine.width, self.engine.height)
        return Prepared(pixels, image.shape[1], image.shape[0], time.perf_counter() - began)

    def infer(self, prepared: Prepared, confidence: bool = False) -> Inferred:
        """Run the engine on a Prepared image and return what it has Inferred."""
        began = time.perf_counter()
        if self.upsampling == 'bilinear':
            size = self.size_for(prepared.width, prepared.height)
            labels, probability = best_class(self.engine.logits(prepared.pixels), self.engine.card.outputs, *size,
                                             confidence=confidence)
        else:
            labels, probability = self.engine.run(prepared.pixels, confidence)
        return Inferred(labels, probability, prepared.width, prepared.height, prepared.seconds,
                        time.perf_counter() - began)

    def finish(self, inferred: Inferred, confidence: bool = False, threshold: float = 0.0) -> Segmentation:
        """Return the Segmentation of what was Inferred; confidence, threshold: as for `segment`."""
        began = time.perf_counter()
        labels, probability = inferred.labels, inferred.confidence
        if threshold > 0:
            if probability is None:
                raise EngineError('the confidence threshold cannot be kept: ' + self.engine.problem)
            labels[probability < threshold * 255.0] = UNLABELED
        if not confidence:
            probability = None
        size = self.size_for(inferred.width, inferred.height)
        labels = resize_nearest(labels, *size)
        probability = None if probability is None else resize_nearest(probability, *size)
        return Segmentation(labels, probability, Timings(
            inferred.preprocess, inferred.inference, time.perf_counter() - began))

    def at_output_size(self, image: np.ndarray) -> np.ndarray:
        """Return the image at the size of the labels that `segment` gives for it, to draw them over it."""
        return resize_for_viewing(image, *self.size_for(image.shape[1], image.shape[0]))


def best_class(logits, outputs, width, height, confidence=False):
    """Resize logits bilinearly and take the best class of each pixel, one output after the other to save memory.

    logits: float32 [N, h, w]. outputs: class id of each, as in ModelCard. Returns labels and, if asked for, the top
    softmax probability times 255, else None; both uint8 [height, width].
    """
    index = np.zeros((height, width), np.uint8)
    best = cv2.resize(logits[0], (width, height), interpolation=cv2.INTER_LINEAR)
    total = np.ones_like(best)
    for number, plane in enumerate(logits[1:], 1):
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        wins = plane > best
        if confidence:
            difference = np.exp(-np.abs(plane - best))
            total = np.where(wins, total * difference + 1, total + difference)
        index[wins] = number
        best = np.maximum(best, plane)
    labels = np.array(outputs, np.uint8)[index]
    return labels, np.rint(255.0 / total).astype(np.uint8) if confidence else None


def load_segmenter(model='', backend='auto', device='auto', precision='auto', width=0, height=0, output_size='camera'):
    """Return a Segmenter that is ready to run.

    model: a name, model card (.yaml) or weights file; '' for the default model. backend, device, precision: as for
    engine.build_engine; a backend that is named and cannot be had is an error. width, height: network input in pixels,
    0 for the model's own. Raises EspnetError.
    """
    found = models.find(model or models.DEFAULT)
    engine = build_engine(found.card, models.load(found), *input_size(found.card, width, height), backend=backend,
                          device=device, precision=precision, strict=True)
    return Segmenter(engine, output_size)
