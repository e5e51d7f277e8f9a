"""Rolling percentiles and rates."""
import numpy as np
import pytest

from espnet_ros.diagnostics.latency import RateMeter, Rhythm, StageTimes


def test_percentiles_are_those_of_the_last_values_in_the_order_of_first_use():
    times = StageTimes(kept=100)
    values = np.random.default_rng(0).random(300)
    for value in values:
        times.add(late=value, early=2 * value)
    found = times.percentiles()
    assert list(found) == ['late', 'early']
    assert found['late'] == pytest.approx(np.percentile(values[-100:], (50, 95, 99)))
    assert found['early'].p95 == pytest.approx(2 * found['late'].p95)
    assert found['late'].p50 < found['late'].p95 < found['late'].p99


def test_a_steady_rate_is_exact():
    meter = RateMeter(window=5.0)
    for i in range(200):
        meter.add(100.0 + 0.1 * i)
    assert meter.rate(119.9) == pytest.approx(10.0)
    assert meter.last == pytest.approx(119.9)


def test_the_rate_sinks_when_events_stop():
    meter = RateMeter(window=5.0)
    for i in range(50):
        meter.add(0.1 * i)
    rates = [meter.rate(4.9 + wait) for wait in (0.1, 1.0, 3.0, 6.0)]
    assert rates[0] == pytest.approx(10.0) and rates == sorted(rates, reverse=True) and rates[-1] == 0.0


def test_nothing_and_a_single_event_have_no_rate():
    meter = RateMeter()
    assert meter.last is None and meter.rate(1.0) == 0.0
    meter.add(1.0)
    assert meter.rate(1.0) == 0.0


def test_a_clock_that_jumps_back_starts_afresh():
    meter = RateMeter()
    for now in (10.0, 10.1, 10.2, 3.0, 3.5):
        meter.add(now)
    assert meter.rate(3.5) == pytest.approx(2.0)


def test_a_clock_that_stands_still_neither_grows_nor_divides_by_zero():
    meter = RateMeter()
    for _ in range(5000):
        meter.add(0.0)
    assert meter.rate(0.0) == 0.0 and len(meter._times) <= 1024


def test_the_rhythm_of_steady_and_of_unsteady_events():
    steady, unsteady = RateMeter(), RateMeter()
    assert steady.rhythm() == Rhythm(None, None)
    steady.add(1.0)
    assert steady.rhythm() == Rhythm(None, None)
    steady.add(1.1)
    assert steady.rhythm() == (pytest.approx(0.1), None)
    for i in range(2, 30):
        steady.add(1.0 + 0.1 * i)
    assert steady.rhythm() == (pytest.approx(0.1), pytest.approx(0.0, abs=1e-9))
    for i in range(40):
        unsteady.add(0.1 * i + 0.02 * (i % 2))  # intervals of 0.12 and 0.08
    interval, jitter = unsteady.rhythm()
    assert interval in (pytest.approx(0.12), pytest.approx(0.08)) and jitter == pytest.approx(0.04)


@pytest.mark.parametrize('speed', [0.1, 1.0, 10.0])
def test_rate_and_rhythm_are_those_of_the_clock_that_is_read(speed):
    meter = RateMeter()
    for event in range(40):
        meter.add(1000.0 + 0.1 * speed * event)
    assert meter.rate(1000.0 + 0.1 * speed * 39) == pytest.approx(10.0 / speed)
    assert meter.rhythm().interval == pytest.approx(0.1 * speed)


def test_a_slow_rhythm_is_told_between_events():
    meter = RateMeter(window=5.0)
    meter.add(100.0)
    assert meter.rhythm() == Rhythm()
    meter.add(110.0)
    assert meter.rhythm().interval == 10.0
