"""Color map, overlay, masks and legend."""
import hypothesis
import numpy as np
import pytest
from hypothesis.extra import numpy as arrays

from espnet_ros import labels as label_sets
from espnet_ros.errors import ImageError
from espnet_ros.images import render

LABELS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
PALETTE = label_sets.CITYSCAPES.palette()


@hypothesis.given(LABELS)
def test_colorize_looks_every_pixel_up(labels):
    np.testing.assert_array_equal(render.colorize(labels, PALETTE), PALETTE[labels])


def test_colorize_keeps_the_palettes_channel_order():
    labels = np.array([[13, 255]], np.uint8)
    assert render.colorize(labels, PALETTE).tolist() == [[[0, 0, 142], [0, 0, 0]]]
    assert render.colorize(labels, PALETTE[:, ::-1]).tolist() == [[[142, 0, 0], [0, 0, 0]]]


def test_colorize_reads_views():
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)[::2, 1::3]
    np.testing.assert_array_equal(render.colorize(labels, PALETTE), PALETTE[labels])


def test_overlay_blends_by_alpha():
    image = np.full((4, 5, 3), (10, 100, 250), np.uint8)
    color = np.full((4, 5, 3), (210, 0, 50), np.uint8)
    for alpha, expected in ((0.0, (10, 100, 250)), (0.25, (60, 75, 200)), (0.5, (110, 50, 150)), (1.0, (210, 0, 50))):
        np.testing.assert_array_equal(render.overlay(image, color, alpha), np.full((4, 5, 3), expected, np.uint8))


@hypothesis.given(LABELS)
def test_overlay_leaves_unlabeled_pixels_as_they_are(labels):
    image = np.random.default_rng(labels.size).integers(0, 256, labels.shape + (3,), dtype=np.uint8)
    before = image.copy()
    result = render.overlay(image, render.colorize(labels, PALETTE), 1.0, labels)
    np.testing.assert_array_equal(result, np.where(labels[..., None] == 255, image, PALETTE[labels]))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('color, labels, sizes', [
    (np.zeros((4, 6, 3), np.uint8), None, '5x4, 6x4 and None'),
    (np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.uint8), '5x4, 5x4 and 4x5')])
def test_overlay_refuses_different_sizes(color, labels, sizes):
    with pytest.raises(ImageError, match='of one size, not ' + sizes):
        render.overlay(np.zeros((4, 5, 3), np.uint8), color, 0.5, labels)


@hypothesis.given(LABELS)
def test_categories_and_masks(labels):
    table = label_sets.CITYSCAPES.category_table()
    categories = render.categories(labels, table)
    np.testing.assert_array_equal(categories, table[labels])
    for wanted in (0, 1, 7):
        mask = render.category_mask(categories, wanted)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, np.where(categories == wanted, 255, 0))


@pytest.mark.parametrize('width, height, label_set', [
    (480, 360, label_sets.CAMVID), (2048, 1024, label_sets.CITYSCAPES), (640, 120, label_sets.CITYSCAPES)])
def test_the_legend_beside_the_image_names_all_classes(width, height, label_set):
    image = np.full((height, width, 3), 90, np.uint8)
    picture = render.add_legend(image, label_set)
    np.testing.assert_array_equal(picture[:, :width], image)
    panel = picture[:, width:]
    assert panel.shape[1] % 2 == 0 and panel.shape[1] < max(width, 4 * height)
    colors = {tuple(c) for c in panel.reshape(-1, 3).tolist()}
    assert {c.color[::-1] for c in label_set.classes} <= colors
    line = 6 + height // 24
    rows = min(len(label_set.classes), (height - 2 * (line // 4)) // line)
    for i in range(rows):  # each name is written in white, high enough to be read
        row = panel[line // 4 + line * i:line // 4 + line * (i + 1), line // 4 + line:]
        lit = np.flatnonzero((row.min(axis=2) > 150).any(axis=1))
        assert line // 4 <= lit[-1] - lit[0] + 1 <= line


@pytest.mark.parametrize('size', [(1, 1), (3, 40), (40, 3)])
def test_legend_of_a_tiny_picture(size):
    picture = render.add_legend(np.zeros(size + (3,), np.uint8), label_sets.CAMVID)
    assert picture.shape[0] == size[0] and picture.shape[1] > size[1]


def test_outlines_lie_between_labels():
    labels = np.zeros((4, 5), np.uint8)
    labels[2:, 3:] = 7
    picture = render.outline(np.full((4, 5, 3), 10, np.uint8), labels)
    edges = (picture == 255).all(axis=2)
    assert edges.astype(int).tolist() == [[0] * 5, [0] * 5, [0, 0, 0, 1, 1], [0, 0, 0, 1, 0]]
    assert (picture[~edges] == 10).all()


def test_probabilities_of_categories_sum_to_one():
    ids = np.array([[0, 1, 7], [3, 3, 1]], np.uint8)
    confidence = np.array([[200, 255, 128], [0, 51, 10]], np.uint8)
    found = render.category_probabilities(ids, confidence, 7)
    assert found.dtype == np.float32 and found.shape == (2, 3, 7)
    np.testing.assert_allclose(found.sum(2), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found[0, 0], 1 / 7, rtol=1e-6)  # void says nothing
    np.testing.assert_allclose(found[0, 1], [1, 0, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[0, 2], [(1 - 128 / 255) / 6] * 6 + [128 / 255], rtol=1e-5)
    np.testing.assert_allclose(found[1, 0], 1 / 7, rtol=1e-6)
