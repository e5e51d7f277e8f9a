"""Confusion matrix, and the intersection over union and accuracies computed from it."""
import numpy as np

from espnet_ros.labels import CATEGORIES


def count_pixels(truth, prediction, size):
    """Count pixels by ground truth and prediction: int64 [size + 1, size + 1].

    truth, prediction: integer arrays of one shape with values 0..255; values outside 0..size-1 are unlabeled and
    counted in the last row or column.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError('truth is {} and prediction {}'.format(truth.shape, prediction.shape))
    row, column = (np.where((ids >= 0) & (ids < size), ids, size).astype(np.int64) for ids in (truth, prediction))
    pairs = (row * (size + 1) + column).ravel()
    return np.bincount(pairs, minlength=(size + 1) ** 2).reshape(size + 1, size + 1)


def confusion_matrix(truth, prediction, size):
    """Count pixels as `count_pixels`, without those of unlabeled ground truth: int64 [size, size + 1]."""
    return count_pixels(truth, prediction, size)[:size]


def iou(confusion):
    """Intersection over union of each row's class: float [size], NaN where the class never occurs.

    confusion: [size, size + 1] as from `confusion_matrix`; the last column counts as false negatives, so unlabeled
    predictions cost, while unlabeled ground truth does not (Cityscapes' rule). With the row of unlabeled ground
    truth, [size + 1, size + 1] as from `count_pixels`, predictions there count as false positives (the rule of ESPNet's
    authors on CamVid).
    """
    size = confusion.shape[1] - 1
    hit = np.diag(confusion[:, :size]).astype(np.float64)
    union = confusion[:size].sum(1) + confusion[:, :size].sum(0) - hit
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(union > 0, hit / union, np.nan)


class BatchIoU:
    """Mean IoU averaged over batches, as ESPNet's authors report it while they train.

    Each batch has its own confusion matrix, from which the IoU of each class, unlabeled among them, is taken; a class
    that a batch lacks counts as 0. The number depends on the order of the images and is below that of all images
    together.
    """

    def __init__(self, batch):
        """batch: images of one."""
        self._batch, self._count, self._sum, self._batches, self._scores = batch, 0, None, 0, 0.0

    def add(self, confusion):
        """Add an image, int64 [size + 1, size + 1] as from `count_pixels`."""
        self._sum = confusion.copy() if self._sum is None else self._sum + confusion
        self._count += 1
        if self._count == self._batch:
            self._close()

    @property
    def value(self):
        """Mean over the batches, a last one that is not full among them, from 0 to 1; NaN without images."""
        batches, scores = self._batches, self._scores
        if self._count:
            batches, scores = batches + 1, scores + _mean_with_absent(self._sum)
        return scores / batches if batches else float('nan')

    def _close(self):
        self._batches += 1
        self._scores += _mean_with_absent(self._sum)
        self._sum, self._count = None, 0


def _mean_with_absent(confusion):
    hit = np.diag(confusion).astype(np.float64)
    return float(np.mean(hit / np.maximum(confusion.sum(0) + confusion.sum(1) - hit, 1)))


def class_accuracy(confusion):
    """Recall of each class's pixels: float [size], NaN where the ground truth has none.

    confusion: as for `iou`. ESPNet's authors call its mean class average.
    """
    size = confusion.shape[1] - 1
    pixels = confusion[:size].sum(1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(pixels > 0, np.diag(confusion[:, :size]) / pixels, np.nan)


def pixel_accuracy(confusion):
    """Share of the labeled pixels that are correct, a float; NaN if there are none. confusion: as for `iou`."""
    size = confusion.shape[1] - 1
    pixels = confusion[:size].sum()
    return float(np.trace(confusion[:, :size]) / pixels) if pixels else float('nan')


def mean(values):
    """Mean of the values that are not NaN, a float; NaN if all are."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')


def mean_iou(confusion):
    """Mean of `iou` over the classes that occur; NaN if none does."""
    return mean(iou(confusion))


def category_confusion(confusion, label_set):
    """Add the rows and columns of classes up to Cityscapes categories.

    confusion: [n, n + 1] over the ids 0..n-1 of `label_set`, or [n + 1, n + 1] with the row of unlabeled ground truth.
    Returns int64 [7, 8], or [8, 8] in the second case; row 0 is categoryId 1 (flat). Classes without a category count
    as unlabeled.
    """
    rows, columns = confusion.shape
    categories = len(CATEGORIES) - 1
    table = label_set.category_table()[:columns - 1].astype(np.int64)
    index = np.append(np.where(table > 0, table - 1, categories), categories)
    result = np.zeros((categories + 1, categories + 1), np.int64)
    np.add.at(result, (index[:rows, None], index[None]), confusion)
    return result[:categories + rows - columns + 1]
