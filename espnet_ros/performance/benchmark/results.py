"""Measurements as rows, tables and plain data."""
import collections
import re

from rich.console import Group

from espnet_ros.performance.tables import table

COLUMNS = ('model', 'engine', 'precision', 'network', 'camera', 'cameras', 'preprocess (ms)', 'inference (ms)',
           'postprocess (ms)', 'total (ms)', 'total p95 (ms)', 'frames/s', 'baseline (ms)', 'times faster', 'interval',
           'marked', 'same labels (%)', 'memory (MiB)', 'energy (J)', 'weights', 'note')
_SPEED = (('model', 'model'), ('engine', 'engine'), ('precision', ''), ('network', 'input'), ('total (ms)', 'ms'),
          ('times faster', 'faster'), ('interval', '95%'), ('marked', ''))
_DETAILS = (('total p95 (ms)', 'p95'), ('preprocess (ms)', 'pre'), ('inference (ms)', 'infer'),
            ('postprocess (ms)', 'post'), ('baseline (ms)', 'published'), ('frames/s', 'fps'),
            ('same labels (%)', 'same %'), ('memory (MiB)', 'MiB'), ('energy (J)', 'J'))
_CAMERAS = (('camera', 'camera'), ('cameras', 'cameras'))
"""Columns of the tables that are printed, and their headings."""


def row(measurement):
    """Return an ordered dict from COLUMNS to text, '' where there is no value."""
    candidate, about = measurement.candidate, measurement.about
    cells = collections.OrderedDict.fromkeys(COLUMNS, '')
    notes = [measurement.problem or about.get('fallback', ''), *measurement.marks]
    cells.update({
        'model': candidate.model, 'engine': about.get('backend', candidate.backend),
        'precision': about.get('precision', candidate.precision),
        'network': '{}x{}'.format(candidate.width, candidate.height),
        'camera': '{}x{}'.format(candidate.camera_width, candidate.camera_height), 'cameras': str(candidate.cameras),
        'note': '; '.join(filter(None, notes))})
    if measurement.stages:
        total, ratio = measurement.stages['total'], measurement.speedup
        for stage, summary in measurement.stages.items():
            cells[stage + ' (ms)'] = _milliseconds(summary.median)
        cells.update({
            'total p95 (ms)': _milliseconds(total.p95), 'frames/s': '{:.1f}'.format(candidate.cameras / total.median),
            'baseline (ms)': _milliseconds(measurement.baseline['total'].median),
            'times faster': factor(ratio.median),
            'interval': '{}-{}'.format(factor(ratio.low), factor(ratio.high)),
            'marked': '?' if measurement.marks else '', 'memory (MiB)': '{:.0f}'.format(measurement.memory),
            'same labels (%)': '' if measurement.agreement is None else '{:.2f}'.format(100 * measurement.agreement),
            'energy (J)': '' if measurement.energy is None else '{:.3f}'.format(measurement.energy),
            'weights': about['weights']})
    return cells


def cameras_table(measurements):
    """Return CamerasMeasurements as a rich renderable: one process for all cameras above a process for each."""
    rows, notes = [], []
    for number, m in enumerate(measurements, 1):
        for name, way in (('one process', m.shared), ('{} processes'.format(m.candidate.cameras), m.separate)):
            if way is not None:
                rows.append([str(number), name, '{:.1f}'.format(way.rate), _milliseconds(way.cpu),
                             _milliseconds(way.age.median), _milliseconds(way.age.p95), '{:.0f}'.format(way.memory),
                             factor(way.memory / m.alone)])
        found = m.problem or 'one process is {} times as fast ({}-{})'.format(*map(factor, m.ratio[:3]))
        notes.append('{}: {} cameras with {}: {}'.format(number, m.candidate.cameras, m.candidate.model, found))
        notes += ['{}: {}'.format(number, m.contention.problem)] if m.contention.problem else []
    headings = ['', 'in', 'fps', 'CPU (ms)', 'age (ms)', 'p95', 'MiB', 'times one']
    return Group('', table(headings, rows, 2, title='Several cameras'), *notes)


def factor(value):
    """Return a speedup with two digits: benchmarks on the same machine on another day do not agree on more."""
    return '{:.0f}'.format(value) if value >= 9.95 else '{:.1f}'.format(value) if value >= 0.995 else \
        '{:.2f}'.format(value)


def _milliseconds(seconds):
    return '{:.1f}'.format(1000 * seconds)


def tables(rows):
    """Return the rows as a rich renderable: speed, details, notes by row number. Empty columns are left out."""
    parts = [_table(_SPEED, rows, 4), '', _table(_DETAILS, rows, 0)]
    if any(cells['camera'] != cells['network'] or cells['cameras'] != '1' for cells in rows):
        parts += ['', _table(_CAMERAS, rows, 0)]
    notes = ['{}: {}'.format(number, cells['note']) for number, cells in enumerate(rows, 1) if cells['note']]
    if any(cells['marked'] for cells in rows):
        notes.append('?: not to be trusted, for the reason given')
    return Group(*parts, *([''] if notes else []), *notes)


def _table(columns, rows, left):
    shown = [(name, heading) for name, heading in columns if any(cells[name] for cells in rows)]
    return table(['', *(heading for _, heading in shown)], [
        [str(number), *(_short(cells[name]) for name, _ in shown)] for number, cells in enumerate(rows, 1)], 1 + left)


def _short(text):
    """Return a number of more than four characters without its decimals."""
    return text.partition('.')[0] if re.match(r'[0-9]{3,}\.[0-9]+\Z', text) else text


def cameras_as_data(m):
    """Return a CamerasMeasurement as plain data for JSON, in the units of `as_data`."""
    def way(found):
        return found and dict(found._asdict(), age=dict(found.age._asdict()))
    return {'candidate': dict(m.candidate._asdict()), 'shared': way(m.shared), 'separate': way(m.separate),
            'alone': m.alone, 'ratio': m.ratio and dict(m.ratio._asdict()),
            'contention': dict(m.contention._asdict()), 'problem': m.problem}


def as_data(measurement):
    """Return a measurement as plain data for JSON; times in seconds, memory in MiB, energy in joules."""
    def stages(summaries):
        return {name: dict(s._asdict()) for name, s in summaries.items()}
    ratio = measurement.speedup
    return {'candidate': dict(measurement.candidate._asdict()), 'engine': measurement.about,
            'stages': stages(measurement.stages), 'baseline': stages(measurement.baseline),
            'speedup': ratio and dict(ratio._asdict()), 'contention': dict(measurement.contention._asdict()),
            'marks': measurement.marks, 'seconds': measurement.seconds,
            'baseline_seconds': measurement.baseline_seconds,
            'agreement': measurement.agreement, 'memory': measurement.memory, 'energy': measurement.energy,
            'machine': measurement.machine, 'problem': measurement.problem}
