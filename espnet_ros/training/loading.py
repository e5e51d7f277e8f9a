"""Weighted sampling of several datasets and parallel loading of their images."""
import collections.abc
import signal
import threading
import typing

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from espnet_ros.errors import EngineError, EspnetError, ParameterError
from espnet_ros.training.samples import PreparedDataset, Sample, augmentation


class Part(typing.NamedTuple):
    """A dataset and its weight: how often an epoch uses each of its images, for example 1, 3 or 0.25."""

    samples: PreparedDataset
    weight: float = 1.0

    @property
    def images_per_epoch(self):
        """Number of images in an epoch, repetitions included."""
        return round(self.weight * len(self.samples))


class SampleIndex(typing.NamedTuple):
    """The image at `position` of an epoch: image number `image` of part number `part`."""

    epoch: int
    position: int
    part: int
    image: int


class Batch(typing.NamedTuple):
    """`image`: BGR uint8 [N, 3, H, W], channels last; `labels`: uint8 [N, h, w], 255 = unlabeled; `names` of images."""

    image: torch.Tensor
    labels: torch.Tensor
    names: tuple[str, ...]


class Stage(typing.NamedTuple):
    """A stage of a training: number (1 or 2), name, number of epochs, data and crop size (width, height).

    label_stride: ratio of the image size to the size of the network's output.
    """

    number: int
    name: str
    epochs: int
    parts: tuple[Part, ...]
    crop: tuple[int, int]
    label_stride: int


def epoch_order(parts, seed, stage, epoch):
    """Return the SampleIndex values of an epoch in order; it depends on seed, stage and epoch only."""
    rng = np.random.default_rng([seed, stage, epoch, 0])
    chosen = []
    for number, part in enumerate(parts):
        images = len(part.samples)
        whole, rest = divmod(part.images_per_epoch, images)
        chosen += whole * [(number, i) for i in range(images)]
        chosen += [(number, int(i)) for i in rng.permutation(images)[:rest]]
    return [SampleIndex(epoch, position, *chosen[k]) for position, k in enumerate(rng.permutation(len(chosen)))]


def steps_of(stage, batch):
    """Return the number of steps of an epoch; an incomplete last batch is dropped. Raises ParameterError."""
    for part in stage.parts:
        if not part.images_per_epoch:
            raise ParameterError('with weight {:g} an epoch has none of the {} images of {}; raise it'.format(
                part.weight, len(part.samples), part.samples.name))
    images = sum(part.images_per_epoch for part in stage.parts)
    if images < batch:
        raise ParameterError('an epoch has {} images, too few for a batch of {}; add data, raise a weight or lower the '
                             'setting batch{}'.format(images, batch, ' or encoder_batch' if stage.number == 1 else ''))
    return images // batch


def loader(settings, stage, group, workers, epoch, step):
    """Yield the Batches of this process, from a step of an epoch (counted from 0) to the end of the stage.

    The random numbers of each image are seeded with seed, stage, epoch and position: the data do not depend on the
    number of processes and workers, or on interruptions. Raises EspnetError for images that cannot be read and for
    workers that were killed.
    """
    batch = settings.batch_of(stage)
    if batch < group.size:
        raise ParameterError('a batch of {} is too small for {} processes; raise the setting {}batch'.format(
            batch, group.size, 'encoder_' if batch != settings.batch else ''))
    sampler = _BatchSampler(settings, stage, group, epoch, step)
    dataset = _AugmentedDataset(settings, stage)
    for batch in _load(dataset, workers, batch_sampler=sampler, collate_fn=dataset.collate,
                         pin_memory=group.device.type == 'cuda'):
        if isinstance(batch, EspnetError):
            raise batch
        yield batch


def read_all(samples, indices=None, workers=0):
    """Yield the Samples of a PreparedDataset, or an EspnetError in place of one that cannot be used.

    indices: a sequence, None for all. workers: number of processes that read. Raises EngineError when one was killed.
    """
    indices = range(len(samples)) if indices is None else indices
    readable = _ErrorsAsValues(samples)
    if samples.is_kept or not workers:
        yield from map(readable.__getitem__, indices)
        return
    for found in _load(readable, workers, batch_size=None, sampler=indices, collate_fn=_to_tensors):
        if isinstance(found, Sample):  # copied, because each tensor in shared memory keeps a file open
            image, labels = (tensor.numpy().copy() for tensor in typing.cast(typing.Any, found[:2]))
            found = found._replace(image=image, labels=labels)
        yield found


def _load(dataset, workers, **options):
    """Yield the values of a DataLoader. Raises EngineError when its worker processes fail."""
    if not workers:
        yield from DataLoader(dataset, **options)
        return
    cv2.setNumThreads(1)  # a fork has no threads, and OpenCV would wait for them forever
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        found = iter(DataLoader(dataset, num_workers=workers, multiprocessing_context='fork', **options))
        # PyTorch's handler raises at any point of the program when a worker dies; without it, the next batch raises.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)
        yield from found
    except (EOFError, OSError, RuntimeError) as error:
        reason = str(error).partition('\n')[0] or type(error).__name__
        if reason.startswith('Caught '):  # in a worker: a bug of this package
            raise
        raise EngineError('images cannot be read by {} processes: {}; free memory (also in /dev/shm) or lower '
                          '--workers'.format(workers, reason))


class _BatchSampler(collections.abc.Iterable):
    """The SampleIndex values of each step of this process, every size-th of the batch beginning with its rank."""

    def __init__(self, settings, stage, group, epoch, step):
        self._settings, self._stage, self._group, self._start = settings, stage, group, (epoch, step)

    def __iter__(self):
        first_epoch, first_step = self._start
        size = self._settings.batch_of(self._stage)
        for epoch in range(first_epoch, self._stage.epochs):
            order = epoch_order(self._stage.parts, self._settings.seed, self._stage.number, epoch)
            for step in range(first_step if epoch == first_epoch else 0, len(order) // size):
                yield order[step * size:(step + 1) * size][self._group.rank::self._group.size]


class _AugmentedDataset:
    """Augmented Samples by SampleIndex, collated into Batches, in worker processes."""

    def __init__(self, settings, stage):
        self._seed, self._stage = settings.seed, stage
        self._augmentation = augmentation(settings, stage.crop)

    def __getitem__(self, index):
        rng = np.random.default_rng([self._seed, self._stage.number, index.epoch, 1 + index.position])
        try:
            return self._augmentation.apply(self._stage.parts[index.part].samples[index.image], rng)
        except EspnetError as error:  # returned: raised in a worker, it would arrive with a traceback in its text
            return error

    def collate(self, samples):
        """Return the Batch of Samples, or the first error among them."""
        for sample in samples:
            if isinstance(sample, EspnetError):
                return sample
        stride = self._stage.label_stride
        labels = np.stack([s.labels[stride // 2::stride, stride // 2::stride] for s in samples])
        image = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
        return Batch(image, torch.from_numpy(labels), tuple(s.name for s in samples))


class _ErrorsAsValues:
    """A PreparedDataset that returns EspnetErrors instead of raising them."""

    def __init__(self, samples):
        self._samples = samples

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, i):
        try:
            return self._samples[i]
        except EspnetError as error:
            return error


def _to_tensors(sample):
    """Return a Sample with tensors, which are passed in shared memory; through a pipe it could arrive incomplete."""
    if isinstance(sample, EspnetError):
        return sample
    image, labels = (torch.from_numpy(np.ascontiguousarray(pixels)) for pixels in sample[:2])
    return sample._replace(image=image, labels=labels)
