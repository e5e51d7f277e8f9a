"""CPU, memory and temperatures of any machine."""
import platform
import re

from espnet_ros.telemetry.machine import MachineState
from espnet_ros.telemetry.poller import Absent


class Host:
    """Reads psutil; CPU percentages are since the previous reading."""

    def __init__(self):
        """Raises Absent without psutil."""
        try:
            import psutil
        except ImportError:
            raise Absent('psutil is not installed')
        self._psutil = psutil
        psutil.cpu_percent(percpu=True)  # the first reading has no previous one to compare with

    def read(self):
        """Return a MachineState."""
        memory = self._psutil.virtual_memory()
        return MachineState(
            sources=('psutil',), cpu=tuple(self._psutil.cpu_percent(percpu=True)),
            memory_used=memory.total - memory.available, memory_total=memory.total, temperatures=self._temperatures())

    def close(self):
        """Do nothing: no file stays open."""

    def _temperatures(self):
        chips = self._psutil.sensors_temperatures() if hasattr(self._psutil, 'sensors_temperatures') else {}
        return tuple(
            ('{} {}'.format(chip, sensor.label or number), sensor.current)
            for chip, sensors in chips.items() if not chip.startswith('PMIC')  # on a Jetson a constant 50 or 100
            for number, sensor in enumerate(sensors))


_KINDS = (('AMX with bf16', 'amx_bf16'), ('AVX-512 with bf16', 'avx512_bf16'), ('AVX-512', 'avx512f'), ('AVX2', 'avx2'),
          ('NEON with bf16', 'bf16'), ('NEON', 'asimd'))
"""Kinds of CPU by speed, with their flag in /proc/cpuinfo."""


def cpu_name():
    """Return the name of the CPU."""
    names = re.findall(r'^(?:model name|Hardware)\s*:\s*(.+)$', _cpuinfo(), re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()


def cpu_kind():
    """Return the instructions that decide how fast a network runs on this CPU, 'unknown' without /proc/cpuinfo."""
    flags = re.search(r'^(?:flags|Features)\s*:\s*(.+)$', _cpuinfo(), re.MULTILINE)
    words = flags.group(1).split() if flags else []
    return next((kind for kind, flag in _KINDS if flag in words), 'plain' if words else 'unknown')


def _cpuinfo():
    try:
        with open('/proc/cpuinfo') as stream:
            return stream.read()
    except OSError:
        return ''
