"""Intact messages of truncated or damaged bag files, found without an index."""
import typing

# Why not a library: rosbags needs the index at the end of a file, SQLite the upper levels of its tree of pages, which
# may lie behind the cut, and the package mcap returns a record that ends too early as a complete one.


class Message(typing.NamedTuple):
    """A message as recorded.

    type: written as in ROS 2 (sensor_msgs/msg/Image). time: of recording, in ns. serialization: 'ros2' or 'ros1'.
    """

    topic: str
    type: str
    time: int
    data: bytes
    serialization: str = 'ros2'


def cut_off(path, where, time):
    """Return the sentence about a truncated file; time: of its last complete message in ns, or None."""
    last = 'it holds no complete message' if time is None else 'its last complete message is from {}.{:09d} s'.format(
        *divmod(time, 10**9))
    return "'{}' was cut off {}; {}".format(path.name, where, last)
