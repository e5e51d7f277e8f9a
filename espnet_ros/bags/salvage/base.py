"""What is left of bag files that were cut off or damaged: each message that is whole, found without an index.

rosbags needs the index at the end of a file, and SQLite its tree of pages, whose upper levels may lie behind the cut.
The package mcap takes a record that ends too early for a whole one.
"""
import bz2
import typing

from espnet_ros.bags.library import lz4, zstd


class Message(typing.NamedTuple):
    """A message as recorded.

    type: written as in ROS 2 (sensor_msgs/msg/Image). time: of recording, in ns. serialization: 'ros2' or 'ros1'.
    """

    topic: str
    type: str
    time: int
    data: bytes
    serialization: str = 'ros2'


DECOMPRESSORS = {
    'zstd': zstd.ZstdDecompressor, 'lz4': lz4.LZ4FrameDecompressor, 'bz2': bz2.BZ2Decompressor}
"""Of chunks; these give what there is when the end is missing."""

DECOMPRESSION_ERRORS = (ValueError, RuntimeError, EOFError, OSError, zstd.ZstdError)
"""What they raise."""


def cut_off(path, where, time):
    """Return the sentence about a file that ends too early; time: of its last whole message in ns, or None."""
    last = 'it holds no whole message' if time is None else 'its last whole message is of {}.{:09d} s'.format(
        *divmod(time, 10**9))
    return "'{}' was cut off {}; {}".format(path.name, where, last)
