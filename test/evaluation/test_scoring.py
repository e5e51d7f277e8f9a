"""Frames against their ground truth, counted by hand."""
import numpy as np
import pytest

from espnet_ros import labels
from espnet_ros.evaluation.protocols import rows_of
from espnet_ros.evaluation.scoring import aligned, compare_labels, score_frame
from espnet_ros.labels import CAMVID, CITYSCAPES, LabelClass, LabelSet

FRUIT = LabelSet('fruit', (
    LabelClass(2, 'apple', 4, (255, 0, 0)), LabelClass(5, 'pear', 4, (0, 255, 0)),
    LabelClass(9, 'bowl', 0, (0, 0, 255))))


def score(model_set, truth_set, truth, labels, **settings):
    comparison, = compare_labels(model_set, [truth_set])
    return score_frame(comparison, np.array(truth, np.uint8), np.array(labels, np.uint8), **settings)


def test_equal_label_sets_are_compared_by_class_with_places_for_ids():
    comparison, = compare_labels(FRUIT, [FRUIT])
    assert comparison.by_class and comparison.label_set.ids == (0, 1, 2) and comparison.label_set.names == FRUIT.names
    found = score(FRUIT, FRUIT, [[2, 2, 5, 9, 255]], [[2, 5, 5, 255, 9]])
    assert found['confusion'] == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [2, 3, 1], [3, 2, 1]]
    assert found['class_miou'] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert found['category_miou'] == 1.0  # both are nature; bowls have no category
    assert found['pixel_accuracy'] == 0.5


def test_colors_and_names_of_label_sets_do_not_matter():
    other = CAMVID._replace(name='mine', classes=tuple(c._replace(color=(1, 2, 3)) for c in CAMVID.classes))
    assert compare_labels(CAMVID, [other, None])[0].by_class


@pytest.mark.parametrize('truth_sets', [[CITYSCAPES], [CAMVID, CITYSCAPES], [labels.CATEGORY_SET]])
def test_other_label_sets_are_compared_by_category_all_of_them(truth_sets):
    for comparison in compare_labels(CAMVID, truth_sets):
        assert not comparison.by_class and comparison.label_set.names == labels.CATEGORIES[1:]


def test_by_category_ids_of_both_sides_are_translated():
    # Cityscapes road, sidewalk, car, unlabeled against CamVid Road, Pavement, Fence, Sky.
    found = score(CAMVID, CITYSCAPES, [[0, 1, 13, 255]], [[3, 4, 7, 0]])
    assert found['confusion'] == [[0, 0, 2], [6, 1, 1], [7, 4, 1]]
    assert found['class_miou'] is None and found['category_miou'] == pytest.approx((1 + 0 + 0) / 3)


def test_predictions_that_are_unlabeled_or_unknown_ids_are_misses():
    assert score(FRUIT, FRUIT, [[2, 2, 2]], [[2, 255, 77]])['confusion'] == [[0, 0, 1], [0, 3, 2]]


def test_the_authors_protocol_counts_what_is_predicted_on_unlabeled_pixels():
    truth, prediction = [[0, 0, 255, 255]], [[0, 0, 0, 255]]
    assert score(CAMVID, CAMVID, truth, prediction)['class_miou'] == 1.0
    assert score(CAMVID, CAMVID, truth, prediction, protocol='authors')['class_miou'] == pytest.approx(2 / 3)
    matrix = np.arange(9).reshape(3, 3)
    assert rows_of(matrix, 'cityscapes').shape == (2, 3) and rows_of(matrix, 'authors') is matrix


def test_labels_are_resized_to_the_ground_truth_and_never_the_other_way():
    comparison, = compare_labels(CAMVID, [CAMVID])
    prediction = np.array([[0, 1], [2, 3]], np.uint8)
    truth, resized = aligned(comparison, np.zeros((4, 6), np.uint8), prediction)
    assert resized.tolist() == 2 * [[0, 0, 0, 1, 1, 1]] + 2 * [[2, 2, 2, 3, 3, 3]]
    assert truth.shape == (4, 6)
    truth, resized = aligned(comparison, np.array([[5]], np.uint8), np.arange(9, dtype=np.uint8).reshape(3, 3))
    assert resized.tolist() == [[4]]  # the pixel under its center


def test_a_frame_without_labeled_pixels_has_no_scores():
    found = score(CAMVID, CAMVID, np.full((4, 4), 255), np.zeros((4, 4)))
    assert found['confusion'] == [[11, 0, 16]]
    assert [found[key] for key in ('class_miou', 'category_miou', 'pixel_accuracy', 'boundary_f1')] == 4 * [None]


def test_a_label_set_of_255_classes():
    many = LabelSet('many', tuple(LabelClass(i, str(i), 1, (i, i, i)) for i in range(255)))
    ids = np.arange(256, dtype=np.uint8)[None]
    assert score(many, many, ids, ids, outlines=False)['confusion'] == [[i, i, 1] for i in range(256)]


def test_boundary_can_be_left_out():
    found = score(CAMVID, CAMVID, [[0, 1]], [[0, 1]], outlines=False)
    assert found['boundary_f1'] is None and found['boundary'] == 11 * [None]
    assert score(CAMVID, CAMVID, [[0, 1]], [[0, 1]])['boundary_f1'] == 1.0
