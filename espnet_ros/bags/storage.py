"""Bag files, read as messages in the order in which they were recorded."""
import contextlib
import functools
import pathlib
import re
import tempfile
import typing

from espnet_ros.bags.library import SerdeError, Stores, get_typestore, rosbag1, rosbag2, zstd
from espnet_ros.bags.paths import COMPRESSED, SUFFIXES, check_bag, suffix_of
from espnet_ros.bags.salvage.base import Budget, Message
from espnet_ros.bags.salvage.mcap import mcap
from espnet_ros.bags.salvage.ros1 import ros1
from espnet_ros.bags.salvage.sqlite import sqlite3
from espnet_ros.bags.unpacking import DECOMPRESSION_ERRORS, unpack
from espnet_ros.errors import SourceError, quoted
from espnet_ros.files import read_yaml
from espnet_ros.limits import MESSAGE_BYTES, UNPACKED_BYTES, UNPACKED_RATIO

_ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
"""First bytes of a compressed message; an uncompressed one begins with a zero."""


class Format(typing.NamedTuple):
    """How a kind of file is read: `reader` is rosbags' class, `salvage` reads damaged files."""

    reader: typing.Callable
    salvage: typing.Callable


_FORMATS = dict(zip(SUFFIXES, (Format(rosbag2.Reader, mcap), Format(rosbag2.Reader, sqlite3),
                               Format(rosbag1.Reader, ros1), Format(rosbag1.Reader, ros1))))
_BLOCK = 1 << 20
TF_MESSAGE = 'tf2_msgs/msg/TFMessage'


class DamagedFile(SourceError):
    """rosbags cannot read a file to its end; reason: its error."""

    def __init__(self, path, reason):
        super().__init__("'{}' cannot be read to its end: {}".format(path.name, reason))
        self.reason = reason


