"""Metrics against counting by hand."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ros import labels
from espnet_ros.metrics.confusion import (
    BatchIoU,
    category_confusion,
    class_accuracy,
    confusion_matrix,
    count_pixels,
    iou,
    mean,
    mean_iou,
    pixel_accuracy,
)

IDS = st.sampled_from([0, 1, 2, 3, 4, 200, 255])


def count(truth, prediction, size):
    """The definition, pixel by pixel."""
    matrix = [[0] * (size + 1) for _ in range(size)]
    for t, p in zip(truth, prediction):
        if t < size:
            matrix[t][p if p < size else size] += 1
    return matrix


@settings(max_examples=200)
@given(st.lists(st.tuples(IDS, IDS), max_size=40), st.integers(1, 5))
def test_confusion_matrix_and_iou_equal_a_count_by_hand(pixels, size):
    truth, prediction = ([p[i] for p in pixels] for i in (0, 1))
    matrix = confusion_matrix(np.array(truth, np.uint8), np.array(prediction, np.uint8), size)
    assert matrix.dtype == np.int64 and matrix.tolist() == count(truth, prediction, size)
    for c, value in enumerate(iou(matrix)):
        hit = sum(t == p == c for t, p in pixels)
        union = sum((t == c or p == c) and t < size for t, p in pixels)  # unlabeled truth is ignored
        assert math.isnan(value) if union == 0 else value == pytest.approx(hit / union, abs=1e-12)


def test_unlabeled_truth_is_ignored_and_unlabeled_prediction_is_a_miss():
    truth, prediction = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 255, 1, 0]], np.uint8)
    matrix = confusion_matrix(truth, prediction, 2)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert iou(matrix).tolist() == [0.5, 1.0] and mean_iou(matrix) == 0.75


def test_classes_that_never_occur_do_not_count():
    matrix = confusion_matrix(np.zeros(3, np.uint8), np.zeros(3, np.uint8), 4)
    assert iou(matrix)[0] == 1.0 and np.isnan(iou(matrix)[1:]).all() and mean_iou(matrix) == 1.0
    assert math.isnan(mean_iou(np.zeros((3, 4), np.int64)))


def test_a_full_label_set_of_255_classes():
    ids = np.arange(256, dtype=np.uint8)
    matrix = confusion_matrix(ids, ids[::-1], 255)
    assert matrix.shape == (255, 256) and matrix.sum() == 255
    assert matrix[0, 255] == 1 and matrix[254, 1] == 1 and matrix[127, 128] == 1


def test_signed_labels_below_zero_count_as_unlabeled():
    assert confusion_matrix(np.array([-1, 0, 1]), np.array([0, -1, 1]), 2).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_images_of_different_shape_are_an_error():
    with pytest.raises(ValueError, match=r'truth is \(2,\) and prediction \(3,\)'):
        confusion_matrix(np.zeros(2), np.zeros(3), 2)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60))
def test_category_sums_equal_a_count_of_categories(pixels):
    truth, prediction = (np.array([p[i] for p in pixels], np.uint8) for i in (0, 1))
    table = labels.CITYSCAPES.category_table()
    by_class = category_confusion(confusion_matrix(truth, prediction, 19), labels.CITYSCAPES)
    # Categories counted pixel by pixel, shifted so that flat is 0; void is out of range.
    by_hand = confusion_matrix(table[truth].astype(int) - 1, table[prediction].astype(int) - 1, 7)
    assert by_class.tolist() == by_hand.tolist()


def test_classes_without_category_leave_the_truth_and_are_misses_when_predicted():
    own = labels.LabelSet('own', (
        labels.LabelClass(0, 'road', 1, (0, 0, 0)), labels.LabelClass(1, 'bowl', 0, (1, 1, 1))))
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 0]), 2)
    expected = np.zeros((7, 8), int)
    expected[0, 0] = expected[0, 7] = 1
    assert np.array_equal(category_confusion(matrix, own), expected)


def test_the_authors_confusion_matrix_gives_the_known_results(shared):
    counted = np.loadtxt(str(shared / 'golden' / 'camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    matrix = counted[:11]  # without unlabeled truth; the last column is the background output
    assert round(100 * mean_iou(matrix), 2) == 70.10
    categories = category_confusion(matrix, labels.CAMVID)
    assert np.round(100 * iou(categories), 2).tolist() == [97.32, 85.92, 31.46, 90.70, 94.65, 73.53, 81.31]
    assert round(100 * mean_iou(categories), 2) == 79.27
    # The reference results by category leave cyclists out.
    without = labels.CAMVID._replace(classes=labels.CAMVID.classes[:10])
    categories = category_confusion(matrix, without)
    assert dict(zip(labels.CATEGORIES[1:], np.round(100 * iou(categories), 2).tolist())) == {
        'flat': 97.53, 'construction': 86.15, 'object': 31.50, 'nature': 90.70, 'sky': 94.65, 'human': 53.86,
        'vehicle': 84.32}
    assert round(100 * mean_iou(categories), 2) == 76.96


def test_the_authors_protocol_counts_unlabeled_truth_as_false_positives(shared):
    counted = np.loadtxt(str(shared / 'golden' / 'camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    assert round(100 * mean_iou(counted), 2) == 68.68
    assert round(100 * mean(class_accuracy(counted)), 2) == 79.71
    assert pixel_accuracy(counted) == pixel_accuracy(counted[:11]) == np.trace(counted[:11]) / counted[:11].sum()
    assert round(100 * mean_iou(category_confusion(counted, labels.CAMVID)), 2) == 77.97


@settings(max_examples=100)
@given(st.lists(st.tuples(IDS, IDS), max_size=40), st.integers(1, 5))
def test_accuracies_and_the_row_of_the_unlabeled_equal_a_count_by_hand(pixels, size):
    truth, prediction = (np.array([p[i] for p in pixels], np.uint8) for i in (0, 1))
    matrix = count_pixels(truth, prediction, size)
    assert np.array_equal(matrix[:size], confusion_matrix(truth, prediction, size))
    assert matrix[size].tolist() == [sum(t >= size and p == c for t, p in pixels) for c in range(size)] + [
        sum(t >= size and p >= size for t, p in pixels)]
    for c, (overlap, found) in enumerate(zip(iou(matrix), class_accuracy(matrix))):
        hit, true = sum(t == p == c for t, p in pixels), sum(t == c for t, p in pixels)
        union = sum(t == c or p == c for t, p in pixels)  # unlabeled truth counts
        assert math.isnan(overlap) if union == 0 else overlap == pytest.approx(hit / union, abs=1e-12)
        assert math.isnan(found) if true == 0 else found == pytest.approx(hit / true, abs=1e-12)
    labeled = [(t, p) for t, p in pixels if t < size]
    right = pixel_accuracy(matrix)
    hits = sum(t == p for t, p in labeled)
    assert math.isnan(right) if not labeled else right == pytest.approx(hits / len(labeled))


def test_the_mean_leaves_out_what_is_undefined():
    assert mean([0.5, float('nan'), 1.0]) == 0.75
    assert math.isnan(mean([float('nan')])) and math.isnan(mean([]))


def test_iou_averaged_over_batches_counts_absent_classes_as_zero():
    batches = BatchIoU(2)
    assert np.isnan(batches.value)
    for truth, prediction in ((0, 0), (0, 1), (1, 1)):
        batches.add(count_pixels(np.full((2, 5), truth), np.full((2, 5), prediction), 2))
    # Batch 1: class 0 has 10 of 20 pixels, class 1 has 0 of 10; batch 2: class 1 has all. The third is unlabeled.
    assert batches.value == pytest.approx(((0.5 + 0 + 0) / 3 + (0 + 1 + 0) / 3) / 2)
