"""Medians, intervals of ratios, undisturbed runs."""
import itertools
import random

import pytest

from espnet_ros.performance.statistics import faster_half, ratio_of_turns, summarize


def test_a_summary_is_median_and_95th_percentile():
    assert summarize(range(101)) == (50.0, 95.0)


def test_the_faster_half():
    assert faster_half([3, 1, 2, 9, 5], lambda run: run) == [1, 2] and faster_half([4], lambda run: run) == [4]


@pytest.mark.parametrize('count, low, high, confidence', [
    (1, 1, 1, 0.0), (2, 1, 2, 0.5), (5, 1, 5, 0.9375), (6, 1, 6, 0.96875), (10, 2, 9, 0.978515625),
    (20, 6, 15, 0.9586105346679688)])
def test_the_interval_of_a_median_is_that_of_order_statistics(count, low, high, confidence):
    found = ratio_of_turns([float(i) for i in range(count, 0, -1)], [1.0] * count)
    assert (found.low, found.high) == (low, high) and found.confidence == pytest.approx(confidence)
    assert found.median == (count + 1) / 2 and found.turns == tuple(map(float, range(count, 0, -1)))


def test_turns_are_paired():
    found = ratio_of_turns([10.0, 100.0, 20.0], [1.0, 10.0, 2.0])
    assert found[:3] == (10.0, 10.0, 10.0) and found.spread == 0


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    rng = random.Random(1)
    intervals = [ratio_of_turns([rng.lognormvariate(1, 0.5) for _ in range(10)], [1.0] * 10) for _ in range(2000)]
    share = sum(i.low <= 2.718281828 <= i.high for i in intervals) / 2000
    assert share == pytest.approx(intervals[0].confidence, abs=0.012)
    assert len(set(itertools.chain.from_iterable(i.turns for i in intervals))) == 20000
