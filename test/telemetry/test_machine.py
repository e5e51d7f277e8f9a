"""The machine's load as diagnostics."""
import pytest

from espnet_ros.telemetry.machine import Limits, Sample, read, statuses
from espnet_ros.telemetry.status import ERROR, OK, WARN

GIB = 2 ** 30


def levels(**change):
    sample = Sample((10.0, 30.0), 2 * GIB, 8 * GIB, {'soc 0': 50.0, 'gpu 0': 60.0})._replace(**change)
    return {s.name: (s.level, s.message) for s in statuses('robot', sample, Limits())}


def test_a_calm_machine():
    assert levels() == {'robot: CPU': (OK, '20%'), 'robot: Memory': (OK, '25% of 8.0 GiB'),
                        'robot: Temperature': (OK, '60 C at gpu 0')}


@pytest.mark.parametrize('change, name, level', [
    ({'cpu': (95.0, 95.0)}, 'CPU', WARN), ({'cpu': (100.0, 89.0)}, 'CPU', OK),
    ({'memory_used': int(6.9 * GIB)}, 'Memory', WARN), ({'memory_used': int(7.7 * GIB)}, 'Memory', ERROR),
    ({'temperatures': {'a': 80.0}}, 'Temperature', WARN), ({'temperatures': {'a': 95.0}}, 'Temperature', ERROR)])
def test_limits(change, name, level):
    assert levels(**change)['robot: ' + name][0] == level


def test_without_sensors_there_is_no_temperature():
    assert 'robot: Temperature' not in levels(temperatures={})


def test_reading_this_machine():
    read()
    sample = read()
    assert sample.cpu and all(0 <= load <= 100 for load in sample.cpu)
    assert 0 < sample.memory_used < sample.memory_total
