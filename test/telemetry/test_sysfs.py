"""A Jetson's files in sysfs."""
import pytest

from espnet_ros.telemetry import sysfs
from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.poller import Absent
from espnet_ros.telemetry.sysfs import Sysfs, is_temperature

RAILS = 'sys/bus/i2c/drivers/ina3221x/0-0040/iio:device0/'
TX2 = {
    'sys/devices/gpu.0/load': '473\n',
    'sys/devices/gpu.0/devfreq/17000000.gp10b/cur_freq': '1134750000\n',
    'sys/devices/gpu.0/devfreq/17000000.gp10b/min_freq': '114750000\n',
    'sys/devices/gpu.0/devfreq/17000000.gp10b/max_freq': '1300500000\n',
    RAILS + 'rail_name_0': 'VDD_SYS_GPU\n', RAILS + 'in_power0_input': '153\n',
    RAILS + 'rail_name_1': 'VDD_SYS_SOC\n', RAILS + 'in_power1_input': '536\n',
    RAILS + 'rail_name_2': 'NC\n', RAILS + 'in_power2_input': '0\n',
    RAILS.replace('0-0040/iio:device0', '0-0041/iio:device1') + 'rail_name_0': 'VDD_IN\n',
    RAILS.replace('0-0040/iio:device0', '0-0041/iio:device1') + 'in_power0_input': '3140\n',
    'sys/class/thermal/thermal_zone0/type': 'BCPU-therm\n', 'sys/class/thermal/thermal_zone0/temp': '42500\n',
    'sys/class/thermal/thermal_zone1/type': 'PMIC-Die\n', 'sys/class/thermal/thermal_zone1/temp': '100000\n',
    'sys/class/thermal/thermal_zone2/type': 'CV0-therm\n', 'sys/class/thermal/thermal_zone2/temp': '-256000\n',
    'sys/class/thermal/cooling_device0/type': 'gpu-balanced\n', 'sys/class/thermal/cooling_device0/cur_state': '0\n',
    'sys/class/thermal/cooling_device1/type': 'pwm-fan\n', 'sys/class/thermal/cooling_device1/cur_state': '5\n',
}
STATE = MachineState(
    sources=('sysfs',), gpus=(GpuState('GPU', 47.3, 1134.75, 1300.5),), temperatures=(('BCPU-therm', 42.5),),
    rails=(('VDD_SYS_GPU', 0.153), ('VDD_SYS_SOC', 0.536), ('VDD_IN', 3.14)))


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def read(root, files):
    write(root, files)
    return Sysfs(str(root)).read()


def test_a_tx2(tmp_path):
    assert read(tmp_path, TX2) == STATE


def test_newer_boards_tell_voltage_and_current(tmp_path):
    folder = 'sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/'
    files = {folder + 'in1_label': 'VDD_IN\n', folder + 'in1_input': '5000\n', folder + 'curr1_input': '1200\n',
             folder + 'in7_label': 'sum of shunt voltages\n', folder + 'in7_input': '0\n',
             'sys/devices/platform/gpu.0/load': '0\n'}
    state = read(tmp_path, files)
    assert state.rails == (('VDD_IN', pytest.approx(6.0)),) and state.gpus == (GpuState('GPU', 0.0),)


@pytest.mark.parametrize('missing, change', [
    ('sys/devices/gpu.0/load', {'gpus': (GpuState('GPU', None, 1134.75, 1300.5),)}),
    ('sys/devices/gpu.0/devfreq/17000000.gp10b/max_freq', {'gpus': (GpuState('GPU', 47.3, 1134.75),)}),
    (RAILS + 'in_power0_input', {'rails': STATE.rails[1:]}),
    ('sys/class/thermal/thermal_zone0/temp', {'temperatures': ()}),
    ('sys/class/thermal/thermal_zone0/type', {'temperatures': ()})])
