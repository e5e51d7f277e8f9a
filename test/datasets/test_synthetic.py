"""The synthetic street as a dataset: reproducible, labeled, fit for worker processes."""
import pickle

import numpy as np
import pytest

from espnet_ros.datasets import Drive, Streets, open_dataset
from espnet_ros.errors import ParameterError
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street


def test_each_picture_is_another_street():
    dataset = open_dataset('street:3:96x64:7')
    assert isinstance(dataset, Streets) and len(dataset) == 3 and dataset.label_set == CITYSCAPES
    names, images, labels, _ = zip(*dataset)
    assert names == ('street_000007', 'street_000008', 'street_000009') and dataset.camera_matrix is None
    expected = Street(96, 64, 9).frame(3.7 * 2)
    np.testing.assert_array_equal(images[2], expected.image)
    np.testing.assert_array_equal(labels[2], expected.labels)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[1].image, images[1])
    np.testing.assert_array_equal(open_dataset('street:1:96x64:9')[0].labels, Street(96, 64, 9).frame(0.0).labels)


def test_a_drive_is_one_street():
    dataset = open_dataset('drive:3:96x64:7')
    assert isinstance(dataset, Drive) and [item.name for item in dataset] == [
        'drive_000000', 'drive_000001', 'drive_000002']
    street = Street(96, 64, 7)
    np.testing.assert_array_equal(dataset.camera_matrix, street.camera_matrix)
    copy = pickle.loads(pickle.dumps(dataset))
    for i in (2, 0):
        expected = street.frame(i / 10)
        for each in (dataset, copy):
            np.testing.assert_array_equal(each[i].image, expected.image)
            np.testing.assert_array_equal(each[i].labels, expected.labels)
    assert open_dataset('drive:1')[0].image.shape == (512, 1024, 3)


@pytest.mark.parametrize('make', [
    lambda: Streets(0, 96, 64), lambda: Drive(0, 96, 64), lambda: Streets(1, 5, 64), lambda: Drive(1, 96, 5000),
    lambda: Drive(1, 96, 64, rate=0), lambda: open_dataset('street:0'), lambda: open_dataset('drive:9999999')])
def test_impossible_streets(make):
    with pytest.raises(ParameterError):
        make()
