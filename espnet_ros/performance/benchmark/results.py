"""Measurements as rows for people, tables and plots."""
import collections

COLUMNS = ('model', 'engine', 'precision', 'network', 'camera', 'cameras', 'preprocess (ms)', 'inference (ms)',
           'postprocess (ms)', 'total (ms)', 'total p95 (ms)', 'frames/s', 'baseline (ms)', 'times faster',
           'same labels (%)', 'memory (MiB)', 'energy (J)', 'weights', 'note')


def row(measurement):
    """Return an ordered dict from COLUMNS to text, '' where there is nothing to say."""
    candidate, about = measurement.candidate, measurement.about
    cells = collections.OrderedDict.fromkeys(COLUMNS, '')
    cells.update({
        'model': candidate.model, 'engine': about.get('backend', candidate.backend),
        'precision': about.get('precision', candidate.precision),
        'network': '{}x{}'.format(candidate.width, candidate.height),
        'camera': '{}x{}'.format(candidate.camera_width, candidate.camera_height), 'cameras': str(candidate.cameras),
        'note': measurement.problem or about.get('fallback', '')})
    if measurement.stages:
        total = measurement.stages['total']
        for stage, summary in measurement.stages.items():
            cells[stage + ' (ms)'] = _milliseconds(summary.median)
        cells.update({
            'total p95 (ms)': _milliseconds(total.p95), 'frames/s': '{:.1f}'.format(candidate.cameras / total.median),
            'baseline (ms)': _milliseconds(measurement.baseline['total'].median),
            'times faster': '{:.2f}'.format(measurement.speedup), 'memory (MiB)': '{:.0f}'.format(measurement.memory),
            'same labels (%)': '' if measurement.agreement is None else '{:.2f}'.format(100 * measurement.agreement),
            'energy (J)': '' if measurement.energy is None else '{:.3f}'.format(measurement.energy),
            'weights': about['weights']})
    return cells


def _milliseconds(seconds):
    return '{:.1f}'.format(1000 * seconds)


def table(rows):
    """Return the rows as text in aligned columns; columns that are empty throughout are left out."""
    names = [name for name in COLUMNS if any(cells[name] for cells in rows)]
    lines = [names] + [[cells[name] for name in names] for cells in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return '\n'.join('  '.join(cell.ljust(width) if i < 2 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def as_data(measurement):
    """Return a measurement as plain data for JSON; times in seconds, memory in MiB, energy in joules."""
    def stages(summaries):
        return {name: dict(s._asdict()) for name, s in summaries.items()}
    return {'candidate': dict(measurement.candidate._asdict()), 'engine': measurement.about,
            'stages': stages(measurement.stages), 'baseline': stages(measurement.baseline),
            'agreement': measurement.agreement, 'memory': measurement.memory, 'energy': measurement.energy,
            'machine': measurement.machine, 'problem': measurement.problem}


def plot(measurements, accuracies, path):
    """Draw latency against image size and against accuracy to a PNG file; needs matplotlib.

    accuracies: class mIOU in percent by (model, width, height), for those that are known. Raises ImportError.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120)
    FigureCanvasAgg(figure)
    by_size, by_accuracy = figure.subplots(1, 2)
    done = [m for m in measurements if m.stages and m.candidate.cameras == 1]
    series = collections.OrderedDict()
    for m in done:
        name = '{} {} {}'.format(m.candidate.model, m.about['backend'], m.about['precision'])
        series.setdefault(name, []).append((m.candidate.width * m.candidate.height / 1e6,
                                            1000 * m.stages['total'].median))
        series.setdefault(m.candidate.model + ' as published', []).append(
            (m.candidate.width * m.candidate.height / 1e6, 1000 * m.baseline['total'].median))
    for name, points in series.items():
        style = ':' if name.endswith(' as published') else '-'
        by_size.plot(*zip(*sorted(points)), marker='o', linestyle=style, label=name)
    by_size.set(xlabel='network input (million pixels)', ylabel='image bytes to label bytes (ms)',
                title='Time and image size', xlim=(0, None), ylim=(0, None))
    by_size.legend(fontsize=7)
    for m in done:
        accuracy = accuracies.get((m.candidate.model, m.candidate.width, m.candidate.height))
        if accuracy is not None:
            name = '{} {} {}'.format(m.candidate.model, m.about['backend'], m.about['precision'])
            by_accuracy.plot(1000 * m.stages['total'].median, accuracy, marker='o', linestyle='', label=name)
    by_accuracy.set(xlabel='image bytes to label bytes (ms)', ylabel='class mIOU in the model card (%)',
                    title='Time and accuracy', xlim=(0, None))
    by_accuracy.margins(0.2)
    if by_accuracy.lines:
        by_accuracy.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(str(path))
