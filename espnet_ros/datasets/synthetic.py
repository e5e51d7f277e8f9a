"""The synthetic street as a dataset."""
from espnet_ros.datasets.base import Dataset, LabeledImage
from espnet_ros.errors import ParameterError
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street


class Streets(Dataset):
    """`count` images, each of a different street; labels are trainIds, every pixel is labeled."""

    def __init__(self, count, width=1024, height=512, seed=0):
        """seed: that of the first street; the others follow. Raises ParameterError."""
        super().__init__('street seed {}'.format(seed), CITYSCAPES)
        _check_count(count)
        self._count, self._size, self._seed = count, (width, height), seed
        Street(width, height, seed)

    def __len__(self):
        return self._count

    def _read(self, i):
        # At different times, so that not every image shows the beginning of its street.
        frame = Street(*self._size, self._seed + i).frame(3.7 * (i % 23))
        return LabeledImage('street_{:06d}'.format(self._seed + i), frame.image, frame.labels)


class Drive(Dataset):
    """`count` images of one street at `rate` Hz, as the camera node's `street` shows it; labels are trainIds."""

    def __init__(self, count, width=1024, height=512, seed=0, rate=10.0):
        """Raises ParameterError."""
        super().__init__('drive seed {}'.format(seed), CITYSCAPES)
        _check_count(count)
        if not 0 < rate <= 1000:
            raise ParameterError('rate {} of a drive must be above 0 and at most 1000 Hz'.format(rate))
        self._count, self._rate = count, rate
        self._make = width, height, seed
        self._street = Street(*self._make)
        self.camera_matrix = self._street.camera_matrix

    def __getstate__(self):
        return dict(self.__dict__, _street=None)  # a street cannot be pickled but is built again

    def __len__(self):
        return self._count

    def _read(self, i):
        self._street = self._street or Street(*self._make)
        frame = self._street.frame(i / self._rate)
        return LabeledImage('drive_{:06d}'.format(i), frame.image, frame.labels)


def _check_count(count):
    if not 1 <= count <= 10**6:
        raise ParameterError('{} images of a street cannot be generated; ask for 1 to 1000000'.format(count))
