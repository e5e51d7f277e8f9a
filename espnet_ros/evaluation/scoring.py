"""Comparison of a frame's labels with its ground truth."""
import typing

import numpy as np

from espnet_ros.evaluation.protocols import rows_of
from espnet_ros.labels import CATEGORY_SET, LabelSet
from espnet_ros.labels.truth import label_table
from espnet_ros.metrics.boundary import boundary_f1
from espnet_ros.metrics.confusion import category_confusion, count_pixels, iou, mean, pixel_accuracy
from espnet_ros.metrics.instances import count_objects
from espnet_ros.segmenter import resize_nearest


class Comparison(typing.NamedTuple):
    """The classes in which ground truth and prediction are compared.

    label_set: these classes, with ids 0..n-1. by_class: whether they are the model's own classes rather than
    categories. truth, prediction: uint8 [256], tables from the ids of ground truth and model, n = unlabeled.
    """

    label_set: LabelSet
    by_class: bool
    truth: np.ndarray
    prediction: np.ndarray

    @property
    def size(self):
        """Number of classes."""
        return len(self.label_set.classes)


def compare_labels(model_set, truth_sets):
    """Return a Comparison for each label set of ground truth, all with the same classes.

    model_set: the LabelSet of the model. truth_sets: those of the bags, None for bags without ground truth. Classes are
    compared when all have the model's ids, names and categories, else the 7 Cityscapes categories.
    """
    by_class = all(s.meaning == model_set.meaning for s in truth_sets if s)
    target = model_set if by_class else CATEGORY_SET
    numbered = LabelSet(target.name, tuple(c._replace(id=i) for i, c in enumerate(target.classes)))
    indices = np.full(256, len(target.classes), np.uint8)
    indices[list(target.ids)] = range(len(target.classes))
    return [Comparison(numbered, by_class, indices[label_table(s, target) if s and not by_class else np.arange(256)],
                       indices[label_table(model_set, target)]) for s in truth_sets]


def score_frame(comparison, truth, labels, protocol='cityscapes', outlines=True, instances=None):
    """Compare a frame's labels with its ground truth.

    truth, labels: uint8 [h, w] and [H, W], ids of the ground truth's and the model's label set, 255 = unlabeled. The
    labels are resized with nearest neighbor to the grid of the ground truth, which is never resized. protocol: of
    PROTOCOLS. outlines: whether to compute boundary F1. instances: uint16 [h, w] (see labels.instances), or None.

    Returns a dict of plain data: `confusion`, a list of [truth, prediction, pixels] with indices in
    comparison.label_set, its size = unlabeled; the scores class_miou (None where categories are compared),
    category_miou, pixel_accuracy, boundary_f1 and boundary (of each class), from 0 to 1, None where undefined; with
    instances, `objects`, what instances.count_objects found.
    """
    truth, labels = aligned(comparison, truth, labels)
    confusion = count_pixels(truth, labels, comparison.size)
    counted = rows_of(confusion, protocol)
    boundary = boundary_f1(truth, labels, comparison.size) if outlines else [np.nan] * comparison.size
    rows, columns = np.nonzero(confusion)
    record = {
        'confusion': np.stack([rows, columns, confusion[rows, columns]], 1).tolist(),
        'class_miou': number(mean(iou(counted))) if comparison.by_class else None,
        'category_miou': number(mean(iou(category_confusion(counted, comparison.label_set)))),
        'pixel_accuracy': number(pixel_accuracy(counted)),
        'boundary_f1': number(mean(boundary)), 'boundary': [number(value) for value in boundary]}
    if instances is not None:
        record['objects'] = count_objects(comparison, instances, labels)
    return record


def aligned(comparison, truth, labels):
    """Return ground truth and labels at the size of the ground truth, as indices in comparison.label_set."""
    labels = resize_nearest(labels, truth.shape[1], truth.shape[0])
    return comparison.truth[truth], comparison.prediction[labels]


def number(value):
    """Return a float for JSON: None where it is NaN."""
    return None if np.isnan(value) else float(value)
