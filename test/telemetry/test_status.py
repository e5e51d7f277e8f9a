"""Measured states to levels and sentences."""
import pytest

from espnet_ros.telemetry.latency import Percentiles
from espnet_ros.telemetry.status import (
    ERROR,
    OK,
    WARN,
    EngineState,
    InputState,
    OutputState,
    engine_status,
    input_status,
    latency_status,
    output_status,
)

INPUT = InputState(active=True, topic='/image', publishers=1, rate=12.34, received=100, lost=3, dropped=20, refused=2,
                   silence=0.1)
OUTPUT = OutputState(active=True, enabled=True, subscribers=2, rate=9.96, published=70, rested=5, failed=0)


def test_input_values_are_the_counters():
    status = input_status('espnet: Input', INPUT)
    assert (status.name, status.level, status.message) == ('espnet: Input', OK, '12.3 Hz')
    values = dict(status.values)
    assert values['received'] == '100' and values['lost in transport'] == '3' and values['refused'] == '2'
    assert values['dropped for a newer image'] == '20' and values['rate (Hz)'] == '12.34'
    assert dict(input_status('', INPUT._replace(lost=None)).values)['lost in transport'] == 'unknown'


@pytest.mark.parametrize('change, level, text', [
    ({'silence': 5.1}, ERROR, 'no image on /image for 5 s: its publisher is silent'),
    ({'silence': 9.0, 'publishers': 0}, ERROR, 'nothing publishes it; start the camera'),
    ({'silence': 9.0, 'qos_problem': 'wrong quality'}, ERROR, 'wrong quality'),
    ({'silence': 5.0}, OK, 'Hz'),
    ({'qos_problem': 'wrong quality'}, WARN, 'wrong quality'),
    ({'refusal': 'no pixels'}, WARN, 'the last image was refused: no pixels'),
    ({'clock_problem': 'stamps are zero'}, WARN, 'stamps are zero'),
    ({'active': False, 'silence': 100.0}, OK, 'not active'),
    ({'silence': 8.0, 'clock_problem': 'stamps are zero'}, ERROR, 'stamps are zero'),
])
def test_input_problems(change, level, text):
    status = input_status('x', INPUT._replace(**change))
    assert status.level == level and text in status.message


@pytest.mark.parametrize('limit, level', [(0.0, OK), (12.0, OK), (12.5, WARN)])
def test_input_rate_limit(limit, level):
    assert input_status('x', INPUT, limit).level == level


@pytest.mark.parametrize('limit, level', [(0.0, OK), (0.25, OK), (0.15, WARN)])
def test_latency_limit(limit, level):
    status = latency_status(
        'x', {'inference': Percentiles(0.1, 0.15), 'stamp to output': Percentiles(0.12, 0.2)}, limit)
    assert status.level == level
    assert dict(status.values)['inference p95 (ms)'] == '150.0'
    assert ('p50 120 ms, p95 200 ms' in status.message) == (level == OK)


def test_latency_before_the_first_image():
    assert latency_status('x', {}, 0.1)[1:] == (OK, 'nothing measured yet', ())


@pytest.mark.parametrize('state, level, message', [
    (EngineState('unconfigured'), OK, 'not configured'),
    (EngineState('unconfigured', problem='no model'), ERROR, 'not configured: no model'),
    (EngineState('building', 41.6), OK, 'building engine, 42 s'),
    (EngineState('ready'), OK, 'ready'),
    (EngineState('ready', problem='no TensorRT'), WARN, 'ready: no TensorRT'),
    (EngineState('failed', problem='out of memory'), ERROR, 'no engine: out of memory'),
])
def test_engine(state, level, message):
    assert engine_status('x', state)[1:3] == (level, message)


@pytest.mark.parametrize('change, level, message', [
    ({}, OK, '10.0 Hz'), ({'subscribers': 0}, OK, 'resting: nobody subscribes'),
    ({'enabled': False}, OK, 'disabled by ~/enable'), ({'active': False, 'failure': 'boom'}, OK, 'not active'),
    ({'failure': 'boom'}, ERROR, 'the last image failed: boom')])
def test_output(change, level, message):
    assert output_status('x', OUTPUT._replace(**change))[1:3] == (level, message)
