"""The available sources of the machine state, combined."""
import os
import shutil

from espnet_ros.telemetry.host import Host
from espnet_ros.telemetry.machine import combine
from espnet_ros.telemetry.nvml import Nvml
from espnet_ros.telemetry.poller import Poller
from espnet_ros.telemetry.sysfs import Sysfs
from espnet_ros.telemetry.tegrastats_process import TegrastatsProcess


class Machine:
    """All sources that this machine has."""

    def __init__(self, sources):
        """sources: threads with state() -> MachineState and stop(), in order of preference; started here."""
        self._sources = sources
        for source in sources:
            source.start()

    def state(self):
        """Return the newest MachineState; never waits."""
        return combine([source.state() for source in self._sources])

    def stop(self):
        """End all sources."""
        for source in self._sources:
            source.stop()
        for source in self._sources:
            source.join(0.2)


def open_machine(tegrastats='tegrastats', interval=1.0, root='/'):
    """Return a Machine of the sources that are there.

    tegrastats: the program's path, or its name on the PATH; empty for none. interval: seconds between readings. root:
    folder that holds `sys`.
    """
    # A path that is missing is tried all the same: its source then says so.
    program = tegrastats if os.sep in tegrastats else shutil.which(tegrastats) if tegrastats else None
    pollers = [Poller(name, make, interval) for name, make in (
        ('sysfs', lambda: Sysfs(root)), ('NVML', Nvml), ('psutil', Host))]
    return Machine(([TegrastatsProcess(program, interval)] if program else []) + pollers)
