"""The synthetic street as a source of pictures."""
import itertools

import numpy as np
import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.images import sources as capture
from espnet_ros.images.sources import open_source, street_seed
from espnet_ros.scene import Street, mount_of


@pytest.mark.parametrize('address, seed', [('street', 0), ('street:7', 7), ('street:', None), ('streets.mp4', None),
                                           ('0', None)])
def test_the_seed_of_a_street_is_in_its_address(address, seed):
    assert street_seed(address) == seed
    assert seed is None or mount_of(seed) == open_source(address, 64, 32).mount


def test_street_is_the_street_with_its_labels():
    source = open_source('street:3', 96, 64, rate=5.0)
    assert (source.rate, source.count, source.live, source.labeled) == (5.0, 0, False, True)
    assert source.size == (96, 64)
    street = Street(96, 64, 3)
    assert np.array_equal(source.camera_matrix, street.camera_matrix)
    for number, found in enumerate(itertools.islice(source, 3)):
        expected = street.frame(number / 5.0)
        assert np.array_equal(found.image, expected.image) and np.array_equal(found.labels, expected.labels)
        assert found.name == 'street_{:06d}'.format(number)


@pytest.mark.parametrize('width, height, shape', [
    (0, 0, (512, 1024, 3)), (128, 0, (64, 128, 3)), (0, 64, (64, 128, 3))])
def test_street_size(width, height, shape):
    source = open_source('street', width, height)
    assert source.rate == 10.0
    assert next(iter(source)).image.shape == shape


def test_a_looped_street_draws_each_picture_once(monkeypatch):
    monkeypatch.setattr(capture, 'LOOP_SECONDS', 1.0)
    source = open_source('street:3', 96, 64, rate=4.0, loop=True)
    pictures = iter(source)
    first = [next(pictures) for _ in range(4)]
    again = [next(pictures) for _ in range(4)]
    assert all(a.image is b.image for a, b in zip(first, again)) and len({picture.name for picture in first}) == 4
    source.wants = frozenset(['depth'])  # what was not drawn beforehand is drawn when it is asked for
    deep = next(pictures)
    assert deep.name == first[0].name and deep.depth.shape == (64, 96)
    assert np.array_equal(deep.image, first[0].image)


def test_a_looped_street_keeps_a_bounded_number_of_bytes(monkeypatch):
    monkeypatch.setattr(capture, '_LOOP_BYTES', 2.5 * 4 * 96 * 64)
    pictures = iter(open_source('street:3', 96, 64, rate=4.0, loop=True))
    assert [next(pictures).name[-1] for _ in range(5)] == list('01010')


def test_street_too_small():
    with pytest.raises(ParameterError, match='width 8 of a street'):
        open_source('street', 8, 8)
