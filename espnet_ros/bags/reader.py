"""Bags as sequences of frames: images with the ground truth of the same stamp."""
import copy
import os
import pathlib
import typing

import numpy as np

from espnet_ros.bags.buffer import MessageBuffer
from espnet_ros.bags.library import SerdeError
from espnet_ros.bags.storage import bag_files, deserialize
from espnet_ros.bags.streams import find_streams
from espnet_ros.bags.summary import StreamSummary, Summary, TopicSummary
from espnet_ros.bags.survey import IMAGE_TYPES, stamp_of, survey
from espnet_ros.errors import ImageError, LabelError
from espnet_ros.images.decoding import (
    compressed_to_bgr,
    compressed_to_label_pixels,
    image_to_bgr,
    image_to_label_pixels,
)
from espnet_ros.labels.instances import decode_instances
from espnet_ros.labels.label_map import LABEL_MAP, label_map_to_set
from espnet_ros.labels.truth import GroundTruth, ground_truth

_IMAGE, _TRUTH, _INSTANCES = range(3)
"""Kinds of messages that make a frame."""


class Frame(typing.NamedTuple):
    """One image of a bag.

    stamp: ns. topic, frame_id: of the image. image: BGR uint8 [H, W, 3]. truth: class ids of the bag's label set, uint8
    [h, w] of any size, 255 = unlabeled; None where there is no ground truth of the same stamp. instances: the objects
    of the ground truth, uint16 [h, w] (see labels.instances), or None.
    """

    stamp: int
    topic: str
    frame_id: str
    image: np.ndarray
    truth: np.ndarray | None
    instances: np.ndarray | None = None


def open_bag(paths, image_topic=None, truth_topic=None, truth: GroundTruth | None = None):
    """Return the Bag at a path: a rosbag2 folder, an .mcap, .db3 or ROS 1 .bag file, or several that are one recording.

    image_topic, truth_topic: None to find them (streams.find_streams). truth: what the pixels of the ground truth mean
    (datasets.ground_truth); None for the label map on <truth_topic>/label_map. The bag is read once from beginning to
    end for its stamps and for damage. Raises SourceError, ParameterError; damage does not raise, see `Bag.problems`.
    """
    return Bag(paths, image_topic, truth_topic, truth)


