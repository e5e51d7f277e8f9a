"""A profile as one picture."""
import numpy as np

from espnet_ros.performance.profile import report
from espnet_ros.performance.profile.layers import merge_parts
from espnet_ros.performance.timeline import POWER

BLUE, ORANGE, GREEN, GRAY = '#2f6db5', '#d9762b', '#3a9a5f', '#8a8f98'
TOP = 10


def draw(profile, path):
    """Draw utilization over time (the paper's Figs. 12 to 14), top layers and kernels (Fig. 11), and the roofline.

    path: of a PNG file. Raises ImportError without matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(13, 8.2), dpi=100)
    FigureCanvasAgg(figure)
    curves = _curves(profile)
    grid = figure.add_gridspec(2, 2, left=0.195, right=0.975, top=0.885, bottom=0.07, hspace=0.3, wspace=0.5)
    _bars(figure.add_subplot(grid[0, 0]), 'Layers, ' + profile.about.get('layers', 'not measured'),
          sorted(((row[0], row[2], row[3]) for row in report.layer_rows(profile)), key=lambda row: -row[1]), BLUE)
    engine = (list(profile.kernels) or [''])[-1]
    _bars(figure.add_subplot(grid[1, 0]), 'Kernels' + (' of ' + engine if engine else ', not measured'),
          [(report.short(row[0]).replace('aten::', ''), row[2], row[3])
           for row in (report.kernel_rows(profile, engine) if engine else [])], ORANGE)
    over_time = grid[0, 1].subgridspec(len(curves), 1, hspace=0.22)
    for index, (label, top, lines) in enumerate(curves):
        axes = figure.add_subplot(over_time[index])
        _over_time(axes, profile.timeline, label, top, lines)
        axes.tick_params(labelbottom=index == len(curves) - 1)
        if index == 0:
            axes.set_title('Utilization over time; at work in the shaded part', fontsize=11, loc='left')
    axes.set_xlabel('seconds')
    _roofline(figure.add_subplot(grid[1, 1]), profile)
    about = profile.about
    figure.suptitle('{} at {}x{} with {} {} on {}: {:.1f} ms a frame'.format(
        about['model'], about['width'], about['height'], about['engine']['backend'], about['engine']['precision'],
        about['engine']['device'], 1e3 * profile.frame_seconds), fontsize=14, x=0.02, ha='left')
    figure.savefig(str(path))


def _curves(profile):
    """Return (label, top of the axis or None, [(name in the legend, times, values, color, width)]) by panel."""
    samples = profile.timeline.samples

    def line(name, legend, color, width=1.8, factor=1.0):
        points = [(sample.at, factor * sample.readings[name]) for sample in samples if name in sample.readings]
        return (legend,) + tuple(zip(*points)) + (color, width) if points else None

    def panel(label, top, *lines):
        return label.replace(' ', '\n'), top, [found for found in lines if found]
    cores = sorted({name for sample in samples for name in sample.readings
                    if name.startswith('cpu/core') and name.endswith('/load')})
    panels = [panel('CPU (%)', 105, *[line(name, '', '#bcd0ea', 0.8) for name in cores] + [
        line('cpu/load', '', BLUE)]), panel('GPU (%)', 105, line('gpu/load', '', GREEN)),
        panel('memory (GiB)', None, line('memory/used', 'machine', ORANGE, factor=1 / 1024),
              line('gpu/memory_used', 'GPU', GREEN, factor=1 / 1024)),
        panel('power (W)', None, line(POWER, '', GRAY))]
    return [found for found in panels if found[2]] or [('', 1, [])]


def _over_time(axes, timeline, label, top, lines):
    axes.axvspan(timeline.began, timeline.ended, color='#f0f2f5', zorder=0)
    for legend, times, values, color, width in lines:
        axes.plot(times, values, color=color, linewidth=width, label=legend or None)
    axes.set_ylim(0, top or 1.15 * max([max(values) for _, _, values, _, _ in lines] or [1]))
    axes.set_xlim(0, timeline.samples[-1].at if timeline.samples else 1)
    axes.set_ylabel(label, fontsize=8)
    _quiet(axes)
    if sum(bool(legend) for legend, _, _, _, _ in lines) > 1:
        axes.legend(fontsize=8, frameon=False, ncol=2)


def _bars(axes, title, rows, color):
    """rows: of (name, milliseconds, percent), the longest first."""
    rows = rows[:TOP]
    places = np.arange(len(rows))
    axes.barh(places, [row[1] for row in rows], color=color, height=0.7)
    for place, (_, milliseconds, percent) in zip(places, rows):
        axes.text(milliseconds, place, ' {:.1f}%'.format(percent), va='center', fontsize=8, color='#404040')
    axes.set_yticks(places)
    axes.set_yticklabels([_shortened(row[0]) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max([row[1] for row in rows] or [1]))
    axes.set_xlabel('ms a frame')
    axes.set_title('{}: the top {}'.format(title, len(rows)), fontsize=11, loc='left')
    _quiet(axes)


def _roofline(axes, profile):
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
    roof = profile.roofline
    layers = [layer for layer in merge_parts(profile.parts) if layer.flop]
    intensities = np.array([layer.flop / layer.bytes for layer in layers])
    speeds = np.array([layer.flop / layer.seconds for layer in layers]) / 1e9
    whole = list(profile.positions.items())
    ridge = roof.flops / roof.bandwidth
    low = min([*intensities, ridge, *(p.intensity for _, p in whole)]) / 2
    high = max([*intensities, ridge, *(p.intensity for _, p in whole)]) * 3
    x = np.geomspace(low, high, 200)
    axes.loglog(x, np.minimum(roof.flops, x * roof.bandwidth) / 1e9, color='#404040', linewidth=1.8)
    sizes = 12 + 400 * np.array([layer.seconds for layer in layers]) / sum(part.seconds for part in profile.parts)
    axes.scatter(intensities, speeds, s=sizes, color=BLUE, alpha=0.5, linewidth=0)
    axes.scatter([], [], s=40, color=BLUE, alpha=0.5, linewidth=0, label='layers; their size is their time')
    for (name, p), marker in zip(whole, '*D'):
        axes.plot(p.intensity, p.flops / 1e9, marker=marker, markersize=15 if marker == '*' else 9, linestyle='',
                  color=ORANGE, markeredgecolor='white', label='network, {} ({:.0f}%)'.format(name, 100 * p.share))
    axes.annotate('{:.0f} GFLOP/s'.format(roof.flops / 1e9), (high, roof.flops / 1e9), (-4, 4), fontsize=8, ha='right',
                  textcoords='offset points')
    axes.annotate('{:.0f} GB/s'.format(roof.bandwidth / 1e9), (1.3 * low, 1.3 * low * roof.bandwidth / 1e9), (8, -8),
                  fontsize=8, ha='left', textcoords='offset points')
    axes.set(xlabel='FLOP per byte', ylabel='GFLOP/s', xlim=(low, high))
    axes.set_ylim(top=roof.flops / 1e9 * 2.5)
    axes.set_title('Roofline, measured in {}'.format(roof.precision), fontsize=11, loc='left')
    axes.legend(fontsize=8, frameon=False, loc='upper left')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axis.set_minor_formatter(NullFormatter())
    _quiet(axes)


def _quiet(axes):
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(True, color='#e4e6ea', linewidth=0.6)
    axes.set_axisbelow(True)


def _shortened(name, length=34):
    return name if len(name) <= length else name[:length // 2 - 1] + '...' + name[-(length // 2 - 2):]
