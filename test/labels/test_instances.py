"""Instance images: which values may occur, and which file is wrong."""
import cv2
import numpy as np
import pytest

from espnet_ros.datasets import cityscapes, open_dataset
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels.instances import OBJECTS, decode_instances

LABELS = np.repeat(np.array([[7, 24, 26, 33, 29, 0]], np.uint8), 4, 0)
INSTANCES = np.where(LABELS >= 24, 1000 * LABELS.astype(np.uint16) + np.arange(4)[:, None], LABELS).astype(np.uint16)


@pytest.fixture
def root(tmp_path):
    """A Cityscapes folder with two images, of which the first has instances."""
    for name in ('a', 'b'):
        image, truth = (tmp_path / kind / 'val' / 'city' for kind in ('leftImg8bit', 'gtFine'))
        image.mkdir(parents=True, exist_ok=True)
        truth.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(image / (name + '_leftImg8bit.png')), np.zeros((4, 6, 3), np.uint8))
        assert cv2.imwrite(str(truth / (name + '_gtFine_labelIds.png')), LABELS)
    assert cv2.imwrite(str(truth / 'a_gtFine_instanceIds.png'), INSTANCES)
    return tmp_path


def test_instances_are_read_of_the_images_that_have_them(root):
    first, second = cityscapes(root, 'val')
    assert first.instances.dtype == np.uint16 and np.array_equal(first.instances, INSTANCES)
    assert first.labels.tolist() == [[0, 11, 13, 18, 255, 255]] * 4 and second.instances is None
    assert open_dataset('street:1:96x64')[0].instances is None


def test_what_is_wrong_is_named(root):
    path = root / 'gtFine/val/city/a_gtFine_instanceIds.png'
    dataset = cityscapes(root, 'val')
    for pixels, sentence in ((INSTANCES[:2], 'is 6x2 pixels, but its image'),
                             (INSTANCES + np.uint16(10000), 'it is no instanceId of Cityscapes'),
                             (np.zeros((4, 6, 3), np.uint8), 'is a color image')):
        assert cv2.imwrite(str(path), pixels)
        with pytest.raises(LabelError, match='a_gtFine_instanceIds.png.*' + sentence):
            dataset[0]
    path.write_bytes(b'no PNG')
    with pytest.raises(LabelError, match='a_gtFine_instanceIds.png.*is no PNG'):
        dataset[0]
    path.unlink()
    with pytest.raises(SourceError, match='cannot read .*a_gtFine_instanceIds.png'):
        dataset[0]


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int32])
def test_label_ids_are_instance_ids(dtype):
    found = decode_instances(np.arange(34, dtype=dtype)[None], 'it')
    assert found.dtype == np.uint16 and found.tolist() == [list(range(34))]


@pytest.mark.parametrize('value', [34, 255, 1000, 7001, 23999, 34000, 65535, 65536, -1])
def test_other_values_are_refused(value):
    pixels = np.array([[7, 24000, 33999, value]], np.int32)
    with pytest.raises(LabelError, match='it holds the value {} in 1 pixels'.format(value)):
        decode_instances(pixels, 'it')
    assert decode_instances(pixels[:, :3], 'it').tolist() == [[7, 24000, 33999]]


def test_humans_and_vehicles_are_told_apart():
    assert sorted(OBJECTS) == list(range(24, 34))
