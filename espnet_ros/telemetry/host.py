"""CPU, memory and temperatures through psutil."""
from espnet_ros.telemetry.machine import MachineState
from espnet_ros.telemetry.poller import Absent


class Host:
    """Reads what psutil tells of any machine; CPU percentages are those since the reading before."""

    def __init__(self):
        """Raises Absent without psutil."""
        try:
            import psutil
        except ImportError:
            raise Absent('psutil is not installed')
        self._psutil = psutil
        psutil.cpu_percent(percpu=True)  # the first reading has nothing to compare with

    def read(self):
        """Return a MachineState."""
        memory = self._psutil.virtual_memory()
        return MachineState(
            sources=('psutil',), cpu=tuple(self._psutil.cpu_percent(percpu=True)),
            memory_used=memory.total - memory.available, memory_total=memory.total, temperatures=self._temperatures())

    def close(self):
        """Nothing is held open."""

    def _temperatures(self):
        chips = self._psutil.sensors_temperatures() if hasattr(self._psutil, 'sensors_temperatures') else {}
        return tuple(
            ('{} {}'.format(chip, sensor.label or number), sensor.current)
            for chip, sensors in chips.items() if not chip.startswith('PMIC')  # on a Jetson a constant 50 or 100
            for number, sensor in enumerate(sensors))
