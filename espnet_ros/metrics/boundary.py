"""Boundary F1: how well the outlines of classes match."""
import math

import cv2
import numpy as np

TOLERANCE = 0.0075
"""Distance at which two outlines still match, as a share of the image's diagonal (Csurka et al., BMVC 2013)."""

LONGEST_DIAGONAL = 1200
"""In pixels. In larger images only every 2nd, 3rd ... row and column is scored: time grows with the diagonal's cube."""


def boundary_f1(truth, prediction, size):
    """Boundary F1 of each class in one image: float [size], NaN for classes without an outline in either.

    truth, prediction: uint8 [H, W]; values from `size` on are unlabeled. The outline of a class are its pixels with a
    neighbor (of four) of another class. Precision is the share of the predicted outline within TOLERANCE of the true
    one, recall the reverse; F1 is their harmonic mean (Csurka et al., BMVC 2013). Where the ground truth is unlabeled
    there is no outline, nor along its border.
    """
    step = math.ceil(math.hypot(*truth.shape) / LONGEST_DIAGONAL)
    truth, prediction = truth[::step, ::step], prediction[::step, ::step]
    disc = _disc(TOLERANCE * math.hypot(*truth.shape))
    valid = truth < size
    outlines = [_classes_along_edges(labels, valid, size) for labels in (truth, prediction)]
    result = np.full(size, np.nan)
    for c in np.flatnonzero(np.bincount(np.concatenate(outlines, axis=None), minlength=size + 1)[:size]):
        own, other = (cv2.compare(outline, int(c), cv2.CMP_EQ) for outline in outlines)
        result[c] = _f1(own, other, disc)
    return result


def _classes_along_edges(labels, valid, size):
    """The labels of pixels with a neighbor of another class, `size` elsewhere."""
    edge = np.zeros(labels.shape, bool)
    for first, second in (((slice(1, None),), (slice(-1),)), ((slice(None), slice(1, None)), (slice(None), slice(-1)))):
        differ = (labels[first] != labels[second]) & valid[first] & valid[second]
        edge[first] |= differ
        edge[second] |= differ
    return np.where(edge, np.minimum(labels, size), np.uint8(size))


def _f1(truth, prediction, disc):
    """Return the F1 of two outlines, uint8 images of 0 and 255, that match within a disc."""
    found = _share_near(prediction, truth, disc), _share_near(truth, prediction, disc)
    return 2 * found[0] * found[1] / (sum(found) or 1.0)


def _share_near(outline, other, disc):
    """Share of `outline` that is within a disc around `other`; 0 when one is empty."""
    x, y, width, height = cv2.boundingRect(outline)
    if not width:
        return 0.0
    # Pixels farther away do not matter.
    margin = disc.shape[0] // 2
    around = (slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin))
    outline, near = outline[around], cv2.dilate(other[around], disc)
    return cv2.countNonZero(cv2.bitwise_and(near, outline)) / cv2.countNonZero(outline)


def _disc(radius):
    """Pixels within a radius: uint8 [n, n], odd n. For images of common size this is faster than their distances."""
    steps = np.arange(-int(radius), int(radius) + 1)
    return (np.hypot(steps, steps[:, None]) <= radius).astype(np.uint8)
