"""Buffer of bag messages in memory and, beyond a limit, on disk."""
import os
import tempfile
import typing

BUFFER_BYTES = 64 << 20
"""Size of the messages that are kept in memory; further ones go to a temporary file."""


class MessageBuffer:
    """Messages whose frame is not yet complete or not yet next; a context manager."""

    def __init__(self):
        self._messages: dict[tuple[int, int], typing.Any] = {}
        self._bytes = 0
        self._file = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()

    def __contains__(self, key):
        return key in self._messages

    def put(self, key, message):
        """Store a Message."""
        if self._bytes + len(message.data) > BUFFER_BYTES and self._messages:
            self._file = self._file or tempfile.TemporaryFile(prefix='espnet_ros_bag_')
            self._messages[key] = message._replace(data=b''), self._file.seek(0, os.SEEK_END), len(message.data)
            self._file.write(message.data)
        else:
            self._messages[key] = message, None, 0
            self._bytes += len(message.data)

    def take(self, key):
        """Remove and return a Message."""
        message, at, size = self._messages.pop(key)
        if at is None:
            self._bytes -= len(message.data)
            return message
        self._file.seek(at)
        return message._replace(data=self._file.read(size))
