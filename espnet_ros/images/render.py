"""Rendering of labels: color map, overlay, category masks, outlines, legend."""
import cv2
import numpy as np

from espnet_ros.errors import ImageError
from espnet_ros.labels import UNLABELED


def colorize(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Color each pixel by its id.

    `labels` is uint8 [H, W]; `palette` uint8 [256, 3] holds the color of each id. Returns uint8 [H, W, 3] in the
    palette's channel order.
    """
    # A user's color map is a plain table look-up, and twice as fast as cv2.LUT on three copies of the labels.
    return cv2.applyColorMap(labels, np.ascontiguousarray(palette).reshape(256, 1, 3))


def overlay(image, color, alpha, labels=None):
    """Blend `color` over `image`; where `labels` are given and say 255 (unlabeled), the image stays as it is.

    `image` and `color` are uint8 [H, W, 3] of one channel order, which the result keeps; `labels` is uint8 [H, W];
    `alpha` in [0, 1] is the share of the color. Returns a new array. Raises ImageError when the sizes differ.
    """
    if image.shape != color.shape or (labels is not None and labels.shape != image.shape[:2]):
        raise ImageError('an overlay needs image, colors and labels of one size, not {}, {} and {}'.format(
            *(None if a is None else 'x'.join(map(str, a.shape[1::-1])) for a in (image, color, labels))))
    blend = cv2.addWeighted(image, 1.0 - alpha, color, alpha, 0.0)
    if labels is None:
        return blend
    return cv2.copyTo(image, category_mask(labels, UNLABELED), blend)


def categories(labels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Map ids to Cityscapes categoryIds: uint8 [H, W] by `table`, uint8 [256] (`LabelSet.category_table()`)."""
    return cv2.LUT(labels, table)


def category_mask(ids: np.ndarray, wanted: int) -> np.ndarray:
    """Return 255 where `ids`, uint8 [H, W] of categories or labels, equals `wanted` (0..255), and 0 elsewhere."""
    table = np.zeros(256, np.uint8)
    table[wanted] = 255
    return cv2.LUT(ids, table)


def category_probabilities(ids, confidence, count):
    """Return how likely each pixel is of each category but void: float32 [H, W, count], its sum 1.

    ids: uint8 [H, W], categories 1..count, 0 = void. confidence: uint8 [H, W], probability of the pixel's class times
    255. What the confidence leaves over is shared equally by the other categories; void is all alike.
    """
    share = confidence.astype(np.float32) * np.float32(1 / 255.0)
    share = np.where(ids == 0, np.float32(1.0 / count), np.maximum(share, np.float32(1.0 / count)))
    result = np.empty(ids.shape + (count,), np.float32)
    result[:] = ((1.0 - share) / max(count - 1, 1))[..., None]
    rows, columns = np.ogrid[:ids.shape[0], :ids.shape[1]]
    result[rows, columns, np.maximum(ids, 1) - 1] = share
    return result


def outline(picture, labels):
    """Draw a white line between regions of different labels.

    picture: uint8 [H, W, 3]. labels: uint8 [H, W]. Returns a new array.
    """
    edges = np.zeros(labels.shape, bool)
    edges[:, 1:] = labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    result = picture.copy()
    result[edges] = 255
    return result


def add_legend(image, label_set):
    """Return the image, BGR uint8 [H, W, 3], with a panel to its right that names all classes of a LabelSet.

    Text and swatches grow with the image's height; a list that is too long goes on in another column. Pictures of one
    size keep a common size.
    """
    height = image.shape[0]
    line = 6 + height // 24  # pixels from one name to the next: 21 at 360, 48 at 1024
    gap = line // 4
    scale = line / 44.0  # letters of this font are 21 pixels high at scale 1
    thickness = max(1, line // 24)
    rows = max(1, (height - 2 * gap) // line)
    widest = max(cv2.getTextSize(c.name, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)[0][0] for c in label_set.classes)
    column = line + widest + 2 * gap
    width = gap + column * -(-len(label_set.classes) // rows)
    panel = np.full((height, width + width % 2, 3), 32, np.uint8)
    for i, c in enumerate(label_set.classes):
        x, y = gap + column * (i // rows), gap + line * (i % rows)
        side = line - gap
        cv2.rectangle(panel, (x, y + gap // 2), (x + side - 1, y + gap // 2 + side - 1), c.color[::-1], cv2.FILLED)
        cv2.putText(panel, c.name, (x + line, y + line - gap - gap // 2), cv2.FONT_HERSHEY_SIMPLEX, scale,
                    (255, 255, 255), thickness, cv2.LINE_AA)
    return np.concatenate([image, panel], axis=1)
