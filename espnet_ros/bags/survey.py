"""Topics, timing, stamps and damage of a bag, from reading it once."""
import array
import copy
import heapq
import typing

import numpy as np

from espnet_ros.bags.library import SerdeError
from espnet_ros.bags.storage import BagFile, DamagedFile, deserialize
from espnet_ros.errors import SourceError, quoted
from espnet_ros.labels.label_map import LABEL_MAP

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
_GAPS = 16
"""Number of the longest intervals that are kept of each topic."""


class Gap(typing.NamedTuple):
    """A pause in a topic: recording time of the message before it, in ns, and its length in seconds."""

    start: int
    seconds: float


class Timing:
    """Number and intervals of a topic's messages by their time of recording, in constant memory."""

    def __init__(self):
        self.count = self.first = self.last = 0
        self._longest: list[tuple[int, int]] = []

    def add(self, time):
        """Take the next message's time in ns."""
        if self.count:
            push = heapq.heappush if len(self._longest) < _GAPS else heapq.heappushpop
            push(self._longest, (time - self.last, self.last))
            self.first, self.last = min(time, self.first), max(time, self.last)
        else:
            self.first = self.last = time
        self.count += 1

    @property
    def rate(self):
        """Messages per second; 0 when there are not two."""
        return (self.count - 1) * 1e9 / (self.last - self.first) if self.count > 1 and self.last > self.first else 0.0

    @property
    def gaps(self):
        """The Gaps, at most 16: intervals over three times as long as the mean of the shorter ones; longest first."""
        found, rest, intervals = [], self.last - self.first, self.count - 1
        for length, start in sorted(self._longest, reverse=True):
            rest, intervals = rest - length, intervals - 1
            if intervals < 1 or length <= 3 * rest / intervals:
                break
            found.append(Gap(start, length / 1e9))
        return tuple(found)


class Topic:
    """Messages of one topic. For images, also the stamps and times of recording in ns, in bag order."""

    def __init__(self, name, kind):
        self.name, self.type = name, kind
        self.timing = Timing()
        self.stamps, self.times = array.array('q'), array.array('q')
        self.coding = ''
        self.broken = 0
        self.broken_first = ''
        self.unstamped = 0

    @property
    def is_image(self):
        """Whether its messages are images, raw or compressed."""
        return self.type in IMAGE_TYPES

    @property
    def is_compressed(self):
        """Whether its messages are compressed images."""
        return self.type == IMAGE_TYPES[1]

    def sorted_stamps(self):
        """Return the different stamps, ascending, and the time of recording of the first message with each; int64."""
        stamps, first = np.unique(np.array(self.stamps, np.int64), return_index=True)
        return stamps, np.array(self.times, np.int64)[first]

    def take(self, message):
        """Count a Message."""
        try:
            if not 0 <= message.time < 1 << 63:
                raise SerdeError('its time of recording is out of range')
            self.timing.add(message.time)
            if not self.is_image:
                return
            if message.type != self.type:
                raise SerdeError('it is a {}, not a {}'.format(message.type, self.type))
            content = deserialize(message)
        except SerdeError as error:
            if not self.broken:
                self.broken_first = 'recorded at {:.3f} s: {}'.format(message.time / 1e9, quoted(error))
            self.broken += 1
            return
        self.unstamped += content.header.stamp.sec == content.header.stamp.nanosec == 0
        self.coding = self.coding or (content.format if self.is_compressed else content.encoding)
        self.stamps.append(stamp_of(content, message))
        self.times.append(message.time)


def stamp_of(content, message):
    """Stamp in ns of a deserialized message; its time of recording where the publisher left it zero."""
    return content.header.stamp.sec * 10**9 + content.header.stamp.nanosec or message.time


class Survey(typing.NamedTuple):
    """Topics by name, label maps (JSON text by topic name), sentences about damage, and the readable BagFiles."""

    topics: dict[str, Topic]
    label_maps: dict[str, str]
    notes: list[str]
    files: list[BagFile]


def survey(files, notes):
    """Read the BagFiles once and return the Survey; those that rosbags cannot read to their end are salvaged.

    notes: sentences that are known already. Raises SourceError when no file can be read.
    """
    result = Survey({}, {}, list(notes), [])
    for file in files:
        try:
            result = _with(result, file)
        except DamagedFile as reason:
            file.use_salvage()
            known = len(result.notes)
            try:
                result = _with(result, file)
            except SourceError as error:
                if len(files) == 1:
                    raise
                result.notes.append(str(error))
                continue
            if len(result.notes) == known:
                result.notes.append("'{}' has no usable index ({}); it was read sequentially and is complete".format(
                    file.path.name, reason.reason))
        result.files.append(file)
    return result


def _with(before, file):
    """Return the Survey with what is in another file; on errors, `before` is as it was."""
    result = before._replace(topics=copy.deepcopy(before.topics), label_maps=dict(before.label_maps),
                             notes=list(before.notes))
    for message in file.messages(notes=result.notes):
        if message.topic not in result.topics:
            result.topics[message.topic] = Topic(message.topic, message.type)
        result.topics[message.topic].take(message)
        if message.type == 'std_msgs/msg/String' and message.topic.endswith(LABEL_MAP):
            try:
                result.label_maps[message.topic] = deserialize(message).data
            except SerdeError as error:
                result.notes.append('a message of {} is broken: {}'.format(message.topic, quoted(error)))
    return result
