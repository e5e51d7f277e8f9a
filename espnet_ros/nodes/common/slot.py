"""A mailbox that holds one item: the newest."""
import threading


class NewestSlot:
    """Hands the newest item from one thread to another; items that nobody took are dropped and counted."""

    def __init__(self):
        self._condition = threading.Condition()
        self._item = None
        self._dropped = 0

    @property
    def dropped(self):
        """Items replaced or cleared before they were taken."""
        with self._condition:
            return self._dropped

    @property
    def waiting(self):
        """Items not yet taken: 0 or 1."""
        with self._condition:
            return int(self._item is not None)

    def put(self, item):
        """Leave an item, in place of the one that is there."""
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
        """Drop what is there."""
        with self._condition:
            if self._item is not None:
                self._dropped += 1
            self._item = None
