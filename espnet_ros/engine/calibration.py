"""Calibration images: they determine the value range of each layer of an int8 engine."""
import hashlib
import os

import numpy as np
import torch

from espnet_ros.errors import EngineError, SourceError
from espnet_ros.images.limits import IMAGE_SUFFIXES
from espnet_ros.images.pictures import read_image
from espnet_ros.images.resize import resize_image

NO_IMAGES = ('int8 needs calibration images: give a folder with some hundred frames of the camera to espnet-ros build '
             '--precision int8 --calibration FOLDER, or use fp16')
MAX_IMAGES = 128
"""From a larger folder, this many are taken, evenly spaced."""


class CalibrationImages:
    """The images of a folder. sha256: of their files, in order."""

    def __init__(self, folder):
        """Find the images and read their bytes. Raises EngineError when there are none."""
        if not folder:
            raise EngineError(NO_IMAGES)
        folder = os.path.abspath(os.path.expanduser(str(folder)))
        try:
            names = sorted(name for name in os.listdir(folder) if name.lower().endswith(IMAGE_SUFFIXES))
            if not names:
                raise EngineError("the folder of calibration images '{}' holds none ({})".format(
                    folder, ', '.join(IMAGE_SUFFIXES)))
            count = min(len(names), MAX_IMAGES)
            self._paths = [os.path.join(folder, names[i * len(names) // count]) for i in range(count)]
            digest = hashlib.sha256()
            for path in self._paths:
                with open(path, 'rb') as stream:
                    digest.update(hashlib.sha256(stream.read()).digest())
        except OSError as error:
            raise EngineError("the calibration images in '{}' cannot be read: {}".format(
                folder, error.strerror or error))
        self.sha256 = digest.hexdigest()

    def inputs(self, width, height, device, single=False):
        """Return the images as CalibrationInputs of that size. Raises EngineError, naming a damaged file.

        All are read once before TensorRT asks for the first: an exception inside its calibration would be lost.
        """
        try:
            for path in self._paths:
                read_image(path)
        except SourceError as error:
            raise EngineError('int8 cannot be calibrated: {}'.format(error))
        return CalibrationInputs(self._paths, width, height, device, single)


class CalibrationInputs:
    """Sequence of a network's inputs, each a list of one float32 tensor 0..255 on the device, contiguous.

    paths: of images, each read when it is asked for and resized to width and height as on the robot. single: tensors
    are [3, height, width] instead of [1, 3, height, width].
    """

    def __init__(self, paths, width, height, device, single):
        self._paths = paths
        self._size = width, height
        self._device = device
        self._single = single
        self._current = None

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, index):
        image = resize_image(read_image(self._paths[index]), *self._size)
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
        tensor = torch.from_numpy(planes).to(self._device)
        # TensorRT reads from its address after the caller has let go of it.
        self._current = tensor if self._single else tensor.unsqueeze(0)
        return [self._current]
