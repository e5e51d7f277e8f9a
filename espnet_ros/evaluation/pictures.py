"""Small pictures of a frame for the report: image, ground truth, prediction, error."""
import typing

import cv2
import numpy as np

from espnet_ros.evaluation.scoring import aligned
from espnet_ros.images.render import colorize
from espnet_ros.segmenter import resize_nearest

WIDTH = 480
"""Maximum width of a picture in pixels."""
_WRONG = (0, 60, 230)
"""BGR of pixels that are wrong."""


class FramePictures(typing.NamedTuple):
    """Pictures of one size as (media type, bytes).

    error: the image in gray; wrong pixels are red, those without ground truth are black.
    """

    image: tuple[str, bytes]
    truth: tuple[str, bytes]
    prediction: tuple[str, bytes]
    error: tuple[str, bytes]


def frame_pictures(comparison, image, truth, labels):
    """Return the FramePictures of a frame; image: BGR uint8 [H, W, 3]; the rest as for scoring.score_frame."""
    truth, labels = aligned(comparison, truth, labels)
    scale = min(1.0, WIDTH / image.shape[1])
    width, height = (max(1, round(scale * side)) for side in image.shape[1::-1])
    truth, labels = (resize_nearest(ids, width, height) for ids in (truth, labels))
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    palette = comparison.label_set.palette()[:, ::-1]
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    error = (gray // 2 + 64).astype(np.uint8)
    error[truth != labels] = _WRONG
    error[truth == comparison.size] = 0
    return FramePictures(encoded('.jpg', image), encoded('.png', colorize(truth, palette)),
                         encoded('.png', colorize(labels, palette)), encoded('.jpg', error))


def encoded(suffix, picture):
    """Return a BGR picture as (media type, bytes); suffix: .jpg or .png."""
    kind = {'.jpg': 'image/jpeg', '.png': 'image/png'}[suffix]
    return kind, cv2.imencode(suffix, picture)[1].tobytes()