@pytest.mark.parametrize('damage', ['gone', 'empty', 'nonsense', 'folder'])
def test_what_cannot_be_read_is_left_out(tmp_path, missing, change, damage):
    files = dict(TX2)
    content = files.pop(missing)
    if damage == 'empty':
        files[missing] = ''
    elif damage == 'nonsense' and content.strip().isdigit():
        files[missing] = '12 apples \u00e9\n'
    elif damage == 'folder':
        (tmp_path / missing).mkdir(parents=True)
    assert read(tmp_path, files) == STATE._replace(**change)


@pytest.mark.parametrize('name, slows', [
    ('gpu-balanced', True), ('thermal-cpufreq-0', True), ('devfreq-17000000.gpu', True), ('Processor', True),
    ('cpu-throttle-alert', True), ('emergency-balanced', True), ('pwm-fan', False), ('LCD', False),
    ('TCC Offset', False)])
def test_cooling_by_slowing_down_is_throttling(tmp_path, name, slows):
    state = read(tmp_path, dict(TX2, **{'sys/class/thermal/cooling_device0/type': name,
                                        'sys/class/thermal/cooling_device0/cur_state': '2'}))
    assert state.heat_throttles == ((name + ' slows down for heat',) if slows else ())


@pytest.mark.parametrize('path, field, sentence', [
    ('sys/class/hwmon/hwmon1/oc3_event_cnt', 'power_throttles', 'the board slows down for too high a current'),
    ('sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count', 'heat_throttles',
     'cores slow down for heat'),
    ('sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count', 'heat_throttles',
     'the CPU slows down for heat')])
def test_counters_that_rise_are_throttling(tmp_path, path, field, sentence):
    write(tmp_path, {path: '7\n'})
    reader = Sysfs(str(tmp_path))
    assert getattr(reader.read(), field) == ()
    write(tmp_path, {path: '8\n'})
    assert getattr(reader.read(), field) == (sentence,)
    assert getattr(reader.read(), field) == ()
    write(tmp_path, {path: '0\n'})  # its driver was loaded again
    assert getattr(reader.read(), field) == ()


def test_other_machines(tmp_path):
    with pytest.raises(Absent):
        Sysfs(str(tmp_path))
    zones = {name: content for name, content in TX2.items() if 'thermal' in name}
    assert read(tmp_path, zones) == MachineState(sources=('sysfs',))  # psutil tells a PC's temperatures


@pytest.mark.parametrize('name, value, expected', [
    ('GPU', 41.0, True), ('GPU', -20.0, True), ('GPU', -256.0, False), ('GPU', None, False), ('PMIC', 50.0, False),
    ('pmic-die', 100.0, False), ('', 41.0, False), (None, 41.0, False)])
def test_what_is_a_temperature(name, value, expected):
    assert is_temperature(name, value) is expected


def test_power_of_a_pc_from_the_energy_counters_of_its_cpu(tmp_path, monkeypatch):
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr(sysfs.time, 'monotonic', lambda: float(next(clock)))
    folder = 'sys/class/powercap/intel-rapl:'
    write(tmp_path, {folder + '0/name': 'package-0\n', folder + '0/max_energy_range_uj': '99999999\n',
                     folder + '0/energy_uj': '1000000\n', folder + '0:0/name': 'core\n',
                     folder + '0:0/max_energy_range_uj': '99999999\n', folder + '0:0/energy_uj': '5\n'})
    source = Sysfs(str(tmp_path))
    write(tmp_path, {folder + '0/energy_uj': '61000000\n', folder + '0:0/energy_uj': '900000\n'})
    assert source.read().rails == (('package-0', 30.0),)
    write(tmp_path, {folder + '0/energy_uj': '11000000\n'})  # it began again at 0
    assert source.read().rails == (('package-0', 25.0),)
    (tmp_path / (folder + '0/energy_uj')).unlink()  # only root may read it
    assert source.read().rails == ()
