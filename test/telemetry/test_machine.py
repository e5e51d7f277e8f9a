"""The machine's state as diagnostics and numbers."""
import pytest

from espnet_ros.diagnostics.machine import Limits, statuses
from espnet_ros.diagnostics.status import ERROR, OK, WARN
from espnet_ros.telemetry.machine import GpuState, MachineState, average_load, combine, readings, total_power

GIB = 2 ** 30
CALM = MachineState(
    sources=('tegrastats', 'psutil'), cpu=(10.0, None, 30.0), cpu_clocks=(1000, None, 2000), memory_used=2 * GIB,
    memory_total=8 * GIB, swap_used=GIB, swap_total=4 * GIB, gpus=(GpuState('GR3D', load=47.0, clock=1300.0),),
    temperatures=(('soc', 50.0), ('gpu', 60.0)), rails=(('VDD_IN', 3.1), ('VDD_GPU', 0.2)))
CARD = GpuState('H200', 99.0, 1980.0, 1980.0, 4 * GIB, 8 * GIB, 70.0, 300.0, 700.0)


def found(limits=Limits(), **change):
    return {s.name[len('robot: '):]: s for s in statuses('robot', CALM._replace(**change), limits)}


def test_a_calm_machine():
    assert {name: (s.level, s.message, s.unlogged) for name, s in found().items()} == {
        'CPU': (OK, '20%', ''), 'Memory': (OK, '25% of 8.0 GiB', ''), 'GPU': (OK, '47% at 1300 MHz', ''),
        'Power': (OK, '3.1 W', ''), 'Temperature': (OK, '60 C at gpu', '')}


def test_the_values_have_all_numbers():
    values = {name: dict(s.values) for name, s in found(gpus=(CARD,)).items()}
    assert all(part.pop('measured') == 'yes' for part in values.values())
    assert [part.pop('summary') for part in values.values()] == [
        '20%', '25% of 8.0 GiB', '99% at 1980 MHz', '3.1 W', '70 C at H200 GPU']
    assert values == {
        'CPU': {'load (%)': '20.0', 'core 0 (%)': '10', 'core 0 (MHz)': '1000', 'core 1 (%)': 'off', 'core 2 (%)': '30',
                'core 2 (MHz)': '2000'},
        'Memory': {'used (%)': '25.0', 'used (MiB)': '2048', 'total (MiB)': '8192', 'swap used (MiB)': '1024',
                   'swap total (MiB)': '4096'},
        'GPU': {'load (%)': '99.0', 'sources': 'tegrastats, psutil', 'H200 load (%)': '99.0',
                'H200 clock (MHz)': '1980.0', 'H200 highest clock (MHz)': '1980.0', 'H200 memory used (MiB)': '4096.0',
                'H200 memory total (MiB)': '8192.0', 'H200 temperature (C)': '70.0', 'H200 power (W)': '300.0',
                'H200 power limit (W)': '700.0'},
        'Power': {'total (W)': '3.10', 'VDD_IN (W)': '3.100', 'VDD_GPU (W)': '0.200'},
        'Temperature': {'hottest (C)': '70.0', 'soc (C)': '50.0', 'gpu (C)': '60.0', 'H200 GPU (C)': '70.0'}}


