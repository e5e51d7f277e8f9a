"""The labeled frames of a bag as a dataset."""
from espnet_ros.bags.reader import open_bag
from espnet_ros.datasets.base import Dataset, LabeledImage
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.segmenter import resize_nearest


class BagDataset(Dataset):
    """The frames of a bag that have ground truth, which is resized to the image where its size differs."""

    def __init__(self, path):
        """Raises SourceError if there is no ground truth, LabelError."""
        self._bag = open_bag(path)
        self._frames = self._bag.labeled
        if not self._frames:
            raise SourceError("'{}' has no image with ground truth{}".format(
                path, ''.join('; ' + problem for problem in self._bag.problems)))
        super().__init__("bag '{}'".format(path), self._bag.label_set)

    def __len__(self):
        return len(self._frames)

    def files(self):
        return self._bag.files()

    def _read(self, i):
        number = self._frames[i]
        bag = self._bag.fresh_copy()
        for frame in bag.frames(number, number + 1):
            if frame.truth is not None:
                height, width = frame.image.shape[:2]
                instances = frame.instances
                return LabeledImage('frame {}.{:09d}'.format(*divmod(frame.stamp, 10**9)), frame.image,
                                    resize_nearest(frame.truth, width, height),
                                    None if instances is None else resize_nearest(instances, width, height))
        raise LabelError('{}: {}'.format(self.name, '; '.join(bag.skipped)))
