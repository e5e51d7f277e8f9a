"""Labelled images to train on: folders of pairs, the synthetic street, and their augmentation."""
import pathlib
import typing

import cv2
import numpy as np

from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels import UNLABELED, cityscapes_to_camvid
from espnet_ros.scene import Street


class Sample(typing.NamedTuple):
    """`image`: BGR uint8 [H, W, 3]; `labels`: class ids uint8 [H, W], 255 = unlabelled."""

    image: np.ndarray
    labels: np.ndarray


def camvid(folder, split):
    """Read CamVid's `split` ('train' or 'val'): images in `folder/split`, label ids in `folder/splitannot`.

    Id 11 (unlabelled) becomes 255. Raises SourceError or LabelError naming the file.
    """
    images = sorted((pathlib.Path(folder) / split).glob('*.png'))
    if not images:
        raise SourceError("no PNG images in '{}'; --camvid names the folder that holds train, trainannot, val and "
                          'valannot'.format(pathlib.Path(folder) / split))
    return [_read_pair(path, pathlib.Path(folder) / (split + 'annot') / path.name) for path in images]


def _read_pair(image_path, labels_path):
    image = cv2.imread(str(image_path), cv2.IMREAD_COLOR)
    labels = cv2.imread(str(labels_path), cv2.IMREAD_UNCHANGED)
    for path, content in ((image_path, image), (labels_path, labels)):
        if content is None:
            raise SourceError("'{}' is missing or not an image".format(path))
    if labels.ndim != 2 or labels.shape != image.shape[:2]:
        raise LabelError("'{}' is {} but its image is {}".format(labels_path, labels.shape, image.shape))
    if labels.max() > 11:
        raise LabelError("'{}' holds the value {}; CamVid ids end at 11".format(labels_path, labels.max()))
    return Sample(image, np.where(labels == 11, UNLABELED, labels).astype(np.uint8))


def street(count, width, height, first_seed):
    """Render `count` frames of as many different synthetic streets, labelled with CamVid ids."""
    table = cityscapes_to_camvid()
    frames = (Street(width, height, first_seed + i).frame(3.7 * (i % 23)) for i in range(count))
    return [Sample(frame.image, cv2.LUT(frame.labels, table)) for frame in frames]


def augment(sample, rng, width, height):
    """Scale by 0.6 to 1.8, crop to width x height, flip, change light and colour; borders become unlabelled."""
    scale = rng.uniform(0.6, 1.8)
    stretch = rng.uniform(0.9, 1.1)
    matrix = np.array([[scale * stretch, 0, 0], [0, scale / stretch, 0]], np.float64)
    if rng.random() < 0.5:
        matrix[0] = -matrix[0, 0], 0, (sample.image.shape[1] - 1) * matrix[0, 0]
    span = np.array([sample.image.shape[1] * scale * stretch, sample.image.shape[0] * scale / stretch])
    matrix[:, 2] -= rng.uniform(np.minimum(0, span - (width, height)), np.maximum(0, span - (width, height)))
    image = cv2.warpAffine(sample.image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    labels = cv2.warpAffine(sample.labels, matrix, (width, height), flags=cv2.INTER_NEAREST,
                            borderMode=cv2.BORDER_CONSTANT, borderValue=UNLABELED)
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    ramp = np.arange(256)[:, None] / 255.0
    curve = 255.0 * np.clip(gain * ramp ** rng.uniform(0.75, 1.35) + rng.uniform(-0.08, 0.08), 0, 1)
    return Sample(cv2.LUT(image, curve.astype(np.uint8)[:, None, :]), labels)


def class_weights(samples, classes):
    """Inverse class probability weights, 1 / ln(1.1 + p) (paper section 4.1, after ENet): float32 [classes]."""
    counts = sum(np.bincount(s.labels.ravel(), minlength=256)[:classes] for s in samples)
    return (1.0 / np.log(1.1 + counts / max(1, counts.sum()))).astype(np.float32)
