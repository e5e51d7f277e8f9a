"""Each pixel where it belongs after resizing, and no more memory than that takes."""
import fractions
import math
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ros.images.resize import resize_for_viewing, resize_image, resize_nearest


def noise(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def test_images_are_resized_in_float():
    image = noise(63, 97)
    resized = resize_image(image, 96, 64)
    assert resized.dtype == np.float32 and resized.shape == (64, 96, 3)
    assert np.array_equal(resized, cv2.resize(image.astype(np.float32), (96, 64), interpolation=cv2.INTER_LINEAR))
    assert 0 < np.abs(resized - np.rint(resized)).max() and 0 <= resized.min() <= resized.max() <= 255
    assert resize_image(image, 97, 63) is image


def test_resizing_is_bilinear_about_pixel_centers():
    resized = resize_image(np.repeat(np.array([[0, 100, 200, 40]], np.uint8), 4, 0)[:, :, None].repeat(3, 2), 8, 8)
    expected = np.interp((np.arange(8) + 0.5) / 2 - 0.5, np.arange(4), [0, 100, 200, 40])
    assert np.allclose(resized[5, :, 2], expected, atol=1e-3)


def test_resizing_for_viewing_averages_when_it_shrinks():
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2] = 200
    assert np.array_equal(resize_for_viewing(image, 2, 2), np.full((2, 2, 3), 100, np.uint8))
    larger = resize_for_viewing(image, 6, 8)
    assert larger.dtype == np.uint8
    assert np.array_equal(larger, cv2.resize(image, (6, 8), interpolation=cv2.INTER_LINEAR))
    assert resize_for_viewing(image, 4, 4) is image


SIDES = st.integers(1, 70)


@settings(max_examples=150)
@given(SIDES, SIDES, SIDES, SIDES)
def test_each_pixel_takes_the_label_under_its_center(width, height, from_width, from_height):
    source = np.random.RandomState(width).randint(0, 256, (from_height, from_width)).astype(np.uint8)
    result = resize_nearest(source, width, height)
    assert result.shape == (height, width)

    def under(i, size, from_size):
        return math.floor(fractions.Fraction(2 * i + 1, 2) * from_size / size)
    for y, x in {(0, 0), (height - 1, width - 1), (height // 2, width // 3), (height // 3, width // 2)}:
        assert result[y, x] == source[under(y, height, from_height), under(x, width, from_width)]
    rows = [under(y, height, from_height) for y in range(height)]
    columns = [under(x, width, from_width) for x in range(width)]
    assert np.array_equal(result, source[np.ix_(rows, columns)])


def test_labels_do_not_shift_when_they_are_enlarged():
    labels = np.zeros((4, 4), np.uint8)
    labels[:, 2:] = 9
    assert (resize_nearest(labels, 10, 4) == 9).sum(1).tolist() == [5] * 4
    assert np.array_equal(resize_nearest(resize_nearest(labels, 12, 20), 4, 4), labels)


@pytest.mark.parametrize('shape, width, height', [
    ((64, 96), 1, 20000), ((64, 96), 20000, 1), ((20000, 1), 96, 64), ((1, 20000), 96, 64)])
def test_no_intermediate_array_is_larger_than_source_and_result(shape, width, height):
    labels = np.zeros(shape, np.uint8)
    tracemalloc.start()
    try:
        assert resize_nearest(labels, width, height).shape == (height, width)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Of a row or column of 20000 the indices take 160 kB each in three steps; the wrong order takes 1.3 MB more.
    assert peak < 700000
