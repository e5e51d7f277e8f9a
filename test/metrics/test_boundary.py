"""Boundary F1 against a count pixel by pixel."""
import itertools
import math

import numpy as np
import pytest

from espnet_ros.metrics.boundary import LONGEST_DIAGONAL, TOLERANCE, boundary_f1


def outline(labels, truth, c, size):
    """Pixels of class c with a neighbor of another class, both with ground truth; by definition."""
    height, width = labels.shape
    return [(y, x) for y, x in itertools.product(range(height), range(width)) if labels[y, x] == c and any(
        0 <= y + v < height and 0 <= x + u < width and labels[y + v, x + u] != c
        and truth[y, x] < size and truth[y + v, x + u] < size
        for v, u in ((0, 1), (0, -1), (1, 0), (-1, 0)))]


def by_definition(truth, prediction, size):
    radius = TOLERANCE * math.hypot(*truth.shape)

    def share(own, other):
        near = [any(math.dist(p, q) <= radius for q in other) for p in own]
        return sum(near) / len(near) if near else 0.0

    result = []
    for c in range(size):
        true, predicted = (outline(labels, truth, c, size) for labels in (truth, prediction))
        precision, recall = share(predicted, true), share(true, predicted)
        result.append(math.nan if not true and not predicted else
                      2 * precision * recall / (precision + recall) if precision and recall else 0.0)
    return result


@pytest.mark.parametrize('seed', range(4))
def test_it_equals_its_definition(seed):
    random = np.random.default_rng(seed)
    # Blobs of a few classes, 3 = unlabeled, on images whose tolerance is over two pixels.
    blobs = random.integers(0, 4, (5, 30)).repeat(8, 0).repeat(9, 1).astype(np.uint8)
    shifted = np.roll(blobs, random.integers(-3, 4, 2), (0, 1))
    np.testing.assert_allclose(boundary_f1(blobs, shifted, 3), by_definition(blobs, shifted, 3), rtol=0, atol=1e-12)


def test_a_shift_within_the_tolerance_is_forgiven_and_a_larger_one_is_not():
    truth = np.zeros((300, 400), np.uint8)
    truth[:, 200:] = 1
    assert boundary_f1(truth, truth, 2).tolist() == [1.0, 1.0]
    near, far = truth.copy(), truth.copy()
    near[:, 200:203] = 0  # 3 pixels; 0.0075 of the diagonal of 500 are 3.75
    far[:, 200:204] = 0
    assert boundary_f1(truth, near, 2).tolist() == [1.0, 1.0]
    assert boundary_f1(truth, far, 2).tolist() == [0.0, 0.0]


def test_the_border_of_what_is_unlabeled_is_no_outline():
    truth = np.zeros((40, 40), np.uint8)
    truth[:, 20:] = 5
    prediction = np.zeros((40, 40), np.uint8)
    prediction[:, 30:] = 1  # where nobody knows
    assert np.isnan(boundary_f1(truth, prediction, 2)).all()


def test_large_images_are_scored_on_every_second_pixel():
    small = np.random.default_rng(0).integers(0, 3, (48, 64)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
    other = np.roll(small, 2, 1)
    large = [image.repeat(2, 0).repeat(2, 1) for image in (small, other)]
    assert math.hypot(*small.shape) < LONGEST_DIAGONAL < math.hypot(*large[0].shape)
    assert boundary_f1(*large, 3).tolist() == boundary_f1(small, other, 3).tolist()
