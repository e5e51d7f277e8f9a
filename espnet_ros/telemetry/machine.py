"""The machine's load as diagnostics: CPU, memory and temperature through psutil."""
import typing

import psutil

from espnet_ros.telemetry.status import ERROR, OK, WARN, Status


class Limits(typing.NamedTuple):
    """From which value on a status warns or is in error: percent of CPU and memory, degrees Celsius."""

    cpu_warn: float = 95.0
    memory_warn: float = 85.0
    memory_error: float = 95.0
    temperature_warn: float = 80.0
    temperature_error: float = 95.0


class Sample(typing.NamedTuple):
    """One reading. cpu: percent per core. memory_used, memory_total: bytes. temperatures: sensor to Celsius."""

    cpu: typing.Tuple[float, ...]
    memory_used: int
    memory_total: int
    temperatures: typing.Dict[str, float]


def read():
    """Return a Sample; CPU percentages are those since the last call."""
    memory = psutil.virtual_memory()
    temperatures = {}
    if hasattr(psutil, 'sensors_temperatures'):
        for chip, sensors in psutil.sensors_temperatures().items():
            if chip.startswith('PMIC'):
                continue  # on a Jetson a constant 50 or 100
            for number, sensor in enumerate(sensors):
                temperatures['{} {}'.format(chip, sensor.label or number)] = sensor.current
    return Sample(tuple(psutil.cpu_percent(percpu=True)), memory.total - memory.available, memory.total, temperatures)


def statuses(host, sample, limits):
    """Return the Status values of a sample, named after the host; temperature only where there is a sensor."""
    average = sum(sample.cpu) / max(1, len(sample.cpu))
    used = 100.0 * sample.memory_used / sample.memory_total
    result = [
        Status(host + ': CPU', WARN if average >= limits.cpu_warn else OK, '{:.0f}%'.format(average),
               tuple(('core {} (%)'.format(i), '{:.0f}'.format(load)) for i, load in enumerate(sample.cpu))),
        Status(host + ': Memory', _level(used, limits.memory_warn, limits.memory_error),
               '{:.0f}% of {:.1f} GiB'.format(used, sample.memory_total / 2 ** 30),
               (('used (MiB)', str(sample.memory_used >> 20)), ('total (MiB)', str(sample.memory_total >> 20))))]
    if sample.temperatures:
        hottest = max(sample.temperatures, key=sample.temperatures.get)
        highest = sample.temperatures[hottest]
        result.append(Status(
            host + ': Temperature', _level(highest, limits.temperature_warn, limits.temperature_error),
            '{:.0f} C at {}'.format(highest, hottest),
            tuple(('{} (C)'.format(name), '{:.1f}'.format(value)) for name, value in sample.temperatures.items())))
    return result


def _level(value, warn, error):
    return ERROR if value >= error else WARN if value >= warn else OK
