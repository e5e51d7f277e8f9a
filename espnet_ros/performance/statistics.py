"""Statistics of repeated measurements: medians, percentiles, undisturbed runs, the ratio of paired turns."""
import typing

import numpy as np

CONFIDENCE = 0.95
"""Least probability that an interval of `ratio_of_turns` holds the true median, if there are at least 6 turns."""


class Summary(typing.NamedTuple):
    """Median and 95th percentile, in seconds."""

    median: float
    p95: float


class Ratio(typing.NamedTuple):
    """Ratio of two pipelines' times over paired turns.

    median: of the turns' ratios. low, high: confidence interval of the median; confidence: its probability, 0..1.
    turns: the ratio of each turn, in order.
    """

    median: float
    low: float
    high: float
    confidence: float
    turns: typing.Tuple[float, ...]

    @property
    def spread(self):
        """Width of the interval as a share of the median."""
        return (self.high - self.low) / self.median


def summarize(seconds):
    """Return the Summary of a sequence of durations."""
    return Summary(*np.percentile(seconds, (50, 95)).tolist())


def faster_half(runs, duration):
    """Return the half of the runs (at least one) that took least, by duration(run): other programs disturb it less."""
    return sorted(runs, key=duration)[:max(1, len(runs) // 2)]


def ratio_of_turns(numerators, denominators):
    """Return the Ratio of two sequences of durations, whose items were measured next to each other.

    The interval lies between order statistics of the turns' ratios, so that no distribution is assumed. With fewer than
    6 turns it is the whole range, whose confidence is lower.
    """
    ratios = [a / b for a, b in zip(numerators, denominators)]
    ordered, count = sorted(ratios), len(ratios)
    # Binomial probability that at most k of the turns lie below the true median.
    tail, term, skipped = 0.0, 0.5 ** count, 0
    outside = 2 * term
    while 2 * (tail + term) <= 1 - CONFIDENCE:
        tail += term
        outside = 2 * tail
        skipped += 1
        term *= (count - skipped + 1) / skipped
    skipped = max(skipped, 1)
    return Ratio(float(np.median(ratios)), ordered[skipped - 1], ordered[-skipped], max(0.0, 1 - outside),
                 tuple(ratios))
