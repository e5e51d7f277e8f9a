"""What to train on: datasets as they are written on a command line, with their weights."""
import math

from espnet_ros.bags.reader import open_bag
from espnet_ros.datasets import SPECS, Dataset, LabeledImage, open_dataset
from espnet_ros.errors import LabelError, ParameterError, SourceError
from espnet_ros.segmenter import resize_nearest

SOURCES = SPECS + """
bag:PATH                   the frames of a bag that have ground truth"""
"""How a dataset is written."""


class BagDataset(Dataset):
    """The labeled frames of a bag (evaluation.bags)."""

    def __init__(self, path):
        """Raises SourceError, also when there is no ground truth, and LabelError."""
        self._bag = open_bag(path)
        self._frames = self._bag.labeled
        if not self._frames:
            raise SourceError("'{}' has no image with ground truth{}".format(
                path, ''.join('; ' + problem for problem in self._bag.problems)))
        super().__init__("bag '{}'".format(path), self._bag.label_set)

    def __len__(self):
        return len(self._frames)

    def _read(self, i):
        number = self._frames[i]
        bag = self._bag.afresh()
        for frame in bag.frames(number, number + 1):
            if frame.truth is not None:
                height, width = frame.image.shape[:2]
                return LabeledImage('frame {}.{:09d}'.format(*divmod(frame.stamp, 10**9)), frame.image,
                                    resize_nearest(frame.truth, width, height))
        raise LabelError('{}: {}'.format(self.name, '; '.join(bag.left_out)))


def open_source(text):
    """Return (Dataset, weight) of a text such as 'camvid:/data/camvid:train' or 'street:400:640x480@0.5'.

    The weight says how often an epoch sees each image, 1 where it is not given. Raises EspnetError.
    """
    spec, at, weight = text.rpartition('@')
    if not at or not _is_number(weight):  # an @ may be part of a path
        spec, weight = text, '1'
    if not 0 < float(weight) <= 1000:
        raise ParameterError("the weight in '{}' must be above 0 and at most 1000".format(text))
    if spec.startswith('bag:'):
        return BagDataset(spec[len('bag:'):]), float(weight)
    return open_dataset(spec), float(weight)


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
