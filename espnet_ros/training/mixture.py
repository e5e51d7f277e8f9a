"""Datasets, mixed by weight: which image is seen when, and reading it ahead of time."""
import collections.abc
import signal
import threading
import typing

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from espnet_ros.errors import EngineError, EspnetError, ParameterError
from espnet_ros.training.samples import Prepared, Sample, augmentation


class Part(typing.NamedTuple):
    """A dataset, and how often an epoch sees each of its images: 1, or a number such as 3 or 0.25."""

    samples: Prepared
    weight: float = 1.0

    @property
    def images_per_epoch(self):
        """How many images an epoch sees, those seen again included."""
        return round(self.weight * len(self.samples))


class Ticket(typing.NamedTuple):
    """The image at `position` of an epoch: number `image` of the part number `part`."""

    epoch: int
    position: int
    part: int
    image: int


class Batch(typing.NamedTuple):
    """`image`: BGR uint8 [N, 3, H, W], channels last; `labels`: uint8 [N, h, w], 255 = unlabeled; `names`: of them."""

    image: torch.Tensor
    labels: torch.Tensor
    names: tuple[str, ...]


class Stage(typing.NamedTuple):
    """A stage of a training: its number (1, 2) and name, how long, on what, and in what form.

    label_stride: pixels of the image per pixel of the network's output.
    """

    number: int
    name: str
    epochs: int
    parts: tuple[Part, ...]
    crop: tuple[int, int]
    label_stride: int


def epoch_tickets(parts, seed, stage, epoch):
    """Return the Tickets of an epoch in their order, which the seed, stage and epoch alone decide."""
    rng = np.random.default_rng([seed, stage, epoch, 0])
    chosen = []
    for number, part in enumerate(parts):
        images = len(part.samples)
        whole, rest = divmod(part.images_per_epoch, images)
        chosen += whole * [(number, i) for i in range(images)]
        chosen += [(number, int(i)) for i in rng.permutation(images)[:rest]]
    return [Ticket(epoch, position, *chosen[k]) for position, k in enumerate(rng.permutation(len(chosen)))]


def steps_of(stage, batch):
    """Return the number of steps of each epoch; images that do not fill a batch are left out. Raises ParameterError."""
    for part in stage.parts:
        if not part.images_per_epoch:
            raise ParameterError('the weight {:g} leaves an epoch none of the {} images of {}; raise it'.format(
                part.weight, len(part.samples), part.samples.name))
    images = sum(part.images_per_epoch for part in stage.parts)
    if images < batch:
        raise ParameterError('an epoch has {} images, too few for a batch of {}; add data, raise a weight or lower the '
                             'setting batch'.format(images, batch))
    return images // batch


def loader(settings, stage, team, workers, epoch, step):
    """Return an iterator over the Batches of this process, from a step of an epoch (from 0) to the stage's end.

    Every image has random numbers of its own, by seed, stage, epoch and position: neither the number of processes and
    workers nor an interruption changes what is seen. Raises EspnetError, for images that cannot be read and for
    workers that were killed.
    """
    if settings.batch < team.size:
        raise ParameterError('a batch of {} is too small for {} processes; raise the setting batch'.format(
            settings.batch, team.size))
    order = _Order(settings, stage, team, epoch, step)
    work = _Work(settings, stage)
    for batch in _loaded(work, workers, batch_sampler=order, collate_fn=work.collate,
                         pin_memory=team.device.type == 'cuda'):
        if isinstance(batch, EspnetError):
            raise batch
        yield batch


def read_all(samples, numbers=None, workers=0):
    """Yield the Samples of a Prepared with those numbers, or the EspnetError in its place, read by worker processes.

    numbers: a sequence; None for all. Raises EngineError when a worker was killed.
    """
    numbers = range(len(samples)) if numbers is None else numbers
    readable = _Readable(samples)
    if samples.is_kept or not workers:
        yield from map(readable.__getitem__, numbers)
        return
    for found in _loaded(readable, workers, batch_size=None, sampler=numbers, collate_fn=_to_tensors):
        if isinstance(found, Sample):  # out of the memory that is shared with the worker: each holds a file open
            found = found._replace(image=found.image.numpy().copy(), labels=found.labels.numpy().copy())
        yield found


def _loaded(dataset, workers, **options):
    """Yield what a DataLoader yields. Raises EngineError when its processes cannot go on."""
    if not workers:
        yield from DataLoader(dataset, **options)
        return
    cv2.setNumThreads(1)  # a fork takes no threads along, and OpenCV would wait for them forever
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        found = iter(DataLoader(dataset, num_workers=workers, multiprocessing_context='fork', **options))
        # PyTorch's handler raises when a worker dies, from wherever the training is; without it, the next batch does.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)
        yield from found
    except (EOFError, OSError, RuntimeError) as error:
        reason = str(error).partition('\n')[0] or type(error).__name__
        if reason.startswith('Caught '):  # in a worker: a mistake of this package
            raise
        raise EngineError('images cannot be read by {} processes: {}; is there memory for them, also in /dev/shm? '
                          'Fewer need less (--workers)'.format(workers, reason))


class _Order(collections.abc.Iterable):
    """The Tickets of each step of this process: every process takes each `count`th of a batch."""

    def __init__(self, settings, stage, team, epoch, step):
        self._settings, self._stage, self._team, self._start = settings, stage, team, (epoch, step)

    def __iter__(self):
        first_epoch, first_step = self._start
        size = self._settings.batch
        for epoch in range(first_epoch, self._stage.epochs):
            tickets = epoch_tickets(self._stage.parts, self._settings.seed, self._stage.number, epoch)
            for step in range(first_step if epoch == first_epoch else 0, len(tickets) // size):
                yield tickets[step * size:(step + 1) * size][self._team.rank::self._team.size]


class _Work:
    """Turns Tickets into augmented Samples, and those into Batches; runs in worker processes."""

    def __init__(self, settings, stage):
        self._seed, self._stage = settings.seed, stage
        self._augmentation = augmentation(settings, stage.crop)

    def __getitem__(self, ticket):
        rng = np.random.default_rng([self._seed, self._stage.number, ticket.epoch, 1 + ticket.position])
        try:
            return self._augmentation.apply(self._stage.parts[ticket.part].samples[ticket.image], rng)
        except EspnetError as error:  # as a value: raised in a worker, it would come back with a traceback in its text
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


class _Readable:
    """The Samples of a Prepared, or errors in their place."""

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
    """A Sample in the form that PyTorch hands over in shared memory; through a pipe it could be cut off half-way."""
    if isinstance(sample, EspnetError):
        return sample
    image, labels = (torch.from_numpy(np.ascontiguousarray(pixels)) for pixels in sample[:2])
    return sample._replace(image=image, labels=labels)
