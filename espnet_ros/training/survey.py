"""Class frequencies, mean and standard deviation of a dataset, cached."""
import contextlib
import hashlib
import io
import json
import pathlib
import pickle
import typing

import numpy as np

from espnet_ros.datasets.base import FileDataset
from espnet_ros.errors import EspnetError, LabelError, ModelError
from espnet_ros.files import write_file
from espnet_ros.models import cache_directory

NAMED = 10
"""Maximum number of unusable images that an error lists."""
_VERSION = 2
"""Part of the cache key; to be raised when the computation changes."""


class Survey(typing.NamedTuple):
    """pixels: number of labeled pixels of each class. mean, std: of the images, in B, G, R order, 0..255."""

    pixels: tuple[int, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def survey(prepared, classes, read, group, keep=False):
    """Return the Survey of a samples.PreparedDataset with labels 0..classes-1, in all processes of the group.

    read: called with a PreparedDataset and indices, yields its Samples, or an EspnetError in place of one that cannot
    be used (loading.read_all). group: process_group.ProcessGroup. keep: whether every process keeps the samples in
    memory; otherwise each reads its share of them. Results for files are cached until they change. Raises LabelError
    that lists the unusable images.
    """
    cached = _cache_path(prepared)
    if not keep:
        found = group.on_first(lambda: _read_cache(cached, classes))
        if found is not None:
            return found
    indices = range(len(prepared)) if keep else range(group.rank, len(prepared), group.size)
    shares = group.all_gather(group.on_all(lambda: _sums(prepared, read, indices, keep)))
    errors = sorted({i: text for share in shares for i, text in share.errors}.items())
    if errors:
        raise LabelError('{} of {} images of {} cannot be used:\n{}{}'.format(
            len(errors), len(prepared), prepared.name, '\n'.join(text for _, text in errors[:NAMED]),
            '\n...' if len(errors) > NAMED else ''))
    # Sums of integers are exact and do not depend on how the images are distributed.
    counted = shares[:1] if keep else shares
    counts, sums, squares = (np.sum([share[i] for share in counted], 0) for i in range(3))
    seen = sum(share.seen for share in counted)
    mean = sums / seen
    std = np.sqrt(np.maximum(squares / seen - mean ** 2, 1.0))
    found = Survey(tuple(counts[:classes].tolist()), _rounded(mean), _rounded(std))
    if group.is_first:
        _write_cache(cached, found)
    return found


class _Sums(typing.NamedTuple):
    """pixels: of each label, int64 [256]. sums, squares: of `seen` pixel values, float64 [3].

    errors: (index of the image, text).
    """

    pixels: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    seen: int
    errors: tuple


def _sums(prepared, read, indices, keep):
    counts = np.zeros(256, np.int64)
    sums, squares, seen = np.zeros(3), np.zeros(3), 0
    errors = []
    for sample, i in zip(read(prepared, indices), indices):
        if isinstance(sample, EspnetError):
            errors.append((i, str(sample)))
            continue
        if keep:
            prepared.keep(i, sample)
        counts += np.bincount(sample.labels.ravel(), minlength=256)
        pixels = np.rint(sample.image[::4, ::4]).reshape(-1, 3).astype(np.float64)  # every 16th pixel is enough
        sums, squares, seen = sums + pixels.sum(0), squares + (pixels ** 2).sum(0), seen + len(pixels)
    return _Sums(counts, sums, squares, seen, tuple(errors))


def combine(surveys, weights):
    """Return the Survey of several datasets together, weighted."""
    shares = np.array([weight * sum(s.pixels) for s, weight in zip(surveys, weights)], np.float64)
    shares /= max(1.0, shares.sum())
    mean = sum(share * np.array(s.mean) for s, share in zip(surveys, shares))
    square = sum(share * (np.array(s.std) ** 2 + np.array(s.mean) ** 2) for s, share in zip(surveys, shares))
    pixels = sum(weight * np.array(s.pixels, np.float64) for s, weight in zip(surveys, weights))
    return Survey(tuple(int(p) for p in pixels), _rounded(mean), _rounded(np.sqrt(square - mean ** 2)))


def class_weights(pixels, constant):
    """Inverse class probability weights, 1 / ln(constant + p), of ENet (section 4.1): float32 [classes]."""
    pixels = np.array(pixels, np.float64)
    return (1.0 / np.log(constant + pixels / max(1.0, pixels.sum()))).astype(np.float32)


def _rounded(values):
    first, second, third = np.round(values, 3).tolist()
    return first, second, third


def _cache_path(prepared):
    """Return the path of the cached Survey; None when the dataset is not made of files or there is no cache folder."""
    dataset = prepared.dataset
    if not isinstance(dataset, FileDataset):
        return None
    key = io.BytesIO()
    pickler = pickle.Pickler(key, 4)
    pickler.fast = True  # no memo references: they depend on object identity, which varies
    pickler.dump((_VERSION, dataset, prepared.size, prepared.table.tobytes()))
    digest = hashlib.sha256(key.getvalue())
    try:
        for path in (path for pair in dataset.pairs for path in (pair.image, pair.labels)):
            status = path.stat()
            digest.update('{} {} '.format(status.st_size, status.st_mtime_ns).encode())
        return pathlib.Path(cache_directory(), 'surveys', digest.hexdigest() + '.json')
    except (OSError, ModelError):
        return None


def _read_cache(path, classes):
    if path is None:
        return None
    try:
        data = json.loads(path.read_bytes())
        found = Survey(*(tuple(data[field]) for field in Survey._fields))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    whole = len(found.pixels) == classes and len(found.mean) == len(found.std) == 3 and all(
        type(count) is int and count >= 0 for count in found.pixels) and all(
        type(value) is float and 0 <= value <= 255 for value in found.mean + found.std) and min(found.std) > 0
    return found if whole else None


def _write_cache(path, found):
    if path is None:
        return
    with contextlib.suppress(OSError, ModelError):  # it will be computed again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(found._asdict()).encode())
