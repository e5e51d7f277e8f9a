"""GPU, power rails, temperatures and throttling through Linux' sysfs, as a Jetson has them, and RAPL of a PC's CPU."""
import glob
import os
import re
import time

from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.poller import Absent

GPU_FOLDERS = 'sys/devices/*/gpu.0', 'sys/devices/gpu.0'
"""Folders with `load` in per mille and the clocks in Hz; where there is one, the machine is a Jetson."""
_RAILS = (
    ('sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_*', 'in_power{}_input', None),
    ('sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in*_label', 'in{}_input', 'curr{}_input'))
"""Files that name rails; the files beside them with power in mW, or with voltage in mV and current in mA."""
_RAPL = 'sys/class/powercap/intel-rapl:*[0-9]'
"""Folders of the energy counters of Intel's and AMD's CPUs, in microjoules; newer kernels let only root read them."""
_ZONES = 'sys/class/thermal/thermal_zone*'
_COOLERS = 'sys/class/thermal/cooling_device*'
_SLOWING = re.compile('processor|cpufreq|devfreq|balanced|throttl|emergency', re.IGNORECASE)
"""Cooling devices that cool by slowing down; fans and displays do not."""
_COUNTERS = (
    ('heat_throttles', 'sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count', 'cores slow down for heat'),
    ('heat_throttles', 'sys/devices/system/cpu/cpu*/thermal_throttle/package_throttle_count', 'the CPU slows down for '
     'heat'),
    ('power_throttles', 'sys/class/hwmon/hwmon*/oc*_event_cnt', 'the board slows down for too high a current'))
"""Field of MachineState, counters that rise when a machine throttles, what it means."""


class Sysfs:
    """Reads what the kernel's files tell; missing ones are left out."""

    def __init__(self, root='/'):
        """root: folder that holds `sys`. Raises Absent where there is nothing to read."""
        self._root = root
        self._counts = self._counters()
        self._energy = self._packages()
        if not any(self._paths(pattern) for pattern in (
                *GPU_FOLDERS, _COOLERS, _RAPL, *(rail[0] for rail in _RAILS), *(counter[1] for counter in _COUNTERS))):
            raise Absent('there are no files to read below {}'.format(os.path.join(root, 'sys')))

    def read(self):
        """Return a MachineState."""
        throttles = {'heat_throttles': self._slowed(), 'power_throttles': []}
        counts = self._counters()
        for field, pattern, text in _COUNTERS:
            if counts[pattern] > self._counts[pattern]:
                throttles[field].append(text)
        self._counts = counts
        return MachineState(
            sources=('sysfs',), gpus=self._gpus(), rails=self._rails() + self._rapl(),
            temperatures=self._temperatures(), heat_throttles=tuple(throttles['heat_throttles']),
            power_throttles=tuple(throttles['power_throttles']))

    def close(self):
        """Do nothing: no file stays open."""

    def _gpus(self):
        folders = [path for pattern in GPU_FOLDERS for path in self._paths(pattern)]
        if not folders:
            return ()
        load = _number(os.path.join(folders[0], 'load'))
        clocks = sorted(glob.glob(os.path.join(folders[0], 'devfreq', '*')))
        current, highest = (_number(os.path.join(clocks[0], name)) if clocks else None
                            for name in ('cur_freq', 'max_freq'))
        return (GpuState('GPU', _scaled(load, 10), _scaled(current, 1e6), _scaled(highest, 1e6)),)

    def _rails(self):
        rails = []
        for pattern, first, second in _RAILS:
            for path in sorted(self._paths(pattern)):
                number = re.findall('[0-9]+', os.path.basename(path))[0]
                factors = [_number(os.path.join(os.path.dirname(path), name.format(number)))
                           for name in (first, second) if name]
                name = _text(path)
                if name and name != 'NC' and None not in factors:
                    rails.append((name, factors[0] / 1000.0 * (factors[1] / 1000.0 if second else 1)))
        return tuple(rails)

    def _rapl(self):
        """Return the power of each CPU package since the last reading."""
        before, self._energy = self._energy, self._packages()
        rails = []
        for name, (at, energy, limit) in sorted(self._energy.items()):
            then, used = before.get(name, (at, energy, limit))[:2]
            if at > then:  # the counter begins again at its limit
                rails.append((name, ((energy - used) % (limit + 1)) / 1e6 / (at - then)))
        return tuple(rails)

    def _packages(self):
        """Return a dict from name to (seconds, microjoules, limit) of the CPU packages that can be read."""
        found = {}
        for path in self._paths(_RAPL):
            name = _text(os.path.join(path, 'name'))
            energy, limit = (_number(os.path.join(path, each)) for each in ('energy_uj', 'max_energy_range_uj'))
            if name and name.startswith('package') and energy is not None and limit:
                found[name] = time.monotonic(), energy, limit
        return found

    def _temperatures(self):
        if not any(self._paths(pattern) for pattern in GPU_FOLDERS):
            return ()  # elsewhere psutil has better names
        zones = [(_text(os.path.join(path, 'type')), _number(os.path.join(path, 'temp')))
                 for path in sorted(self._paths(_ZONES))]
        return tuple((name, value / 1000.0) for name, value in zones if is_temperature(name, value, 1000.0))

    def _slowed(self):
        names = [(_text(os.path.join(path, 'type')), _number(os.path.join(path, 'cur_state')))
                 for path in sorted(self._paths(_COOLERS))]
        return ['{} slows down for heat'.format(name) for name, state in names
                if name and _SLOWING.search(name) and (state or 0) > 0]

    def _counters(self):
        return {pattern: sum(_number(path) or 0 for path in self._paths(pattern))
                for _, pattern, _ in _COUNTERS}

    def _paths(self, pattern):
        return glob.glob(os.path.join(self._root, pattern))


def is_temperature(name, value, scale=1.0):
    """Tell whether a sensor's value is one: not PMIC's constant, nor the -256 C of what has no power."""
    return bool(name) and value is not None and not name.upper().startswith('PMIC') and value > -200 * scale


def _text(path):
    """Return a file's text, None when the kernel does not give it."""
    try:
        with open(path, 'rb') as stream:
            return stream.read(4096).decode('ascii', 'replace').strip()
    except OSError:
        return None


def _number(path):
    """Return the whole number in a file, None without one."""
    try:
        return int(_text(path) or '')
    except ValueError:
        return None


def _scaled(value, divisor):
    return None if value is None else value / divisor
