"""Charts of a report as SVG for its page, whose colors they take."""
import io
import typing

import markupsafe
import numpy as np

BINS = 40
COLUMNS = 360
"""A longer series is drawn as the median and the range of this many parts."""
_COLORS = {'#010101': 'var(--accent)', '#020202': 'var(--soft)', '#030303': 'var(--line)'}
_ACCENT, _SOFT, _LINE = _COLORS
"""Stand for colors of the page, which differ in light, dark and on paper."""


class Chart(typing.NamedTuple):
    """An <svg> element and a note to it, or ''."""

    svg: markupsafe.Markup
    note: str = ''


def histogram(values, x_title, y_title):
    """Return the Chart of a distribution; values: 1D, not negative.

    The last bar takes the values beyond twice the 95th percentile.
    """
    values = np.asarray(values, np.float64)
    end = min(values.max(), 2 * np.percentile(values, 95)) or 1.0
    beyond = int((values > end).sum())
    note = 'The last bar holds {} beyond {:.4g}, up to {:.4g}.'.format(beyond, end, values.max()) if beyond else ''
    values = np.minimum(values, end)
    return Chart(_drawn(lambda axes: axes.hist(values, BINS, range=(0, end), color=_ACCENT, rwidth=0.9),
                        x_title, y_title, whole='y'), note)


def timeline(values, x_title, y_title, top=None):
    """Return the Chart of a series, NaN where there is no value; None without any. top: end of the axis, or None."""
    values = np.asarray(values, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return None
    numbers, low, middle, high = summarized(values, known)

    def draw(axes):
        if known.size > COLUMNS:
            axes.fill_between(numbers, low, high, color=_ACCENT, alpha=0.25, linewidth=0)
        axes.plot(numbers, middle, color=_ACCENT, linewidth=1.2, marker='.' if known.size == 1 else None)
        axes.set_ylim(0, top or 1.05 * high.max() or 1.0)
    return Chart(_drawn(draw, x_title, y_title, whole='x'))


def summarized(values, known):
    """Return number (from 1), minimum, median and maximum of at most COLUMNS parts of the values at `known`."""
    parts = np.array_split(known, min(COLUMNS, known.size))
    return np.array([(1 + part.mean(), *np.percentile(values[part], (0, 50, 100))) for part in parts]).T


def _drawn(draw, x_title, y_title, whole):
    """Return axes that `draw` has filled as an <svg> element. whole: the axis that counts, 'x' or 'y'."""
    import matplotlib  # takes a second, which workers and other commands do without
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'espnet_ros', 'font.size': 9}):
        figure = Figure(figsize=(7.2, 2.4), layout='tight')
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel(x_title, color=_SOFT)
        axes.set_ylabel(y_title, color=_SOFT)
        axes.tick_params(color=_SOFT, labelcolor=_SOFT, length=3)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole == 'x'))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=whole == 'y'))
        axes.grid(axis='y', color=_LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        axes.spines[['left', 'bottom']].set_color(_SOFT)
        text = io.StringIO()
        figure.savefig(text, format='svg', transparent=True, metadata=dict.fromkeys(
            ('Date', 'Creator', 'Format', 'Type')))
    svg = text.getvalue()
    svg = svg[svg.index('<svg '):].replace('<svg ', '<svg class="chart" role="img" aria-label="{} by {}" '.format(
        markupsafe.escape(y_title), markupsafe.escape(x_title)), 1)
    for stand_in, color in _COLORS.items():
        svg = svg.replace(stand_in, color)
    return markupsafe.Markup(svg)
