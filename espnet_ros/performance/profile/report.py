"""A profile as data, tables and text."""
import numpy as np

from espnet_ros.performance.profile import timeline
from espnet_ros.performance.profile.frequencies import sensitivity
from espnet_ros.performance.profile.layers import whole_layers

LAYER_COLUMNS = ('layer', 'kind', 'ms', 'share (%)', 'MFLOP', 'MB', 'GFLOP/s')
PART_COLUMNS = ('layer', 'part') + LAYER_COLUMNS[1:]
KERNEL_COLUMNS = ('kernel', 'calls', 'ms', 'share (%)')
_READINGS = (
    ('cpu/load', 'CPU load (%)'), ('gpu/load', 'GPU load (%)'), ('gpu/clock', 'GPU clock (MHz)'),
    ('memory/used', 'memory in use (MiB)'), ('gpu/memory_used', 'GPU memory in use (MiB)'),
    (timeline.POWER, 'power (W)'), ('gpu/temperature', 'GPU temperature (C)'))


def layer_rows(profile):
    """Return rows of LAYER_COLUMNS, in the order in which layers run."""
    return [row[:1] + row[2:] for row in _rows(whole_layers(profile.parts))]


def part_rows(profile):
    """Return rows of PART_COLUMNS, in the order in which the modules of the network run."""
    return _rows(profile.parts)


def _rows(layers):
    total = sum(layer.seconds for layer in layers)
    return [(_place(layer.layer), layer.name, layer.kind, 1e3 * layer.seconds, 100 * layer.seconds / total,
             layer.flop / 1e6, layer.bytes / 1e6, layer.flop / layer.seconds / 1e9) for layer in layers]


def kernel_rows(profile, engine):
    """Return rows of KERNEL_COLUMNS, the longest first; engine: of those in profile.kernels."""
    kernels = profile.kernels[engine]
    total = sum(kernel.seconds for kernel in kernels)
    return [(kernel.name, kernel.calls, 1e3 * kernel.seconds, 100 * kernel.seconds / total) for kernel in kernels]


def timeline_rows(profile):
    """Return (columns, rows) of the samples; '' where a reading is missing."""
    samples = profile.timeline.samples
    names = list(dict.fromkeys(name for sample in samples for name in sample.readings))
    return ['seconds', 'frames'] + names, [
        [round(sample.at, 3), sample.frames] + [sample.readings.get(name, '') for name in names] for sample in samples]


def as_data(profile):
    """Return a profile as plain data for JSON: seconds, FLOP, bytes, MiB, watts, joules, percent."""
    per_frame, above_rest = timeline.energy(profile.timeline)
    times = profile.timeline.frame_seconds
    points = profile.frequencies
    return {
        'about': profile.about,
        'frame': {'seconds_median': profile.frame_seconds, 'seconds_p95': float(np.percentile(times, 95)),
                  'frames': len(times), 'flop': sum(part.flop for part in profile.parts),
                  'bytes': sum(part.bytes for part in profile.parts), 'joules': per_frame,
                  'joules_above_rest': above_rest},
        'work': {'began': profile.timeline.began, 'ended': profile.timeline.ended},
        'memory_mib': {'process': profile.memory, 'gpu': profile.gpu_memory},
        'readings': {name: _plain(value) for name, value in timeline.averages(profile.timeline).items()},
        'layers': [_plain(part) for part in profile.parts],
        'kernels': {engine: [_plain(kernel) for kernel in kernels] for engine, kernels in profile.kernels.items()},
        'roofline': dict(_plain(profile.roofline), positions={
            name: _plain(value) for name, value in profile.positions.items()}),
        'counters': {'per_frame': profile.counters.per_frame, 'ratios': profile.counters.ratios},
        'efficiency': profile.efficiency and {
            'program': profile.efficiency.program, 'percents': profile.efficiency.percents,
            'kernels': [_plain(kernel) for kernel in profile.efficiency.kernels]},
        'frequencies': {'points': [_plain(point) for point in points],
                        'sensitivity': sensitivity(points[0], points[-1]) if len(points) > 1 else None},
        'missing': list(profile.missing)}


def _plain(value):
    return dict(value._asdict())


def summary(profile, top=10):
    """Return what people want to know first, as text; top: how many layers and kernels."""
    return '\n\n'.join(filter(None, (part(profile, top) for part in (
        _head, _layers, _kernels, _machine, _roofline, _counters, _efficiency, _frequencies, _missing))))


