"""Latency of measurements against input size and accuracy, as a picture."""
import collections


def plot(measurements, accuracies, path):
    """Draw latency against input size, and against accuracy on each data set, to a PNG file.

    accuracies: (data set, class mIOU in percent) by (model, width, height), for those that are known. Engines have the
    names of those that ran. Raises ImportError without matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    done = [m for m in measurements if m.stages and m.candidate.cameras == 1]
    scored = collections.OrderedDict()
    for m in done:
        data_set, accuracy = accuracies.get((m.candidate.model, m.candidate.width, m.candidate.height), ('', None))
        if accuracy is not None:
            scored.setdefault(data_set, []).append((_name(m), 1000 * m.stages['total'].median, accuracy))
    figure = Figure(figsize=(5.5 * (1 + len(scored)), 4.5), dpi=120)
    FigureCanvasAgg(figure)
    by_size, *by_accuracy = figure.subplots(1, 1 + len(scored), squeeze=False)[0]
    _draw_sizes(by_size, done)
    for axes, (data_set, points) in zip(by_accuracy, scored.items()):
        for name, milliseconds, accuracy in points:
            axes.plot(milliseconds, accuracy, marker='o', linestyle='', label=name)
        axes.set(xlabel='image bytes to label bytes (ms)', ylabel='class mIOU in the model card (%)',
                 title='Time and accuracy, ' + data_set, xlim=(0, None))
        axes.margins(0.2)
        axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(str(path))


def _draw_sizes(axes, measurements):
    series = collections.OrderedDict()
    for m in measurements:
        size = m.candidate.width * m.candidate.height / 1e6
        for name, stages in ((_name(m), m.stages), (m.candidate.model + ' as published', m.baseline)):
            series.setdefault(name, []).append((size, 1000 * stages['total'].median))
    for name, points in series.items():
        axes.plot(*zip(*sorted(points)), marker='o', linestyle=':' if name.endswith(' as published') else '-',
                  label=name)
    axes.set(xlabel='network input (million pixels)', ylabel='image bytes to label bytes (ms)',
             title='Time and image size', xlim=(0, None), ylim=(0, None))
    if series:
        axes.legend(fontsize=7)


def _name(measurement):
    return '{} {} {}{}'.format(measurement.candidate.model, measurement.about['backend'],
                               measurement.about['precision'], ' (?)' if measurement.marks else '')
