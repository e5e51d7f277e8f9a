"""NVIDIA's management library, for which a module of our own stands in."""
import collections
import sys
import types

import pytest

from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.nvml import Nvml
from espnet_ros.telemetry.poller import Absent

MIB = 2 ** 20


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__('NVML {}'.format(value))
        self.value = value


NOT_SUPPORTED, NO_PERMISSION, NOT_LOADED, NOT_FOUND, LOST = 3, 4, 9, 12, 15


@pytest.fixture
def nvml(monkeypatch):
    """The module pynvml, with two GPUs; `gpus` and `errors` (function name to code) can be changed."""
    module = types.ModuleType('pynvml')
    module.gpus = [
        {'Name': 'NVIDIA H200', 'UtilizationRates': types.SimpleNamespace(gpu=37, memory=5), 'ClockInfo': 1755,
         'MaxClockInfo': 1980, 'MemoryInfo': types.SimpleNamespace(used=1000 * MIB, total=4000 * MIB),
         'Temperature': 41, 'PowerUsage': 120500, 'EnforcedPowerLimit': 700000, 'CurrentClocksThrottleReasons': 0x1},
        {'Name': b'Old \xff', 'UtilizationRates': types.SimpleNamespace(gpu=0, memory=0), 'ClockInfo': 300,
         'MaxClockInfo': 1500, 'MemoryInfo': types.SimpleNamespace(used=0, total=2000 * MIB), 'Temperature': 30,
         'PowerUsage': 9000, 'EnforcedPowerLimit': 75000, 'CurrentClocksThrottleReasons': 0x0}]
    module.errors = {}
    module.calls = collections.Counter()
    module.NVMLError = NVMLError
    module.NVML_CLOCK_GRAPHICS = module.NVML_TEMPERATURE_GPU = 0
    module.NVML_ERROR_NOT_SUPPORTED, module.NVML_ERROR_NO_PERMISSION = NOT_SUPPORTED, NO_PERMISSION
    module.NVML_ERROR_DRIVER_NOT_LOADED, module.NVML_ERROR_LIBRARY_NOT_FOUND = NOT_LOADED, NOT_FOUND

    def function(name, answer):
        def call(*arguments):
            module.calls[name] += 1
            if name in module.errors:
                raise NVMLError(module.errors[name])
            return answer(*arguments)
        setattr(module, name, call)
    function('nvmlInit', lambda: None)
    function('nvmlShutdown', lambda: None)
    function('nvmlDeviceGetCount', lambda: len(module.gpus))
    function('nvmlDeviceGetHandleByIndex', lambda index: module.gpus[index])
    for what in module.gpus[0]:
        function('nvmlDeviceGet' + what, lambda handle, *kind, what=what: handle[what])
    monkeypatch.setitem(sys.modules, 'pynvml', module)
    return module


def test_all_gpus_are_read(nvml):
    reader = Nvml()
    assert reader.read() == MachineState(sources=('NVML',), gpus=(
        GpuState('NVIDIA H200', 37.0, 1755, 1980, 1000 * MIB, 4000 * MIB, 41, 120.5, 700.0),
        GpuState('Old \ufffd', 0.0, 300, 1500, 0, 2000 * MIB, 30, 9.0, 75.0)))
    reader.close()
    assert nvml.calls['nvmlShutdown'] == 1


@pytest.mark.parametrize('bits, heat, power', [
    (0x1 | 0x2 | 0x10 | 0x100, (), ()),  # idle, clocks that somebody set, boards in step, a display
    (0x20, ('GPU 0: the driver slows it down for heat',), ()),
    (0x40 | 0x08, ('GPU 0: its hardware slows it down for heat',), ()),
    (0x04, (), ('GPU 0: the driver slows it down at its power limit',)),
    (0x80 | 0x08, (), ('GPU 0: the power supply slows it down',)),
    (0x08, ('GPU 0: its hardware slows it down',), ())])
def test_throttling(nvml, bits, heat, power):
    nvml.gpus[0]['CurrentClocksThrottleReasons'] = bits
    state = Nvml().read()
    assert (state.heat_throttles, state.power_throttles) == (heat, power)


@pytest.mark.parametrize('code', [NOT_SUPPORTED, NO_PERMISSION])
def test_what_a_gpu_does_not_tell_is_left_out(nvml, code):
    nvml.errors.update(('nvmlDeviceGet' + what, code) for what in nvml.gpus[0] if what != 'Name')
    assert Nvml().read().gpus == (GpuState('NVIDIA H200'), GpuState('Old \ufffd'))


def test_a_lost_gpu_is_an_error_for_the_poller(nvml):
    nvml.errors['nvmlDeviceGetTemperature'] = LOST
    with pytest.raises(NVMLError):
        Nvml().read()


@pytest.mark.parametrize('code', [NOT_LOADED, NOT_FOUND])
def test_without_a_driver_it_is_absent(nvml, code):
    nvml.errors['nvmlInit'] = code
    with pytest.raises(Absent):
        Nvml()


def test_a_driver_that_fails_is_not_absent(nvml):
    nvml.errors['nvmlInit'] = 999
    with pytest.raises(NVMLError):
        Nvml()


def test_without_the_package_it_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    with pytest.raises(Absent):
        Nvml()


def test_the_real_package_has_what_is_called():
    real = pytest.importorskip('pynvml')
    for name in ('nvmlInit', 'nvmlShutdown', 'nvmlDeviceGetCount', 'nvmlDeviceGetHandleByIndex', 'nvmlDeviceGetName',
                 'nvmlDeviceGetUtilizationRates', 'nvmlDeviceGetMemoryInfo', 'nvmlDeviceGetClockInfo',
                 'nvmlDeviceGetMaxClockInfo', 'nvmlDeviceGetTemperature', 'nvmlDeviceGetPowerUsage',
                 'nvmlDeviceGetEnforcedPowerLimit', 'nvmlDeviceGetCurrentClocksThrottleReasons'):
        assert callable(getattr(real, name))
    assert (real.NVML_ERROR_NOT_SUPPORTED, real.NVML_ERROR_NO_PERMISSION, real.NVML_ERROR_DRIVER_NOT_LOADED,
            real.NVML_ERROR_LIBRARY_NOT_FOUND) == (NOT_SUPPORTED, NO_PERMISSION, NOT_LOADED, NOT_FOUND)
    bits = {'SwPowerCap': 0x04, 'HwSlowdown': 0x08, 'SwThermalSlowdown': 0x20, 'HwThermalSlowdown': 0x40,
            'HwPowerBrakeSlowdown': 0x80}
    assert {name: getattr(real, 'nvmlClocksThrottleReason' + name) for name in bits} == bits
