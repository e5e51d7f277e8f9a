"""Measured states to levels and sentences."""
import pytest

from espnet_ros.diagnostics.latency import Percentiles, Rhythm
from espnet_ros.diagnostics.status import (
    ERROR,
    OK,
    WARN,
    EngineState,
    InputState,
    LevelLog,
    OutputState,
    Problem,
    Status,
    compose,
    engine_status,
    input_status,
    latency_status,
    output_status,
)

INPUT = InputState(active=True, topic='/image', publishers=1, rate=12.34, received=100, lost=3, dropped=20, refused=2,
                   silence=0.1)
OUTPUT = OutputState(active=True, enabled=True, subscribers=2, rate=9.96, published=70, skipped=5, failed=0)


def test_input_values_are_the_counters():
    status = input_status('espnet: Input', INPUT)
    assert (status.name, status.level, status.message) == ('espnet: Input', OK, '12.3 Hz')
    values = dict(status.values)
    assert values['received'] == '100' and values['lost'] == '3' and values['refused'] == '2'
    assert values['dropped'] == '20' and values['rate (Hz)'] == '12.34'
    assert dict(input_status('', INPUT._replace(lost=None)).values)['lost'] == 'unknown'


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
    ({'silence': 1.0, 'rhythm': Rhythm(0.1, 0.01)}, WARN, 'no image on /image for 1 s: its publisher is silent; look'),
    ({'silence': 1.0, 'rhythm': Rhythm(0.1), 'publishers': 0}, WARN, 'nothing publishes it; start the camera'),
    ({'silence': 6.0, 'rhythm': Rhythm(0.1)}, ERROR, 'no image on /image for 6 s'),
    ({'silence': 0.8, 'rhythm': Rhythm(0.1)}, OK, '12.3 Hz'),
    ({'silence': 2.9, 'rhythm': Rhythm(1.0)}, OK, '12.3 Hz'),  # a slow camera is not late yet
    ({'silence': 3.1, 'rhythm': Rhythm(1.0)}, WARN, 'no image'),
    ({'silence': 29.0, 'rhythm': Rhythm(10.0)}, OK, '12.3 Hz'),  # one image in 10 s
    ({'silence': 31.0, 'rhythm': Rhythm(10.0)}, ERROR, 'no image'),
    ({'silence': 61.0, 'rhythm': Rhythm(3600.0)}, ERROR, 'no image'),
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
        'x', {'inference': Percentiles(0.1, 0.15, 0.3), 'stamp to output': Percentiles(0.12, 0.2, 0.25)}, limit)
    assert status.level == level
    values = dict(status.values)
    assert (values['inference p95 (ms)'], values['stamp to output p99 (ms)']) == ('150.0', '250.0')
    assert ('p50 120 ms, p95 200 ms' in status.message) == (level == OK)


def test_latency_before_the_first_image():
    assert latency_status('x', {}, 0.1)[1:] == (OK, 'nothing measured yet', (('summary', 'nothing measured yet'),), '')


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
    ({}, OK, '10.0 Hz'), ({'subscribers': 0}, OK, 'idle: nobody subscribes'),
    ({'enabled': False}, OK, 'disabled by ~/enable'), ({'active': False, 'failure': 'boom'}, OK, 'not active'),
    ({'failure': 'boom'}, ERROR, 'the last image failed: boom'),
    ({'doubt': 'confidence is 0'}, WARN, 'confidence is 0'),
    ({'delivery_problem': 'rviz loses them'}, WARN, 'rviz loses them'),
    ({'busy': 0.8, 'usual': 0.02}, OK, '10.0 Hz'), ({'busy': 4.0, 'usual': 1.0}, OK, '10.0 Hz'),
    ({'busy': 9.0}, OK, '10.0 Hz'), ({'busy': 60.0, 'active': False}, OK, 'not active')])
def test_output(change, level, message):
    assert output_status('x', OUTPUT._replace(**change))[1:3] == (level, message)


@pytest.mark.parametrize('change, level', [
    ({'busy': 1.0, 'usual': 0.02}, WARN), ({'busy': 6.0, 'usual': 1.0}, ERROR), ({'busy': 11.0}, ERROR)])
def test_a_worker_that_is_stuck(change, level):
    status = output_status('x', OUTPUT._replace(**change))
    assert status.level == level
    assert 'one image has been in work for {:.0f} s; if that lasts, '.format(change['busy']) in status.message


def test_jitter_is_told_where_it_is_known():
    rhythm = Rhythm(0.1, 0.0123)
    for status, state in ((input_status, INPUT), (output_status, OUTPUT)):
        assert dict(status('x', state).values)['jitter (ms)'] == 'unknown'
        assert dict(status('x', state._replace(rhythm=rhythm)).values)['jitter (ms)'] == '12.3'
    assert dict(input_status('x', INPUT).values)['seconds since the last'] == '0.1'


def test_several_problems_make_one_status():
    problems = [Problem(OK, 'fine'), Problem(WARN, 'slow', logged=True), Problem(ERROR, 'gone; look')]
    status = compose('x', problems, 'good', [('a', 1)])
    assert status == Status('x', ERROR, 'slow; gone; look', (('a', '1'), ('summary', 'good')), 'gone; look')
    assert compose('x', [Problem(OK, 'fine')], 'good', []) == Status('x', OK, 'good', (('summary', 'good'),))


def told(log, now, level, text='late; hurry', name='espnet: Input', unlogged=True):
    return log.update([Status(name, level, text, (), text if unlogged and level else '')], now)


def test_a_rise_is_logged_at_once_and_once():
    log = LevelLog(hold=5.0)
    assert told(log, 0.0, OK) == []
    assert told(log, 1.0, WARN) == [(WARN, 'espnet: Input: late; hurry')]
    assert [told(log, 2.0 + i, WARN) for i in range(9)] == 9 * [[]]
    assert told(log, 12.0, ERROR, 'gone; look') == [(ERROR, 'espnet: Input: gone; look')]
    assert told(log, 13.0, ERROR, 'gone; look') == []
    assert told(log, 13.5, OK, name='espnet: Output') == []  # each status for itself
    assert told(log, 14.0, ERROR, name='espnet: Output') != []


def test_a_fall_is_logged_when_it_lasts():
    log = LevelLog(hold=5.0)
    told(log, 0.0, WARN)
    assert [told(log, float(now), OK, 'good') for now in range(1, 5)] == 4 * [[]]
    assert told(log, 5.0, OK, 'good') == [(OK, 'espnet: Input: recovered: good')]
    assert told(log, 6.0, OK, 'good') == []


def test_flicker_is_logged_once():
    log = LevelLog(hold=5.0)
    news = [told(log, float(second), second % 2) for second in range(1, 60)]
    assert news[0] and not any(news[1:])


def test_what_was_logged_before_is_not_logged_again():
    log = LevelLog(hold=5.0)
    assert told(log, 0.0, WARN, unlogged=False) == []
    assert told(log, 9.0, OK, 'good') == [(OK, 'espnet: Input: recovered: good')]


def test_a_damaged_image_that_was_used_is_told():
    status = input_status('x', INPUT._replace(damage='Corrupt JPEG data: 3 extraneous bytes'))
    assert status.level == WARN
    assert 'the last image is damaged and was used all the same: Corrupt JPEG' in status.message
