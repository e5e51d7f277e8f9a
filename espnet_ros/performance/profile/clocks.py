"""GPU clocks: available frequencies, and locking the clock at one of them."""
import glob
import os
import re

from espnet_ros.errors import EngineError
from espnet_ros.telemetry.sysfs import GPU_FOLDERS

_FOLDERS = (*(folder + '/devfreq/*' for folder in GPU_FOLDERS), 'sys/class/devfreq/*')
_JETSON_GPU = re.compile(r'(?:gpu|gm20b|gp10b|gv11b|ga10b|gb10b)\Z')
"""Suffix of the device names of Jetson GPUs, such as 17000000.gp10b."""


class DevfreqClock:
    """The clock of a Jetson's GPU, through the kernel's files min_freq and max_freq, in Hz."""

    def __init__(self, folder):
        self.folder = folder
        self.saved = self._read('min_freq'), self._read('max_freq')

    def frequencies(self):
        """Return the available frequencies in MHz, ascending. Raises EngineError."""
        return sorted(hertz / 1e6 for hertz in self._numbers('available_frequencies'))

    def refusal(self):
        """Return why the clock cannot be locked, '' if it can."""
        path = os.path.join(self.folder, 'min_freq')
        return '' if os.access(path, os.W_OK) else 'locking the GPU clock means writing {}, which needs root: run ' \
            'again with sudo'.format(path)

    def pin(self, megahertz):
        """Lock the clock at one of frequencies(). Raises EngineError."""
        hertz = min(self._numbers('available_frequencies'), key=lambda hertz: abs(hertz - megahertz * 1e6))
        self._set(hertz, hertz)

    def restore(self):
        """Restore the limits that the clock had before. Raises EngineError."""
        self._set(*self.saved)

    def to_words(self):
        """Return words from which clock_from_words recreates this clock in another process."""
        return ['devfreq', self.folder] + [str(hertz) for hertz in self.saved]

    def _set(self, low, high):
        # The kernel refuses a minimum above the maximum, even temporarily.
        order = (('max_freq', high), ('min_freq', low))
        for name, hertz in order if low > self._read('max_freq') else order[::-1]:
            path = os.path.join(self.folder, name)
            try:
                with open(path, 'w') as stream:
                    stream.write(str(hertz))
            except OSError as error:
                raise EngineError('cannot write {} to {}: {}'.format(hertz, path, error.strerror or error))

    def _read(self, name):
        return self._numbers(name)[0]

    def _numbers(self, name):
        path = os.path.join(self.folder, name)
        try:
            with open(path, errors='replace') as stream:
                numbers = [int(word) for word in stream.read().split()]
        except (OSError, ValueError) as error:
            raise EngineError('cannot read {}: {}'.format(path, error))
        if not numbers:
            raise EngineError('{} is empty'.format(path))
        return numbers


class NvmlClock:
    """The clock of an NVIDIA GPU in a PC, through its management library; which does not report an earlier lock."""

    def __init__(self, index=0):
        """index: of the GPU, as the management library counts. Raises EngineError."""
        self.index = index
        try:
            import pynvml  # type: ignore  # it has none
        except ImportError:
            raise EngineError('locking the GPU clock needs the package nvidia-ml-py, which is not installed')
        self._nvml = pynvml
        self._ask('nvmlInit')
        self._handle = self._ask('nvmlDeviceGetHandleByIndex', index)

    def frequencies(self):
        """As DevfreqClock."""
        memory = self._ask('nvmlDeviceGetSupportedMemoryClocks', self._handle)
        return sorted(float(clock) for clock in self._ask(
            'nvmlDeviceGetSupportedGraphicsClocks', self._handle, max(memory)))

    def refusal(self):
        """As DevfreqClock."""
        return '' if os.geteuid() == 0 else 'only root can lock the GPU clock: run again with sudo'

    def pin(self, megahertz):
        """As DevfreqClock."""
        self._ask('nvmlDeviceSetGpuLockedClocks', self._handle, int(megahertz), int(megahertz))

    def restore(self):
        """As DevfreqClock."""
        self._ask('nvmlDeviceResetGpuLockedClocks', self._handle)

    def to_words(self):
        """As DevfreqClock."""
        return ['nvml', str(self.index)]

    def _ask(self, function, *arguments):
        try:
            return getattr(self._nvml, function)(*arguments)
        except (self._nvml.NVMLError, AttributeError) as error:
            raise EngineError('NVML cannot lock the GPU clock: {}'.format(error))


def find_clock(root='/', index=0):
    """Return the clock of the GPU of that index. Raises EngineError where there is none.

    root: folder that holds `sys`.
    """
    for pattern in _FOLDERS:
        for folder in sorted(glob.glob(os.path.join(root, pattern))):
            if _JETSON_GPU.search(os.path.basename(folder)) and os.path.exists(
                    os.path.join(folder, 'available_frequencies')):
                return DevfreqClock(folder)
    return NvmlClock(index)


def clock_from_words(words):
    """Return the clock that `to_words` of another process describes."""
    if words[0] == 'nvml':
        return NvmlClock(int(words[1]))
    clock = DevfreqClock(words[1])
    clock.saved = int(words[2]), int(words[3])
    return clock
