"""Instance images in the format of the Cityscapes dataset."""
import numpy as np

from espnet_ros.errors import LabelError
from espnet_ros.labels import CATEGORIES, CITYSCAPES_LABELS

PER_LABEL = 1000
"""An object's pixels have the value labelId * PER_LABEL + its number; other pixels have their labelId."""
OBJECTS = {row.label_id: row for row in CITYSCAPES_LABELS if CATEGORIES[row.category] in ('human', 'vehicle')}
"""Rows of the Cityscapes label table by labelId: the labels that have instances."""


def decode_instances(pixels, name):
    """Return instance ids, uint16 [H, W]. pixels: integers [H, W]; name: of the image, for errors.

    Raises LabelError if they hold a value that is no instance id.
    """
    if pixels.ndim != 2:
        raise LabelError('{} is a color image, but instance ids are values'.format(name))
    known = np.zeros(1 << 16, bool)
    known[[row.label_id for row in CITYSCAPES_LABELS]] = True
    for label in OBJECTS:
        known[PER_LABEL * label:PER_LABEL * (label + 1)] = True
    inside = (pixels >= 0) & (pixels < 1 << 16)
    wrong = ~inside
    wrong[inside] = ~known[pixels[inside]]
    if wrong.any():
        raise LabelError('{} holds the value {} in {} pixels; it is no instanceId of Cityscapes: a labelId, or that of '
                         'a human or vehicle times {} and a number'.format(
                             name, int(pixels[wrong][0]), int(wrong.sum()), PER_LABEL))
    return pixels.astype(np.uint16)
