"""A source of a machine's state in a thread of its own, so that a source that hangs blocks nobody."""
import contextlib
import threading
import time

from espnet_ros.errors import EspnetError
from espnet_ros.telemetry.machine import MachineState


class Absent(EspnetError):
    """This machine does not have what a source reads."""


class Poller(threading.Thread):
    """Reads a source at an interval.

    make: returns a reader with read() -> MachineState and close(), or raises Absent. Other exceptions become
    a problem in the state, and a new reader is made after the next interval.
    """

    def __init__(self, name, make, interval=1.0):
        """name: of the source, for sentences. interval: seconds."""
        super().__init__(name=name, daemon=True)
        self._make = make
        self._interval = interval
        self._stopped = threading.Event()
        self._absent = False
        self._newest = MachineState()
        self._time = time.monotonic()

    def state(self):
        """Return the newest MachineState, with a problem alone when it is too old."""
        age = time.monotonic() - self._time
        if self._absent or age < 3 * self._interval + 1.0:
            return self._newest
        return MachineState(problems=('{} has not answered for {:.0f} s; look at its driver with dmesg'.format(
            self.name, age),))

    def stop(self):
        """Tell the thread to end; one that hangs is abandoned."""
        self._stopped.set()

    def run(self):
        """Read until `stop`."""
        reader = None
        while not self._stopped.is_set():
            try:
                reader = reader or self._make()
                self._newest = reader.read()
            except Absent:
                self._absent = True
                return
            except Exception as error:  # whatever a driver's library throws
                self._newest = MachineState(problems=('{} cannot be read: {}'.format(
                    self.name, str(error) or repr(error)),))
                _close(reader)
                reader = None
            self._time = time.monotonic()
            self._stopped.wait(self._interval)
        _close(reader)


def _close(reader):
    with contextlib.suppress(Exception):  # it is being given up
        if reader is not None:
            reader.close()
