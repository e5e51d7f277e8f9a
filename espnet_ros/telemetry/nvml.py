"""NVIDIA GPUs through their management library, with the package nvidia-ml-py."""
from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.poller import Absent

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons that mean less speed than was set.
_HEAT = ((0x20, 'the driver slows it down for heat'), (0x40, 'its hardware slows it down for heat'))
_POWER = ((0x04, 'the driver slows it down at its power limit'), (0x80, 'the power supply slows it down'))
_UNNAMED = 0x08
"""Slowdown by hardware: set with the bit of the reason, or alone."""


class Nvml:
    """Reads all NVIDIA GPUs of the machine."""

    def __init__(self):
        """Raises Absent without nvidia-ml-py or NVIDIA's driver."""
        try:
            import pynvml  # type: ignore  # it has none
        except ImportError:
            raise Absent('nvidia-ml-py is not installed')
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            if error.value in (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
                raise Absent('there is no NVIDIA driver')
            raise

    def read(self):
        """Return a MachineState of the GPUs; raises NVMLError when one is lost."""
        gpus, heat, power = [], [], []
        for index in range(self._nvml.nvmlDeviceGetCount()):
            handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
            gpus.append(self._gpu(handle))
            reasons = self._ask(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0
            for texts, bits in ((heat, _HEAT), (power, _POWER)):
                texts += ['GPU {}: {}'.format(index, text) for bit, text in bits if reasons & bit]
            if reasons & _UNNAMED and not reasons & (0x40 | 0x80):
                heat.append('GPU {}: its hardware slows it down'.format(index))
        return MachineState(sources=('NVML',), gpus=tuple(gpus), heat_throttles=tuple(heat),
                            power_throttles=tuple(power))

    def close(self):
        """Shut the library down."""
        self._nvml.nvmlShutdown()

    def _gpu(self, handle):
        nvml = self._nvml
        name = nvml.nvmlDeviceGetName(handle)
        load = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        return GpuState(
            name.decode('utf-8', 'replace') if isinstance(name, bytes) else name,
            load=load and float(load.gpu),
            clock=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_GRAPHICS),
            highest_clock=self._ask(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_GRAPHICS),
            memory_used=memory and memory.used, memory_total=memory and memory.total,
            temperature=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            power=_watts(self._ask(nvml.nvmlDeviceGetPowerUsage, handle)),
            power_limit=_watts(self._ask(nvml.nvmlDeviceGetEnforcedPowerLimit, handle)))

    def _ask(self, function, *arguments):
        """Return the result of a library function, None where this GPU does not support it."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError as error:
            if error.value in (self._nvml.NVML_ERROR_NOT_SUPPORTED, self._nvml.NVML_ERROR_NO_PERMISSION):
                return None
            raise


def _watts(milliwatts):
    return None if milliwatts is None else milliwatts / 1000.0
