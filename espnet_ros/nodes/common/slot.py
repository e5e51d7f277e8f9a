"""A queue of one item: the newest."""
import threading
import time


class NewestSlot:
    """Passes the newest item from one thread to another; items replaced before they are taken count as dropped.

    on_put: called after each `put`, in its thread; for a thread that takes from several slots.
    """

    def __init__(self):
        self.on_put = lambda: None
        self._condition = threading.Condition()
        self._item = self._since = None
        self._dropped = 0

    @property
    def dropped(self):
        """Items replaced or cleared before they were taken."""
        with self._condition:
            return self._dropped

    @property
    def since(self):
        """Monotonic seconds at which an item began to wait, even if newer ones replaced it; None when empty."""
        with self._condition:
            return self._since

    def put(self, item):
        """Store an item, replacing the one that waits."""
        with self._condition:
            if self._item is not None:
                self._dropped += 1
            else:
                self._since = time.monotonic()
            self._item = item
            self._condition.notify()
        self.on_put()

    def take(self, timeout):
        """Return the item, waiting up to `timeout` seconds for one; None when there is none."""
        with self._condition:
            if self._item is None:
                self._condition.wait(timeout)
            item, self._item, self._since = self._item, None, None
            return item

    def clear(self):
        """Drop the item that waits."""
        with self._condition:
            if self._item is not None:
                self._dropped += 1
            self._item = self._since = None
