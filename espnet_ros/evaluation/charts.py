"""Numbers to the shapes of small charts, in the coordinates of an SVG drawing."""
import math
import typing

import numpy as np

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 36, 44
"""Size of a chart, and the margins around its plot."""
BINS = 40
COLUMNS = 360
"""A longer series is drawn as the range and the median of this many parts."""


class Tick(typing.NamedTuple):
    """A labeled place on an axis."""

    at: float
    label: str


class Bar(typing.NamedTuple):
    """A rectangle and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str


class Chart(typing.NamedTuple):
    """Axes with bars, or with a line (points of a polyline) on its range (points of a polygon)."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    bars: tuple[Bar, ...] = ()
    line: str = ''
    range: str = ''
    note: str = ''


def histogram(values, x_title, y_title):
    """Return the Chart of how often values (1D, not negative) occur; the last bar takes those beyond twice the 95th
    percentile."""
    values = np.asarray(values, np.float64)
    end = min(values.max(), 2 * np.percentile(values, 95)) or 1.0
    counts, edges = np.histogram(np.minimum(values, end), BINS, (0, end))
    x, y = _scale(0, end, LEFT, WIDTH - RIGHT), _scale(0, counts.max(), HEIGHT - BOTTOM, TOP)
    bars = tuple(Bar(x(a) + 0.5, y(n), x(b) - x(a) - 1, y(0) - y(n), '{:.4g} to {:.4g}: {}'.format(a, b, n))
                 for n, a, b in zip(counts, edges, edges[1:]) if n)
    beyond = int((values > end).sum())
    note = 'The last bar holds {} beyond {:.4g}, up to {:.4g}.'.format(beyond, end, values.max())
    return Chart(_ticks(0, end, x), _ticks(0, counts.max(), y, whole=True), x_title, y_title, bars,
                 note=note if beyond else '')


def timeline(values, x_title, y_title, top=None):
    """Return the Chart of a series, NaN where there is no value; None without any. top: end of the axis, or None."""
    values = np.asarray(values, np.float64)
    places = np.flatnonzero(~np.isnan(values))
    if not places.size:
        return None
    parts = np.array_split(places, min(COLUMNS, places.size))
    end = values[places].max() if top is None else top
    x, y = _scale(1, max(2, values.size), LEFT, WIDTH - RIGHT), _scale(0, end or 1.0, HEIGHT - BOTTOM, TOP)
    middle, low, high = [], [], []
    for part in parts:
        at = x(1 + part.mean())
        for points, value in zip((middle, low, high), np.percentile(values[part], (50, 0, 100))):
            points.append('{:.1f},{:.1f}'.format(at, y(value)))
    return Chart(_ticks(1, values.size, x, whole=True), _ticks(0, end or 1.0, y), x_title, y_title,
                 line=' '.join(middle), range=' '.join(low + high[::-1]) if places.size > COLUMNS else '')


def _scale(low, high, start, stop):
    factor = (stop - start) / ((high - low) or 1)
    return lambda value: round(float(start + (value - low) * factor), 2)


def _ticks(low, high, scale, whole=False):
    """About five round numbers from low to high."""
    step = 10 ** math.floor(math.log10(max(high - low, 1e-9) / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if step * factor * 5 >= high - low)
    if whole:
        step = max(1, round(step))
    first = math.ceil(low / step)
    numbers = [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
    return tuple(Tick(scale(value), '{:.6g}'.format(value)) for value in numbers)
