"""A profile as data, tables and text."""
from rich.console import Group

from espnet_ros.performance import timeline
from espnet_ros.performance.profile.frequencies import sensitivity
from espnet_ros.performance.profile.kernels import copying
from espnet_ros.performance.profile.layers import merge_parts
from espnet_ros.performance.statistics import summarize
from espnet_ros.performance.tables import table

LAYER_COLUMNS = ('layer', 'kind', 'ms', 'share (%)', 'MFLOP', 'MB', 'GFLOP/s')
PART_COLUMNS = ('layer', 'part') + LAYER_COLUMNS[1:]
KERNEL_COLUMNS = ('kernel', 'calls', 'ms', 'share (%)')
_READINGS = (
    ('cpu/load', 'CPU load (%)'), ('gpu/load', 'GPU load (%)'), ('gpu/clock', 'GPU clock (MHz)'),
    ('memory/used', 'memory in use (MiB)'), ('gpu/memory_used', 'GPU memory in use (MiB)'),
    (timeline.POWER, 'power (W)'), ('gpu/temperature', 'GPU temperature (C)'))


def layer_rows(profile):
    """Return rows of LAYER_COLUMNS, in the order in which layers run."""
    return [row[:1] + row[2:] for row in _rows(merge_parts(profile.parts))]


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
        'frame': {'seconds_median': profile.frame_seconds, 'seconds_p95': summarize(times).p95,
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
    """Return the main results as a rich renderable; top: how many layers and kernels."""
    parts = [part for part in (show(profile, top) for show in (
        _head, _layers, _kernels, _machine, _roofline, _counters, _efficiency, _frequencies, _missing)) if part]
    return Group(*(item for part in parts for item in (*part, '')))


def _head(profile, _):
    about, engine = profile.about, profile.about['engine']
    times = summarize(profile.timeline.frame_seconds)
    rate = len(profile.timeline.frame_seconds) / (profile.timeline.ended - profile.timeline.began)
    return [
        '{} at {}x{}, {:,} parameters ({:.2f} MB in fp32), {} weights'.format(
            about['model'], about['width'], about['height'], about['parameters'], 4e-6 * about['parameters'],
            about['weights']),
        '{} {} on {}: {:.1f} ms per frame (95% within {:.1f} ms), {:.1f} frames/s'.format(
            engine['backend'], engine['precision'], engine['device'], 1e3 * times.median, 1e3 * times.p95, rate),
        '{}peak memory of the process {:.0f} MiB{}'.format(
            '{:.2f} GFLOP per frame; '.format(sum(part.flop for part in profile.parts) / 1e9) if profile.parts else '',
            profile.memory,
            '' if profile.gpu_memory is None else ', on the GPU {:.0f} MiB'.format(profile.gpu_memory))]


def _layers(profile, top):
    rows = layer_rows(profile)
    return rows and [table(LAYER_COLUMNS, sorted(rows, key=lambda row: -row[2])[:top], 2,
                  'Layers of the network in {}: {:.1f} ms in {}'.format(
                      profile.about['layers'], sum(row[2] for row in rows), len(rows)))]


def _kernels(profile, top):
    found = {engine: kernel_rows(profile, engine) for engine in profile.kernels}
    tables = [table(KERNEL_COLUMNS, rows[:top], 1, 'Kernels of {}: {:.1f} ms with profiling'.format(
        engine, sum(row[2] for row in rows))) for engine, rows in found.items()]
    if 'openvino' in found:
        tables.append('{:.0f}% of OpenVINO\'s time only moves or converts numbers'.format(
            100 * copying(profile.kernels['openvino'])))
    return tables


def _machine(profile, _):
    averages = timeline.averages(profile.timeline)
    rows = [(text, '-' if averages[name].rest is None else averages[name].rest, averages[name].work,
             averages[name].highest) for name, text in _READINGS if name in averages]
    if not rows:
        return []
    per_frame, above_idle = timeline.energy(profile.timeline)
    energy = [] if per_frame is None else ['energy: {:.3f} J per frame{}'.format(
        per_frame, '' if above_idle is None else ', of which {:.3f} J above idle'.format(above_idle))]
    return [table(('machine', 'idle', 'under load', 'peak'), rows), *energy]


def _roofline(profile, _):
    roof = profile.roofline
    return [
        'Roofline: at most {:.1f} GFLOP/s in {} and {:.1f} GB/s on this machine (bytes: what layers read and write, '
        'ignoring caches)'.format(roof.flops / 1e9, roof.precision, roof.bandwidth / 1e9)] + [
            '  {}: {:.1f} GFLOP/s at {:.1f} FLOP/byte, {:.0f}% of the limit set by {}'.format(
                name, p.flops / 1e9, p.intensity, 100 * p.share, p.bound) for name, p in profile.positions.items()]


def _counters(profile, _):
    if not profile.counters.per_frame:
        return []
    return ['CPU counters', *('  {}: {:.2f}'.format(*item) for item in profile.counters.ratios.items()), *(
        '  {}: {:,.0f} per frame'.format(*item) for item in profile.counters.per_frame.items())]


def _efficiency(profile, top):
    if profile.efficiency is None:
        return []
    names = list(profile.efficiency.percents)
    rows = [('all kernels', '') + tuple(profile.efficiency.percents[name] for name in names)] + [
        (kernel.name, kernel.launches) + tuple(kernel.percents.get(name, '-') for name in names)
        for kernel in profile.efficiency.kernels[:top]]
    return [table(['kernel', 'launches'] + [name.replace(' efficiency', '') for name in names], rows, 1,
                  'Efficiency in percent, by ' + profile.efficiency.program)]


def _frequencies(profile, _):
    points = profile.frequencies
    if not points:
        return []
    found = [table(('GPU (MHz)', 'ms per frame', 'W', 'J per frame'), [
        (point.frequency, 1e3 * point.seconds, '-' if point.power is None else point.power,
         '-' if point.energy is None else point.energy) for point in points], 0)]
    if len(points) > 1:
        found.append('sensitivity to GPU frequency: {:.2f} ({:.2f} if time is proportional to the clock period)'.format(
            sensitivity(points[0], points[-1]), points[0].frequency / points[-1].frequency))
    return found


def _missing(profile, _):
    return ['Not measured', *('  ' + text for text in profile.missing)] if profile.missing else []


def _place(name):
    """Return the short name of a layer."""
    return name[len('network.'):] if name.startswith('network.') else name or 'normalization and labels'


def short(name, length=60):
    """Return the name of a kernel without the types in it, which fill lines."""
    name = name.split('(')[0] if not name.startswith('(') else name
    return name if len(name) <= length else name[:length - 3] + '...'
