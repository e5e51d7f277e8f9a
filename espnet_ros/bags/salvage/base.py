"""Intact messages of truncated or damaged bag files, found without an index."""
import time
import typing

from espnet_ros.limits import SALVAGE_SECONDS, UNPACKED_BYTES, UNPACKED_RATIO

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


class Budget:
    """What may be spent on one damaged file: processor time, and bytes that its chunks unpack to."""

    def __init__(self, size):
        """size: of the file in bytes."""
        self._seconds = SALVAGE_SECONDS * max(1.0, size / 2**30)
        self._bytes = max(UNPACKED_BYTES, UNPACKED_RATIO * size)
        self._spent = 0.0
        self._began = time.thread_time()

    def spend(self, size=0):
        """Count bytes of a chunk, and the time so far. Raises BudgetError when either is used up."""
        self._bytes -= size
        if self._bytes < 0:
            raise BudgetError('its chunks unpack to more than {} times its size'.format(UNPACKED_RATIO))
        if self._spent + time.thread_time() - self._began > self._seconds:
            raise BudgetError('reading what is left of it takes more than {:.0f} s'.format(self._seconds))

    def messages(self, salvaged, path, notes):
        """Yield the messages of an iterator that spends this budget; where it ends too early, a note says so."""
        while True:
            self._began = time.thread_time()  # whoever takes the messages does not spend
            try:
                message = next(salvaged, None)
            except BudgetError as error:
                notes.append("'{}' is given up here: {}".format(path.name, error))
                return
            self._spent += time.thread_time() - self._began
            if message is None:
                return
            yield message


class BudgetError(Exception):
    """A Budget is used up."""


def cut_off(path, where, time):
    """Return the sentence about a truncated file; time: of its last complete message in ns, or None."""
    last = 'it holds no complete message' if time is None else 'its last complete message is from {}.{:09d} s'.format(
        *divmod(time, 10**9))
    return "'{}' was cut off {}; {}".format(path.name, where, last)
