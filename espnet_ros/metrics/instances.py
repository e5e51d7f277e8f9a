"""Instance-weighted IoU (iIoU) as the Cityscapes benchmark defines it (Cordts et al., CVPR 2016, section 4.1)."""
import math
import typing

import numpy as np

from espnet_ros.labels import CATEGORIES, CITYSCAPES
from espnet_ros.labels.instances import OBJECTS, PER_LABEL
from espnet_ros.metrics.confusion import category_confusion, mean

AVERAGE_PIXELS = {
    'person': 3462.4756337644, 'rider': 3930.4788056518, 'car': 12794.0202738185, 'truck': 27855.1264367816,
    'bus': 35732.1511111111, 'train': 67583.7075812274, 'motorcycle': 6298.7200839748, 'bicycle': 4672.3249222261}
"""Mean size of a class's objects in the Cityscapes dataset, in pixels of 2048x1024 images."""
_EVALUATED = {label: row for label, row in OBJECTS.items() if row.name in AVERAGE_PIXELS}
_OBJECT_CATEGORIES = tuple(sorted({row.category for row in OBJECTS.values()}))


def count_objects(comparison, instances, labels):
    """Return the predicted pixels of each object: a list of [labelId, pixels, pixels predicted as its class, pixels
    predicted as its category].

    comparison: scoring.Comparison. instances: uint16 [H, W] (see labels.instances). labels: the prediction, uint8
    [H, W], indices in comparison.label_set.
    """
    inside = instances > PER_LABEL
    values, objects, pixels = np.unique(instances[inside], return_inverse=True, return_counts=True)
    predicted, classes = labels[inside], values // PER_LABEL
    categories = np.append(comparison.label_set.category_table()[:comparison.size], 0)[predicted]
    true_classes = np.array([_EVALUATED[i].train_id if i in _EVALUATED else comparison.size for i in classes], np.int64)
    true_categories = np.array([OBJECTS[i].category for i in classes], np.int64)
    found: typing.List[typing.Any] = [np.bincount(objects, hits, len(values)).astype(int) for hits in (
        predicted == true_classes[objects], categories == true_categories[objects])] if len(values) else [[], []]
    if not has_classes(comparison.label_set, comparison.by_class):
        found[0] = [0] * len(values)
    return [[int(i), int(size), int(in_class), int(in_category)]
            for i, size, in_class, in_category in zip(classes, pixels, *found) if i in _EVALUATED]


def has_classes(label_set, by_class):
    """Whether the compared classes are those of Cityscapes, so that objects have one."""
    return by_class and label_set.classes == CITYSCAPES.classes


class ObjectScores:
    """Sums over the frames that have instances. label_set, by_class: as of scoring.Comparison."""

    def __init__(self, label_set, by_class):
        self.frames = 0
        self._label_set, self._by_class = label_set, by_class
        size = len(label_set.classes)
        self._confusion = np.zeros((size + 1, size + 1), np.int64)
        self._classes = {row.name: np.zeros(2) for row in _EVALUATED.values()}
        self._categories = {CATEGORIES[i]: np.zeros(2) for i in _OBJECT_CATEGORIES}

    def add(self, objects, confusion):
        """Add the result of `count_objects` for a frame, and the frame's confusion matrix as from count_pixels."""
        self.frames += 1
        self._confusion += confusion
        for label, pixels, in_class, in_category in objects:
            row = _EVALUATED[label]
            weight = AVERAGE_PIXELS[row.name] / pixels
            self._classes[row.name] += weight * in_class, weight * (pixels - in_class)
            self._categories[CATEGORIES[row.category]] += weight * in_category, weight * (pixels - in_category)

    def class_scores(self, rows):
        """Return the iIoU of each class: dict by name, NaN where it has none.

        rows: function that selects the rows of a confusion matrix that the protocol counts.
        """
        names = self._label_set.names if self._by_class else ()
        if not self.frames or not has_classes(self._label_set, self._by_class):
            return dict.fromkeys(names, math.nan)
        return _scores(names, self._classes, rows(self._confusion))

    def category_scores(self, rows):
        """Return the iIoU of each category: dict by name, NaN where it has none; rows: as for class_scores."""
        if not self.frames:
            return dict.fromkeys(CATEGORIES[1:], math.nan)
        confusion = category_confusion(rows(self._confusion), self._label_set)
        return _scores(CATEGORIES[1:], self._categories, confusion)


def _scores(names, weighted, confusion):
    """Return the iIoU by name, from weighted true positives and false negatives and from false positives."""
    false = confusion[:, :-1].sum(0) - np.diag(confusion[:, :-1])  # of the predicted class, whatever the ground truth
    scores = {}
    for i, name in enumerate(names):
        found, missed = weighted.get(name, (math.nan, math.nan))
        union = found + missed + false[i]
        scores[name] = float(found / union) if union else math.nan
    return scores


def mean_score(scores):
    """Mean of a dict's values without its NaNs."""
    return mean(list(scores.values()))
