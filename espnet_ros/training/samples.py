"""Labeled images at the input size of the network, and their augmentation."""
import typing

import cv2
import numpy as np

from espnet_ros.images.resize import resize_image, resize_nearest
from espnet_ros.labels import UNLABELED
from espnet_ros.labels.truth import label_table


class Sample(typing.NamedTuple):
    """`image`: BGR [H, W, 3], uint8 or float32 0..255; `labels`: class indices uint8 [H, W], 255 = unlabeled."""

    image: np.ndarray
    labels: np.ndarray
    name: str = ''


class PreparedDataset:
    """The Samples of a dataset, resized as the segmenter resizes its input.

    dataset: espnet_ros.datasets.Dataset. label_set: the LabelSet whose classes the labels are converted to. size:
    (width, height) in pixels. as_bytes: whether images are rounded to uint8, which saves memory where they will be
    augmented; otherwise they are exactly the input of the network on a robot. Raises LabelError when the classes of
    the dataset cannot be converted.
    """

    def __init__(self, dataset, label_set, size, as_bytes=True):
        self.dataset, self.size, self.name = dataset, tuple(size), dataset.name
        self.table = class_index(label_set)[label_table(dataset.label_set, label_set)]
        self._as_bytes = as_bytes
        self._kept: dict[int, Sample] = {}

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        if i in self._kept:
            return self._kept[i]
        found = self.dataset[i]
        image = resize_image(found.image, *self.size)
        return Sample(to_bytes(image) if self._as_bytes else image,
                      self.table[resize_nearest(found.labels, *self.size)], '{} of {}'.format(found.name, self.name))

    def keep(self, i, sample):
        """Keep Sample i in memory."""
        self._kept[i] = sample

    @property
    def is_kept(self):
        """Whether all samples are in memory."""
        return len(self._kept) == len(self)

    @property
    def bytes(self):
        """Memory that all samples take at most, in bytes."""
        return len(self) * self.size[0] * self.size[1] * (4 if self._as_bytes else 13)


def to_bytes(image):
    """Return an image as uint8; float images are rounded."""
    return image if image.dtype == np.uint8 else np.rint(image).astype(np.uint8)


def class_index(label_set):
    """Return the table from class ids to indices into label_set.classes: uint8 [256], 255 where there is no class."""
    table = np.full(256, UNLABELED, np.uint8)
    table[list(label_set.ids)] = range(len(label_set.ids))
    return table


class Augmentation(typing.NamedTuple):
    """Ranges of the random changes, as in settings.Settings; `crop`: (width, height) of the result."""

    crop: tuple[int, int]
    scale: tuple[float, float]
    stretch: float
    rotation: float
    flip: float
    light: float
    blur: float

    def apply(self, sample, rng):
        """Return a new Sample: scaled, rotated, flipped and cropped, with changed brightness, contrast and color.

        sample: with a uint8 image. rng: np.random.Generator. Pixels outside of the image become black and unlabeled.
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
        """Return the affine map from pixels of the image to those of the crop: float64 [2, 3]."""
        scale = rng.uniform(*self.scale)
        stretch = rng.uniform(1 - self.stretch, 1 + self.stretch)
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        mirror = -1.0 if rng.random() < self.flip else 1.0
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = rotation @ np.diag([mirror * scale * stretch, scale / stretch])
        # The transformed corners of the image, which are half a pixel away from the centers of the corner pixels.
        corners = linear @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * [[shape[1]], [shape[0]]] - 0.5)
        low, span = corners.min(1), np.ptp(corners, 1)
        room = span - self.crop
        corner = rng.uniform(np.minimum(0, room), np.maximum(0, room))
        return np.column_stack([linear, -low - corner - 0.5])

    def _curve(self, rng):
        """Return a random lookup table for each channel: uint8 [256, 1, 3]."""
        gain = rng.uniform(1 - 0.3 * self.light, 1 + 0.3 * self.light) * rng.uniform(
            1 - 0.08 * self.light, 1 + 0.08 * self.light, 3)
        gamma = rng.uniform(1 - 0.25 * self.light, 1 + 0.35 * self.light)
        offset = rng.uniform(-0.08 * self.light, 0.08 * self.light)
        ramp = np.arange(256)[:, None] / 255.0
        return np.rint(255.0 * np.clip(gain * ramp ** gamma + offset, 0, 1)).astype(np.uint8)[:, None, :]


def augmentation(settings, crop):
    """Return the Augmentation of settings.Settings with crops of that size."""
    return Augmentation(crop, *(getattr(settings, field) for field in Augmentation._fields[1:]))