@pytest.mark.parametrize('change, name, level, text', [
    ({'cpu': (95.0, 95.0)}, 'CPU', WARN, '95% busy; end other programs or lower max_rate'),
    ({'cpu': (100.0, 89.0)}, 'CPU', OK, '94%'),
    ({'cpu': (None, 96.0)}, 'CPU', WARN, '96% busy'),
    ({'memory_used': int(6.9 * GIB)}, 'Memory', WARN, '86% of 8.0 GiB is in use; end other programs'),
    ({'memory_used': int(7.7 * GIB)}, 'Memory', ERROR, '96% of 8.0 GiB is in use; end other programs'),
    ({'gpus': (CARD._replace(memory_used=7 * GIB),)}, 'GPU', WARN, 'H200: 88% of its memory is in use; choose a '
                                                                   'smaller'),
    ({'gpus': (CARD, CARD._replace(memory_used=8 * GIB))}, 'GPU', ERROR, 'H200 1: 100% of its memory'),
    ({'problems': ('tegrastats is gone; look',)}, 'GPU', WARN, 'tegrastats is gone; look'),
    ({'temperatures': (('a', 80.0),)}, 'Temperature', WARN, '80 C at a; cool the machine'),
    ({'temperatures': (('a', 95.0),)}, 'Temperature', ERROR, '95 C at a; cool the machine'),
    ({'gpus': (CARD._replace(temperature=96.0),)}, 'Temperature', ERROR, '96 C at H200 GPU; cool'),
    ({'heat_throttles': ('GPU 0: slow',)}, 'Temperature', WARN, 'GPU 0: slow; cool the machine'),
    ({'power_throttles': ('GPU 0: slow',)}, 'Power', WARN, 'GPU 0: slow; choose a higher power mode'),
    ({'gpus': (), 'rails': (), 'temperatures': ()}, 'Power', OK, 'not measured'),
    ({'gpus': (), 'rails': (), 'temperatures': ()}, 'Temperature', OK, 'not measured'),
    ({'gpus': ()}, 'GPU', OK, 'not measured'),
    ({'gpus': (GpuState('GR3D'),)}, 'GPU', OK, 'GR3D'),
    ({'cpu': ()}, 'CPU', OK, 'not measured'),
    ({'memory_used': None}, 'Memory', OK, 'not measured'),
    ({'memory_total': 0}, 'Memory', OK, 'not measured'),
])
def test_problems_and_remedies(change, name, level, text):
    status = found(**change)[name]
    assert status.level == level and text in status.message
    assert status.unlogged == (status.message if level > OK else '')
    assert all(other.level == OK for other_name, other in found(**change).items() if other_name != name)


@pytest.mark.parametrize('limits, name, level', [
    (Limits(gpu_warn=47.0), 'GPU', WARN), (Limits(gpu_warn=48.0), 'GPU', OK),
    (Limits(power_warn=3.0), 'Power', WARN), (Limits(power_warn=3.0, power_error=3.1), 'Power', ERROR),
    (Limits(power_warn=4.0, power_error=5.0), 'Power', OK), (Limits(cpu_warn=0.0), 'CPU', WARN),
    (Limits(memory_warn=0.0), 'Memory', WARN), (Limits(temperature_error=60.0), 'Temperature', ERROR)])
def test_limits_are_settings(limits, name, level):
    assert found(limits)[name].level == level


@pytest.mark.parametrize('change, watts', [
    ({}, 3.1), ({'rails': (('VDD_GPU_SOC', 2.0), ('VDD_CPU_CV', 0.5))}, 2.5),
    ({'rails': (('VDD_GPU', 2.0), ('VIN', 19.0))}, 19.0),
    ({'rails': (), 'gpus': (CARD, CARD)}, 600.0),
    ({'rails': (('package-0', 65.0),), 'gpus': (CARD,)}, 365.0), ({'rails': ()}, None)])
def test_total_power(change, watts):
    assert total_power(CALM._replace(**change)) == watts


def test_the_first_source_that_knows_is_believed():
    first = MachineState(sources=('a',), memory_used=0, gpus=(GpuState('GR3D', load=5.0),), problems=('p',))
    second = MachineState(
        sources=('b',), cpu=(1.0,), memory_used=7, memory_total=9, gpus=(
            GpuState('GPU', load=6.0, clock=100.0), CARD), problems=('q',), heat_throttles=('hot',))
    assert combine([first, MachineState(), second]) == MachineState(
        sources=('a', 'b'), cpu=(1.0,), memory_used=0, memory_total=9, gpus=(
            GpuState('GR3D', load=5.0, clock=100.0), CARD), problems=('p', 'q'), heat_throttles=('hot',))
    assert combine([]) == MachineState()


def test_numbers_for_plots():
    assert readings(CALM) == {
        'cpu/load': 20.0, 'cpu/core0/load': 10.0, 'cpu/core0/clock': 1000.0, 'cpu/core2/load': 30.0,
        'cpu/core2/clock': 2000.0, 'gpu/load': 47.0, 'gpu/clock': 1300.0, 'memory/used': 2048.0,
        'memory/swap_used': 1024.0, 'power/total': 3.1, 'power/VDD_IN': 3.1, 'power/VDD_GPU': 0.2,
        'temperature/soc': 50.0, 'temperature/gpu': 60.0}
    assert readings(MachineState(gpus=(CARD, CARD)))['gpu1/memory_used'] == 4096.0
    assert readings(MachineState()) == {}


def test_nothing_is_known():
    assert average_load(MachineState()) is None
    assert [(s.name, s.level) for s in statuses('robot', MachineState(), Limits())] == [
        ('robot: ' + name, OK) for name in ('CPU', 'Memory', 'GPU', 'Power', 'Temperature')]