def _head(profile, _):
    about, engine = profile.about, profile.about['engine']
    times = profile.timeline.frame_seconds
    return '\n'.join((
        '{} at {}x{}, {:,} parameters ({:.2f} MB in fp32), {} weights'.format(
            about['model'], about['width'], about['height'], about['parameters'], 4e-6 * about['parameters'],
            about['weights']),
        '{} {} on {}: {:.1f} ms a frame (95% within {:.1f} ms), {:.1f} frames/s'.format(
            engine['backend'], engine['precision'], engine['device'], 1e3 * profile.frame_seconds,
            1e3 * np.percentile(times, 95), len(times) / (profile.timeline.ended - profile.timeline.began)),
        '{:.2f} GFLOP a frame; {:.0f} MiB held by the process{}'.format(
            sum(part.flop for part in profile.parts) / 1e9, profile.memory,
            '' if profile.gpu_memory is None else ', {:.0f} MiB on the GPU'.format(profile.gpu_memory))))


def _layers(profile, top):
    rows = layer_rows(profile)
    return 'Layers of the network in PyTorch {}: {:.1f} ms in {}\n{}'.format(
        profile.about['torch_precision'], sum(row[2] for row in rows), len(rows),
        _table(LAYER_COLUMNS, sorted(rows, key=lambda row: -row[2])[:top], 2))


def _kernels(profile, top):
    tables = []
    for engine in profile.kernels:
        rows = [(short(row[0]),) + row[1:] for row in kernel_rows(profile, engine)]
        tables.append('Kernels of {}: {:.1f} ms as its profiler sees them\n{}'.format(
            engine, sum(row[2] for row in rows), _table(KERNEL_COLUMNS, rows[:top], 1)))
    return '\n\n'.join(tables)


def _machine(profile, _):
    averages = timeline.averages(profile.timeline)
    rows = [(text, '-' if averages[name].rest is None else averages[name].rest, averages[name].work,
             averages[name].highest) for name, text in _READINGS if name in averages]
    per_frame, above_rest = timeline.energy(profile.timeline)
    words = [] if per_frame is None else ['energy: {:.3f} J a frame'.format(per_frame) + (
        '' if above_rest is None else ', {:.3f} J of it above rest'.format(above_rest))]
    return '\n'.join([_table(('machine', 'at rest', 'at work', 'highest'), rows, 1)] + words) if rows else ''


def _roofline(profile, _):
    roof = profile.roofline
    return '\n'.join([
        'Roofline: at most {:.1f} GFLOP/s in {} and {:.1f} GB/s here (bytes are what PyTorch moves, without caches)'
        .format(roof.flops / 1e9, roof.precision, roof.bandwidth / 1e9)] + [
            '  {}: {:.1f} GFLOP/s at {:.1f} FLOP/byte, {:.0f}% of what {} allows there'.format(
                name, p.flops / 1e9, p.intensity, 100 * p.share, p.bound) for name, p in profile.positions.items()])


def _counters(profile, _):
    if not profile.counters.per_frame:
        return ''
    return '\n'.join(['CPU counters'] + ['  {}: {:.2f}'.format(*item) for item in profile.counters.ratios.items()] + [
        '  {}: {:,.0f} a frame'.format(*item) for item in profile.counters.per_frame.items()])


def _efficiency(profile, top):
    if profile.efficiency is None:
        return ''
    names = list(profile.efficiency.percents)
    rows = [('all kernels', '') + tuple(profile.efficiency.percents[name] for name in names)] + [
        (short(kernel.name), kernel.launches) + tuple(kernel.percents.get(name, '-') for name in names)
        for kernel in profile.efficiency.kernels[:top]]
    return 'Efficiency in percent, by {}\n{}'.format(profile.efficiency.program, _table(
        ['kernel', 'launches'] + [name.replace(' efficiency', '') for name in names], rows, 1))


def _frequencies(profile, _):
    points = profile.frequencies
    if not points:
        return ''
    lines = [_table(('GPU (MHz)', 'ms a frame', 'W', 'J a frame'), [
        (point.frequency, 1e3 * point.seconds, '-' if point.power is None else point.power,
         '-' if point.energy is None else point.energy) for point in points], 0)]
    if len(points) > 1:
        lines.append('sensitivity to GPU frequency: {:.2f} (a time that goes with the clock alone has {:.2f})'.format(
            sensitivity(points[0], points[-1]), points[0].frequency / points[-1].frequency))
    return '\n'.join(lines)


def _missing(profile, _):
    return '\n'.join(['Not measured'] + ['  ' + text for text in profile.missing]) if profile.missing else ''


def _table(columns, rows, left):
    """Return rows in aligned columns, the first `left` of them to the left; numbers with some digits."""
    lines = [list(columns)] + [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join('  ' + '  '.join(
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def _cell(value):
    if isinstance(value, float):
        return '{:.0f}'.format(value) if abs(value) >= 1000 else '{:.2f}'.format(value)
    return str(value)


def _place(name):
    """Return where a layer is, as people call it."""
    return name[len('network.'):] if name.startswith('network.') else name or 'normalization and labels'


def short(name, length=60):
    """Return the name of a kernel without the types in it, which fill lines."""
    name = name.split('(')[0] if not name.startswith('(') else name
    return name if len(name) <= length else name[:length - 3] + '...'
