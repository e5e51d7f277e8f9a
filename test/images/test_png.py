"""PNG of labels: any decoder gives the same bytes back, and streets become small."""
import cv2
import numpy as np
import pytest

from espnet_ros.images.png import labels_to_png
from espnet_ros.scene import Street


@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (5, 1), (480, 640)])
def test_decoders_give_the_same_bytes(shape):
    labels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    decoded = cv2.imdecode(np.frombuffer(labels_to_png(labels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == np.uint8 and (decoded == labels).all() and decoded.shape == labels.shape


def test_streets_become_thirty_times_smaller():
    labels = Street(1280, 720, 3).frame(5.0).labels
    data = labels_to_png(labels)
    assert labels.size > 30 * len(data)
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == labels).all()
    assert labels_to_png(labels[::2, ::2]) == labels_to_png(np.ascontiguousarray(labels[::2, ::2]))
