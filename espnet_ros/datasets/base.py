"""Base classes of datasets: pairs of an image and its class ids, read on demand."""
import abc
import pathlib
import typing

import numpy as np

from espnet_ros.errors import ImageError, LabelError, SourceError
from espnet_ros.images.decoding import png_to_label_pixels
from espnet_ros.images.pictures import read_image
from espnet_ros.labels.instances import decode_instances
from espnet_ros.labels.truth import GroundTruth


class LabeledImage(typing.NamedTuple):
    """`name`: that of the file; `image`: BGR uint8 [H, W, 3]; `labels`: ids uint8 [H, W], 255 = unlabeled.

    `instances`: uint16 [H, W], the object that each pixel belongs to (labels.instances), or None.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray | None = None


class Dataset(abc.ABC):
    """Labeled images in a fixed order.

    `name`: for messages; `label_set`: of its ids. `camera_matrix`: K float64 [3, 3] in pixels, None if unknown.
    `len(dataset)` counts; `dataset[i]` reads one LabeledImage (SourceError, LabelError name the file); iterating reads
    one after the other. A dataset can be pickled, for worker processes.
    """

    camera_matrix: np.ndarray | None = None

    def __init__(self, name, label_set):
        self.name = name
        self.label_set = label_set

    @abc.abstractmethod
    def __len__(self):
        """Return the number of images."""

    @abc.abstractmethod
    def _read(self, i):
        """Return LabeledImage i, 0 <= i < len(self)."""

    def files(self):
        """Return the paths of the files that it consists of; none where it has no files of its own."""
        return []

    def __getitem__(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError('{} has {} images, none has number {}'.format(self.name, len(self), i))
        return self._read(i % len(self))

    def __iter__(self):
        return (self._read(i) for i in range(len(self)))


class Memory(Dataset):
    """Labeled images in memory: pairs of BGR uint8 [H, W, 3] and ids uint8 [H, W]."""

    def __init__(self, name, label_set, pairs):
        super().__init__(name, label_set)
        self._pairs = pairs

    def __len__(self):
        return len(self._pairs)

    def _read(self, i):
        return LabeledImage('{}_{:06d}'.format(self.name, i), *self._pairs[i])


class Pair(typing.NamedTuple):
    """The files of one labeled image; instances: of its instance image, if there is one."""

    name: str
    image: pathlib.Path
    labels: pathlib.Path
    instances: pathlib.Path | None = None


class FileDataset(Dataset):
    """Images and PNG label images in files; `truth` decodes the label images."""

    def __init__(self, name, pairs: typing.Sequence[Pair], truth: GroundTruth):
        """Raises SourceError when there are no pairs or label files are missing."""
        super().__init__(name, truth.label_set)
        self.pairs = tuple(pairs)
        self._truth = truth
        if not self.pairs:
            raise SourceError('{} holds no images'.format(name))
        missing = [p for p in self.pairs if not p.labels.is_file()]
        if missing:
            raise SourceError("{} of {} images of {} have no labels; the first, '{}', lacks '{}'".format(
                len(missing), len(self.pairs), name, missing[0].image, missing[0].labels))

    def files(self):
        return [path for pair in self.pairs for path in pair[1:] if path]

    def __len__(self):
        return len(self.pairs)

    def _read(self, i):
        name, image_path, labels_path, instances_path = self.pairs[i]
        image = read_image(str(image_path))
        labels = read_labels(labels_path, self._truth)
        instances = instances_path and read_instances(instances_path)
        for path, pixels in ((labels_path, labels), (instances_path, instances)):
            if pixels is not None and pixels.shape != image.shape[:2]:
                raise LabelError("'{}' is {}x{} pixels, but its image '{}' is {}x{}".format(
                    path, *pixels.shape[::-1], image_path, *image.shape[1::-1]))
        return LabeledImage(name, image, labels, instances)


def read_labels(path, truth):
    """Return the ids uint8 [H, W] (255 = unlabeled) in a PNG label image; truth: a GroundTruth.

    Raises SourceError if the file cannot be read, LabelError if it holds no labels or unknown ones.
    """
    return truth.decode(_read_pixels(path), "the label image '{}'".format(path))


def read_instances(path):
    """Return the instance ids uint16 [H, W] in a PNG (see labels.instances). Raises SourceError, LabelError."""
    return decode_instances(_read_pixels(path), "the instance image '{}'".format(path))


def _read_pixels(path):
    try:
        with open(path, 'rb') as stream:
            data = stream.read()
    except OSError as error:
        raise SourceError("cannot read '{}': {}".format(path, error.strerror))
    try:
        return png_to_label_pixels(data, 'the file')
    except ImageError as error:
        raise LabelError("the label image '{}' cannot be used: {}".format(path, error))
