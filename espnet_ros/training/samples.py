"""Labeled images as the network sees them: at its size, with its classes, and never twice the same."""
import typing

import cv2
import numpy as np

from espnet_ros.datasets import label_table
from espnet_ros.labels import UNLABELED
from espnet_ros.segmenter import resize_nearest


class Sample(typing.NamedTuple):
    """`image`: BGR uint8 [H, W, 3]; `labels`: places in the label set uint8 [H, W], 255 = unlabeled; `name`."""

    image: np.ndarray
    labels: np.ndarray
    name: str = ''


class Prepared:
    """A dataset's Samples at the size of the network, resized as the node does it, but in bytes.

    dataset: espnet_ros.datasets.Dataset. label_set: whose classes the labels become. size: (width, height) in pixels.
    `keep` takes the place of reading. Raises LabelError when the dataset's classes cannot become those.
    """

    def __init__(self, dataset, label_set, size):
        self.dataset, self.size, self.name = dataset, tuple(size), dataset.name
        self.table = places(label_set)[label_table(dataset.label_set, label_set)]
        self._kept: dict[int, Sample] = {}

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        if i in self._kept:
            return self._kept[i]
        found = self.dataset[i]
        image = found.image
        if image.shape[1::-1] != self.size:
            image = cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR)
        return Sample(image, self.table[resize_nearest(found.labels, *self.size)],
                      '{} of {}'.format(found.name, self.name))

    def keep(self, i, sample):
        """Hold Sample i in memory."""
        self._kept[i] = sample

    @property
    def is_kept(self):
        """Whether all samples are in memory."""
        return len(self._kept) == len(self)

    @property
    def bytes(self):
        """Memory that all samples would take."""
        return len(self) * self.size[0] * self.size[1] * 4


def places(label_set):
    """Return the table from ids to places in the label set: uint8 [256], 255 where there is none."""
    table = np.full(256, UNLABELED, np.uint8)
    table[list(label_set.ids)] = range(len(label_set.ids))
    return table


class Augmentation(typing.NamedTuple):
    """What may change in an image, as in settings.Settings; `crop`: (width, height) of the result."""

    crop: tuple[int, int]
    scale: tuple[float, float]
    stretch: float
    rotation: float
    flip: float
    light: float
    blur: float

    def apply(self, sample, rng):
        """Return another Sample: scaled, turned, mirrored, cropped, in another light.

        rng: np.random.Generator. What lies outside of the image becomes black and unlabeled.
        """
        matrix = self._matrix(sample.labels.shape, rng)
        image = cv2.warpAffine(sample.image, matrix, self.crop, flags=cv2.INTER_LINEAR)
        labels = cv2.warpAffine(sample.labels, matrix, self.crop, flags=cv2.INTER_NEAREST,
                                borderMode=cv2.BORDER_CONSTANT, borderValue=UNLABELED)
        if self.blur and rng.random() < self.blur:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
        if self.light:
            image = cv2.LUT(image, self._curve(rng))
        return Sample(image, labels, sample.name)

    def _matrix(self, shape, rng):
        """From pixels of the image to those of the crop: float64 [2, 3]."""
        scale = rng.uniform(*self.scale)
        stretch = rng.uniform(1 - self.stretch, 1 + self.stretch)
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        mirror = -1.0 if rng.random() < self.flip else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag([mirror * scale * stretch, scale / stretch])
        # Where the image's corners come to lie; they are half a pixel away from the centers of the corner pixels.
        corners = linear @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * [[shape[1]], [shape[0]]] - 0.5)
        low, span = corners.min(1), np.ptp(corners, 1)
        room = span - self.crop
        corner = rng.uniform(np.minimum(0, room), np.maximum(0, room))
        return np.column_stack([linear, -low - corner - 0.5])

    def _curve(self, rng):
        """A look-up table for each channel: uint8 [256, 1, 3]."""
        gain = rng.uniform(1 - 0.3 * self.light, 1 + 0.3 * self.light) * rng.uniform(
            1 - 0.08 * self.light, 1 + 0.08 * self.light, 3)
        gamma = rng.uniform(1 - 0.25 * self.light, 1 + 0.35 * self.light)
        offset = rng.uniform(-0.08 * self.light, 0.08 * self.light)
        ramp = np.arange(256)[:, None] / 255.0
        return np.rint(255.0 * np.clip(gain * ramp ** gamma + offset, 0, 1)).astype(np.uint8)[:, None, :]


def augmentation(settings, crop):
    """Return the Augmentation of settings.Settings with crops of that size."""
    return Augmentation(crop, *(getattr(settings, field) for field in Augmentation._fields[1:]))
