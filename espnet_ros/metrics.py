"""Confusion matrix and intersection over union, per class and per category."""
import numpy as np

from espnet_ros.labels import CATEGORIES


def confusion_matrix(truth, prediction, size):
    """Count pixels by ground truth and prediction.

    truth, prediction: integer arrays of one shape with values 0..255; truth outside 0..size-1 is ignored, prediction
    outside it is counted in an extra last column (a miss). Returns int64 [size, size + 1].
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError('truth is {} and prediction {}'.format(truth.shape, prediction.shape))
    valid = (truth >= 0) & (truth < size)
    column = np.where((prediction >= 0) & (prediction < size), prediction, size)[valid].astype(np.int64)
    row = truth[valid].astype(np.int64)
    return np.bincount(row * (size + 1) + column, minlength=size * (size + 1)).reshape(size, size + 1)


def iou(confusion):
    """Intersection over union of each row's class: float [size], NaN where the class never occurs.

    confusion: [size, size + 1] as from `confusion_matrix`; the last column counts as false negatives, so unlabelled
    predictions cost, while unlabelled ground truth does not (Cityscapes' rule).
    """
    size = confusion.shape[0]
    hit = np.diag(confusion[:, :size]).astype(np.float64)
    union = confusion.sum(1) + confusion[:, :size].sum(0) - hit
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(union > 0, hit / union, np.nan)


def mean_iou(confusion):
    """Mean of `iou` over the classes that occur; NaN when none does."""
    values = iou(confusion)
    return float(np.mean(values[~np.isnan(values)])) if np.any(~np.isnan(values)) else float('nan')


def category_confusion(confusion, label_set):
    """Add the rows and columns of classes up to Cityscapes categories.

    confusion: [n, n + 1] over the ids 0..n-1 of `label_set`. Returns int64 [7, 8]; row 0 is categoryId 1 (flat).
    Classes without a category drop out of the ground truth and count as misses where they are predicted.
    """
    size = confusion.shape[0]
    categories = len(CATEGORIES) - 1
    table = label_set.category_table()[:size].astype(np.int64)
    column = np.append(np.where(table > 0, table - 1, categories), categories)
    result = np.zeros((categories, categories + 1), np.int64)
    for row in np.flatnonzero(table):
        np.add.at(result[table[row] - 1], column, confusion[row])
    return result
