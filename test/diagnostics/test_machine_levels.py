"""Levels of a machine's parts: limits and hysteresis."""
import pytest

from espnet_ros.diagnostics.machine import Limits, check_limits, statuses
from espnet_ros.diagnostics.status import ERROR, OK, WARN
from espnet_ros.errors import ParameterError
from espnet_ros.telemetry.machine import MachineState


def levels(name, states, limits):
    """Levels of one part for one state after another."""
    found, before = [], ()
    for state in states:
        before = statuses('robot', state, limits, before)
        found.append(next(status.level for status in before if status.name == 'robot: ' + name))
    return found


def test_a_load_about_its_limit_does_not_flap():
    states = [MachineState(cpu=(load,)) for load in (94.0, 96.0, 94.0, 96.0, 91.0, 90.0, 94.0)]
    assert levels('CPU', states, Limits(cpu_warn=95.0)) == [OK, WARN, WARN, WARN, WARN, OK, OK]


def test_an_error_becomes_a_warning_and_then_ok():
    states = [MachineState(memory_used=used, memory_total=100) for used in (96, 92, 90, 86, 82, 80)]
    limits = Limits(memory_warn=85.0, memory_error=95.0)
    assert levels('Memory', states, limits) == [ERROR, ERROR, WARN, WARN, WARN, OK]


def test_a_limit_of_0_stays_off():
    states = [MachineState(rails=(('VDD_IN', watts),)) for watts in (11.0, 9.8, 9.0)]
    assert levels('Power', states, Limits(power_warn=10.0)) == [WARN, WARN, OK]


@pytest.mark.parametrize('name', ['memory', 'power', 'temperature'])
def test_an_error_limit_below_its_warning_is_refused(name):
    limits = Limits(**{name + '_warn': 50.0, name + '_error': 49.0})
    with pytest.raises(ParameterError, match='{0}_error is 49, below {0}_warn, 50; raise it'.format(name)):
        check_limits(limits)
    check_limits(limits._replace(**{name + '_error': 50.0}))
    check_limits(Limits(power_warn=10.0))
