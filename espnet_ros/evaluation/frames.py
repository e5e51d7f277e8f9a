"""Labeled frames, as the evaluator takes them from bags and datasets."""
import copy
import os
import typing

from espnet_ros.bags.reader import Frame
from espnet_ros.labels import LabelSet
from espnet_ros.labels.truth import label_table

_RATE = 10.0
"""Hz at which the images of a dataset are stamped, beginning at _FIRST_STAMP."""
_FIRST_STAMP = 10**18
"""ns; not zero, which would mean that a message has no stamp."""


class FrameSource(typing.Protocol):
    """Frames in a fixed order, of which some or all have ground truth; bags.reader.Bag is one.

    A source can be pickled for processes that see the same files.
    """

    @property
    def label_set(self) -> LabelSet | None:
        """What `Frame.truth` means; None if no frame has ground truth."""

    @property
    def cameras(self) -> int:
        """How many frames can have the same stamp."""

    @property
    def labeled(self) -> typing.Sequence[int]:
        """Numbers of the frames with ground truth, ascending."""

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong or skipped."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """The problems found while reading this copy."""

    def __len__(self) -> int:
        """Return the number of frames, including those that turn out to be undecodable."""

    def frames(self, start: int = 0, stop: int | None = None) -> typing.Generator[Frame, None, None]:
        """Yield the Frames start to stop - 1 that can be decoded. Raises EspnetError."""

    def fresh_copy(self) -> 'FrameSource':
        """Return the same source with nothing skipped yet."""

    def describe(self) -> dict:
        """Return plain data that identifies the frames: paths, bytes, start, end, frames, labeled, label_set, ..."""


class DatasetFrames:
    """The images of a datasets.Dataset as a FrameSource, stamped at 10 Hz; the topic of a frame is its image's name."""

    cameras = 1
    problems: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def __init__(self, dataset, label_set=None, name=None):
        """label_set: convert the labels to this LabelSet (datasets.label_table; raises LabelError); None: keep them.

        name: how reports call the dataset; None for its own name.
        """
        self.label_set = label_set or dataset.label_set
        self._dataset, self._name = dataset, name or dataset.name
        self._table = label_table(dataset.label_set, self.label_set)

    def __len__(self):
        return len(self._dataset)

    def __iter__(self):
        return self.frames()

    @property
    def labeled(self):
        """All of them."""
        return range(len(self))

    def frames(self, start=0, stop=None):
        """Yield the Frames start to stop - 1. Raises SourceError or LabelError, which names the file."""
        for i in range(*slice(start, stop).indices(len(self))):
            item = self._dataset[i]
            yield Frame(self._stamp(i), item.name, '', item.image, self._table[item.labels], item.instances)

    def fresh_copy(self):
        """Return a copy."""
        return copy.copy(self)

    def describe(self):
        """Return plain data that identifies the frames."""
        return {'paths': [self._name], 'bytes': sum(map(os.path.getsize, self._dataset.files())),
                'start': self._stamp(0), 'end': self._stamp(len(self) - 1), 'frames': len(self), 'labeled': len(self),
                'streams': [], 'label_set': self.label_set.name}

    @staticmethod
    def _stamp(i):
        return _FIRST_STAMP + round(i * 1e9 / _RATE)