class BagFile:
    """One file of a bag. After `use_salvage` it is read without its index, as far as it is intact."""

    def __init__(self, path):
        self.path = path
        self._suffix = suffix_of(path)
        self._salvages = False
        self._folder = None
        self._damage: list[str] = []

    def __getstate__(self):
        return dict(self.__dict__, _folder=None)

    @property
    def format(self):
        """The Format of the file, unpacked."""
        return _FORMATS[self._suffix]

    def use_salvage(self):
        """Read the file without its index from now on."""
        self._salvages = True

    def close(self):
        """Remove the unpacked copy of a compressed file."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def messages(self, topics=None, start=None, stop=None, notes=None):
        """Yield Messages of the topics (None: all), recorded at start <= time < stop (ns).

        notes: list to which a sentence for each damaged part is appended. Raises DamagedFile, or SourceError if the
        file cannot be read at all.
        """
        notes = [] if notes is None else notes
        try:
            path = self._unpacked(notes)
            if self._salvages:
                budget = Budget(path.stat().st_size)
                salvaged = budget.messages(self.format.salvage(path, notes, budget), path, notes)
                messages = (m for m in salvaged
                            if (topics is None or m.topic in topics) and _is_within(m.time, start, stop))
            else:
                messages = self._indexed(path, topics, start, stop)
            yield from map(_decompressed, messages)
        except DamagedFile:
            raise
        except (OSError, SourceError) as error:
            raise SourceError("cannot read '{}': {}".format(self.path, getattr(error, 'strerror', None) or error))

    def _indexed(self, path, topics, start, stop):
        # Not rosbags' AnyReader: it compiles the definitions of all topics each time a file is opened, which takes
        # twice as long (12 ms instead of 7, AMD EPYC), and one damaged file makes it refuse all files of a bag.
        serialization = 'ros1' if self.format.reader is rosbag1.Reader else 'ros2'
        with contextlib.ExitStack() as stack:
            try:
                reader = stack.enter_context(self.format.reader(path))
                if not all(isinstance(text, str) for c in reader.connections for text in (c.topic, c.msgtype)):
                    raise ValueError('a topic has a name or type that is not text')
                connections = [c for c in reader.connections if topics is None or c.topic in topics]
                if not connections:
                    return
                total = 0
                for connection, time, data in reader.messages(connections, start, stop):
                    total += len(data)
                    if self._suffix == '.db3' and total > path.stat().st_size:
                        raise ValueError('its messages have more bytes than the file')
                    yield Message(connection.topic, connection.msgtype, time, bytes(data), serialization)
            except OSError:
                raise
            except Exception as error:  # rosbags, SQLite and the decompressors raise nearly anything at a damaged file
                raise DamagedFile(self.path, quoted(error))

    def _unpacked(self, notes):
        if self.path.suffix != COMPRESSED:
            return self.path
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix='espnet_ros_bag_')
            self._damage = _unpack(self.path, pathlib.Path(self._folder.name) / self.path.stem)
        notes += self._damage
        return pathlib.Path(self._folder.name) / self.path.stem


def _unpack(source, target):
    """Unpack a file as far as it is intact; return a list with a sentence about it when that is not to its end."""
    # Not zstd.open, whose buffer loses what it has read of a file that was cut off.
    with open(source, 'rb') as packed, open(target, 'wb') as file:
        decompressor, data = zstd.ZstdDecompressor(), packed.read(_BLOCK)
        limit = max(UNPACKED_BYTES, UNPACKED_RATIO * source.stat().st_size)
        try:
            while data or not (decompressor.eof or decompressor.needs_input):
                file.write(decompressor.decompress(data, 16 * _BLOCK))
                if file.tell() > limit:
                    return ["the compressed file '{}' unpacks to more than {} bytes; it is read up to there".format(
                        source.name, limit)]
                data = decompressor.unused_data if decompressor.eof else b''
                if decompressor.eof and (data or packed.peek(1)):  # several frames
                    decompressor = zstd.ZstdDecompressor()
                if decompressor.needs_input:
                    data = data or packed.read(_BLOCK)
        except zstd.ZstdError as error:
            return ["the compressed file '{}' is damaged: {}".format(source.name, quoted(error))]
    return [] if decompressor.eof else ["the compressed file '{}' was cut off".format(source.name)]


def _decompressed(message):
    """Return a Message as it was published; a damaged one stays as it is and cannot be deserialized."""
    if message.serialization != 'ros2' or message.data[:4] != _ZSTD_MAGIC:
        return message
    try:
        return message._replace(data=unpack('zstd', message.data, MESSAGE_BYTES))
    except DECOMPRESSION_ERRORS:
        return message


def deserialize(message):
    """Return the fields of a Message as an object (rosbags). Raises SerdeError; see `SerdeError`.

    The messages that are read here are the same in all distributions of ROS 2, and of ROS 1.
    """
    store = _store(message.serialization)
    try:
        convert = store.deserialize_ros1 if message.serialization == 'ros1' else store.deserialize_cdr
        return convert(message.data, message.type)
    except SerdeError:
        raise
    except Exception as error:
        raise SerdeError('{}: {}'.format(type(error).__name__, error))


@functools.lru_cache(maxsize=None)
def _store(serialization):
    store = get_typestore(Stores.ROS2_JAZZY)
    if serialization == 'ros1':
        transforms = {TF_MESSAGE: store.fielddefs[TF_MESSAGE]}  # rosbags has it for ROS 2 only
        store = get_typestore(Stores.ROS1_NOETIC)
        store.register(transforms)
    return store


def bag_files(path, notes):
    """Return the BagFiles at a path, and the number of their messages in metadata.yaml or None.

    They are those of a folder in the order of their names, or the one file. notes: list to which a sentence for each
    missing thing is appended. Raises SourceError if there is no bag.
    """
    path = pathlib.Path(path)
    if check_bag(path):
        return [BagFile(path)], None
    try:
        found = {p.name: p for p in path.iterdir() if p.is_file() and suffix_of(p) in SUFFIXES}
    except OSError as error:
        raise SourceError("cannot read '{}': {}".format(path, error.strerror))
    for name in sorted(found):  # a recorder that was killed while compressing leaves both
        if name + COMPRESSED in found:
            del found[name + COMPRESSED]
    names, count = _metadata(path, notes)
    for name in names:
        if name not in found:
            notes.append("the file '{}' that metadata.yaml names is missing".format(name))
    for wal in sorted(path.glob('*.db3-wal')):
        if wal.stat().st_size:
            notes.append("'{}' holds messages that were not yet merged into the database; open it once with sqlite3 to "
                         'merge them'.format(wal.name))
    if not found:
        raise SourceError("the folder '{}' holds no bag files ({})".format(path, ', '.join(SUFFIXES)))
    return [BagFile(found[name]) for name in sorted(found, key=_natural)], count


def _metadata(folder, notes):
    """Return the file names and the number of messages in metadata.yaml, to find out what is missing."""
    path = folder / 'metadata.yaml'
    if not path.exists():
        if not list(folder.glob('*.bag')):
            notes.append("'{}' has no metadata.yaml; its files are read in the order of their names".format(
                folder.name))
        return [], None
    try:
        data = read_yaml(path, 'metadata', SourceError)['rosbag2_bagfile_information']
        return [pathlib.PurePath(name).name for name in data['relative_file_paths']], int(data['message_count'])
    except (SourceError, KeyError, TypeError, ValueError, OverflowError) as error:
        notes.append('metadata.yaml is damaged and was not used ({})'.format(quoted(error)))
        return [], None


def _natural(name):
    """Sort key that puts bag_9 before bag_10."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split('([0-9]+)', name)]


def _is_within(time, start, stop):
    return (start is None or time >= start) and (stop is None or time < stop)
