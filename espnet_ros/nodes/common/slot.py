"""A queue of one item: the newest."""
import threading


class NewestSlot:
    """Passes the newest item from one thread to another; items replaced before they are taken count as dropped."""

    def __init__(self):
        self._condition = threading.Condition()
        self._item = None
        self._dropped = 0

    @property
    def dropped(self):
        """Items replaced or cleared before they were taken."""
        with self._condition:
            return self._dropped

    def put(self, item):
        """Store an item, replacing the one that waits."""
        with self._condition:
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._condition.notify()

    def take(self, timeout):
        """Return the item, waiting up to `timeout` seconds for one; None when there is none."""
        with self._condition:
            if self._item is None:
                self._condition.wait(timeout)
            item, self._item = self._item, None
            return item

    def clear(self):
        """Drop the item that waits."""
        with self._condition:
            if self._item is not None:
                self._dropped += 1
            self._item = None