class Bag:
    """A bag's frames, in the order of their stamps (see `open_bag`).

    A context manager: leaving it removes temporary files. It can be pickled for worker processes that see the same
    files; `frames(start, stop)` lets each read its share.
    """

    def __init__(self, paths, image_topic=None, truth_topic=None, truth=None):
        paths = [paths] if isinstance(paths, (str, pathlib.Path)) else list(paths)
        self.paths = tuple(str(path) for path in paths)
        notes: list[str] = []
        parts = [bag_files(path, notes) for path in paths]
        found = survey([file for files, _ in parts for file in files], notes)
        self._files = found.files
        streams, stream_notes = find_streams(found.topics, image_topic, truth_topic)
        self._notes = [*found.notes, *_lost(parts, found.topics), *_broken(found.topics), *stream_notes]
        self._skipped: dict[tuple[str, str], _Skipped] = {}
        self._label_set = None
        self._truths = [self._truth_of(stream, found.label_maps, truth) for stream in streams]
        self._topics = tuple(TopicSummary(t.name, t.type, t.timing.count, t.timing.rate, t.timing.gaps, t.coding)
                             for _, t in sorted(found.topics.items()))
        timings = [topic.timing for topic in found.topics.values()]
        self._span = min((t.first for t in timings), default=0), max((t.last for t in timings), default=0)
        self._arrange(streams)

    def _arrange(self, streams):
        """Number the frames of all streams in the order of their stamps."""
        none = [np.full_like(s.stamps, -1) for s in streams]
        columns = [4 * (np.empty(0, np.int64),)]
        columns += [(s.stamps, s.image_times, *((s.truth_times, s.instance_times) if truth else (no, no)))
                    for s, truth, no in zip(streams, self._truths, none)]
        stamps, *times = map(np.concatenate, zip(*columns))
        order = np.argsort(stamps, kind='stable')
        self._stamps, self._times = stamps[order], np.stack(times)[:, order]
        numbers = np.empty_like(order)
        numbers[order] = np.arange(len(order))
        self._roles: dict[str, _Role] = {}
        self._streams = []
        offset = 0
        for stream, truth in zip(streams, self._truths):
            own = numbers[offset:offset + len(stream.stamps)]
            offset += len(stream.stamps)
            self._roles[stream.image_topic] = _Role(_IMAGE, stream.stamps, own, None)
            if truth:
                self._roles[stream.truth_topic] = _Role(_TRUTH, stream.stamps, own, truth)
            if truth and stream.instance_topic:
                self._roles[stream.instance_topic] = _Role(_INSTANCES, stream.stamps, own, None)
            self._streams.append(StreamSummary(
                stream.image_topic, stream.truth_topic, len(own), stream.labeled if truth else 0,
                int((stream.instance_times >= 0).sum()) if truth else 0))

    @property
    def label_set(self):
        """The LabelSet of `Frame.truth`; None if it is unknown, in which case no frame has ground truth."""
        return self._label_set

    @property
    def streams(self):
        """The StreamSummary of each camera that is used."""
        return tuple(self._streams)

    @property
    def cameras(self):
        """Number of cameras that are used; as many frames can have the same stamp."""
        return len(self._streams)

    @property
    def labeled(self):
        """Numbers of the frames that have ground truth, ascending."""
        return np.flatnonzero(self._times[_TRUTH] >= 0).tolist()

    @property
    def problems(self):
        """One sentence for each thing that is wrong or skipped; undecodable frames are known after reading them."""
        return (*self._notes, *self.skipped)

    @property
    def skipped(self):
        """The problems found while iterating over this Bag."""
        return tuple(map(str, self._skipped.values()))

    @property
    def stamps(self):
        """Stamps of the frames, ascending: int64 [frames], ns."""
        return self._stamps

    def messages(self, topics):
        """Yield the Messages on other topics, a set of names, in the order in which they were recorded."""
        for file in self._files:
            yield from file.messages(topics)

    def fresh_copy(self):
        """Return the same Bag with nothing skipped yet; both share their files."""
        bag = copy.copy(self)
        bag._skipped = {}
        return bag

    def files(self):
        """Return the paths of the files that are there."""
        return [file.path for file in self._files if file.path.exists()]

    def describe(self):
        """Return plain data that identifies the frames."""
        summary = self.summary()
        return {'paths': list(map(os.path.abspath, summary.paths)), 'bytes': summary.size, 'start': summary.start,
                'end': summary.end, 'frames': len(self), 'labeled': len(self.labeled),
                'streams': [list(stream) for stream in summary.streams],
                'label_set': summary.label_set and summary.label_set.name}

    def summary(self):
        """Return the Summary."""
        size = sum(path.stat().st_size for path in self.files())
        return Summary(self.paths, size, *self._span, self._topics, self.streams, self.label_set, self.problems)

    def __len__(self):
        """Number of frames, including those that turn out to be undecodable."""
        return len(self._stamps)

    def __iter__(self):
        return self.frames()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Remove temporary files."""
        for file in self._files:
            file.close()

    def frames(self, start=0, stop=None):
        """Yield the Frames start to stop - 1. Those that cannot be decoded are skipped."""
        start, stop, _ = slice(start, stop).indices(len(self))
        with MessageBuffer() as buffer:
            number = start
            for key, message in self._messages(start, stop):
                buffer.put(key, message)
                while number < stop and all((number, kind) in buffer for kind in self._kinds(number)):
                    messages = {kind: buffer.take((number, kind)) for kind in self._kinds(number)}
                    number += 1
                    frame = self._frame(messages[_IMAGE], messages.get(_TRUTH), messages.get(_INSTANCES))
                    if frame is not None:
                        yield frame
            for missing in range(number, stop):
                self._skip('frames cannot be read a second time', '', int(self._stamps[missing]),
                                'the files have changed')

    def _kinds(self, number):
        """Return the kinds of messages that a frame consists of."""
        return [kind for kind in (_IMAGE, _TRUTH, _INSTANCES) if self._times[kind, number] >= 0]

    def _messages(self, start, stop):
        """Yield ((frame number, kind), Message) of the frames start to stop - 1."""
        times = self._times[:, start:stop]
        times = times[times >= 0]
        if not len(times):
            return
        seen = np.zeros((stop - start, 3), bool)
        for file in self._files:
            for message in file.messages(self._roles, int(times.min()), int(times.max()) + 1):
                role = self._roles[message.topic]
                try:
                    stamp = stamp_of(deserialize(message), message)
                except SerdeError:
                    continue  # counted by the survey
                i = int(np.searchsorted(role.stamps, stamp))
                if i == len(role.stamps) or role.stamps[i] != stamp or not start <= role.numbers[i] < stop:
                    continue
                number = int(role.numbers[i])
                if not seen[number - start, role.kind] and self._times[role.kind, number] >= 0:
                    seen[number - start, role.kind] = True
                    yield (number, role.kind), message

    def _frame(self, image_message, truth_message, instance_message):
        content = deserialize(image_message)
        stamp = stamp_of(content, image_message)
        try:
            image = _TO_BGR[image_message.type](content)
        except ImageError as error:
            self._skip('images on {} cannot be decoded', image_message.topic, stamp, error)
            return None
        if not image.flags.writeable:  # a view of the file's bytes; PyTorch needs a writable array
            image = image.copy()
        truth = instances = None
        if truth_message is not None:
            truth = self._decoded(truth_message, stamp, 'ground truth images',
                                  self._roles[truth_message.topic].truth.decode)
        if truth is not None and instance_message is not None:
            instances = self._decoded(instance_message, stamp, 'instance images', decode_instances)
        if instances is not None and instances.shape != truth.shape:
            self._skip('instance images on {} cannot be used', instance_message.topic, stamp,
                            'its size differs from that of the ground truth')
            instances = None
        return Frame(stamp, image_message.topic, content.header.frame_id, image, truth, instances)

    def _decoded(self, message, stamp, what, decode):
        """Return a label image, None after noting why it cannot be used."""
        try:
            return decode(_TO_LABEL_PIXELS[message.type](deserialize(message)), 'it')
        except (ImageError, LabelError) as error:
            self._skip(what + ' on {} cannot be used', message.topic, stamp, error)
            return None

    def _skip(self, what, topic, stamp, reason):
        found = self._skipped.setdefault((what, topic), _Skipped(what.format(topic), stamp, str(reason), set()))
        found.stamps.add(stamp)

    def _truth_of(self, stream, label_maps, truth):
        """Return the GroundTruth of a stream, the user's (`truth`) or else the bag's; None after noting a problem."""
        if not stream.truth_topic:
            return None
        topic = stream.truth_topic + LABEL_MAP
        try:
            if truth is None and topic not in label_maps:
                raise LabelError('its label set is given neither in the bag, on {}, nor by the user'.format(topic))
            if truth is None:
                truth = ground_truth('ids', label_map_to_set(label_maps[topic], topic))
            elif topic in label_maps and not _describes(label_maps[topic], truth.label_set):
                self._notes.append('the ground truth on {} is read as {}, as requested; the label map on {} is '
                                   'ignored'.format(stream.truth_topic, truth.label_set.name, topic))
            if self._label_set not in (None, truth.label_set):
                raise LabelError('its label set {} differs from that of another camera, {}'.format(
                    truth.label_set.name, self._label_set.name))
        except LabelError as error:
            self._notes.append('the ground truth on {} is not used: {}'.format(stream.truth_topic, error))
            return None
        self._label_set = truth.label_set
        return truth


def _describes(label_map, label_set):
    """Whether a label map, as text, describes a label set."""
    try:
        return label_map_to_set(label_map, '') == label_set
    except LabelError:
        return False


class _Role(typing.NamedTuple):
    """Use of a topic: the stamps of its stream, ascending, and their frame numbers; truth: of ground truth only."""

    kind: int
    stamps: np.ndarray
    numbers: np.ndarray
    truth: GroundTruth | None


class _Skipped(typing.NamedTuple):
    """Frames that were skipped for one reason."""

    what: str
    first: int
    reason: str
    stamps: set[int]

    def __str__(self):
        return '{} {}; the first, of stamp {}.{:09d}: {}'.format(
            len(self.stamps), self.what, *divmod(self.first, 10**9), self.reason)


def _lost(parts, topics):
    """Yield a sentence if the number of messages differs from that in metadata.yaml."""
    expected, found = [count for _, count in parts], sum(t.timing.count for t in topics.values())
    if None not in expected and sum(expected) != found:
        yield '{} messages were found, but metadata.yaml counts {}'.format(found, sum(expected))


def _broken(topics):
    for topic in topics.values():
        if topic.broken:
            yield '{} messages on {} are broken and were skipped; the first, {}'.format(
                topic.broken, topic.name, topic.broken_first)


_TO_BGR = dict(zip(IMAGE_TYPES, (image_to_bgr, compressed_to_bgr)))
_TO_LABEL_PIXELS = dict(zip(IMAGE_TYPES, (image_to_label_pixels, compressed_to_label_pixels)))
