"""The page of an evaluation, report.html."""
import pathlib
import typing

import numpy as np

from espnet_ros.evaluation.offline import OFFLINE, ONE_BY_ONE
from espnet_ros.evaluation.pictures import encoded
from espnet_ros.evaluation.protocols import PROTOCOLS
from espnet_ros.evaluation.statistics import OUTCOMES
from espnet_ros.files import write_file
from espnet_ros.labels import CATEGORIES, CATEGORY_COLORS
from espnet_ros.metrics.confusion import category_confusion, class_accuracy
from espnet_ros.reports import charts
from espnet_ros.reports.pages import environment, percent, unique

PAGE = 'report.html'


class Row(typing.NamedTuple):
    """A class or category in a table; scores from 0 to 1, None or NaN where undefined."""

    name: str
    color: tuple[int, int, int]
    iou: float
    accuracy: float
    boundary: float
    share: float
    iiou: float


def write_report(folder, evaluation):
    """Write the page of an evaluate.Evaluation. Raises EspnetError."""
    write_file(pathlib.Path(folder) / PAGE, page(evaluation).encode())


def page(evaluation):
    """Return the HTML page of an evaluate.Evaluation, which is self-contained."""
    statistics, metrics, worst, scans = evaluation
    seconds = np.array(statistics.latencies)
    latency = [charts.histogram(1000 * seconds, 'latency in ms', 'frames'),
               charts.timeline(1000 * seconds, 'frame', 'latency in ms')] if len(seconds) else []
    return environment().get_template('report.html').render(
        metrics=metrics, statistics=statistics, worst=worst,
        classes=_class_rows(statistics, metrics) if statistics.by_class else [],
        categories=_category_rows(statistics, metrics), matrix=_matrix(statistics), latency=latency,
        images=images_in_words(statistics.images) if statistics.images else '',
        scans=list(zip(metrics['scans'], [picture if picture is None else encoded('.jpg', picture)
                                          for picture in scans])),
        facts=_facts(metrics), scores=charts.timeline(statistics.scores, 'frame', 'mIOU', top=1.0))


def images_in_words(images):
    """Return the outcomes of images sent to a node (statistics.Statistics.images) as text."""
    parts = ['{} images sent'.format(images['sent']), '{} answered'.format(images['answered'])]
    parts += ['{} {}'.format(images[outcome], text) for outcome, text in OUTCOMES.items() if images.get(outcome)]
    if images.get('again'):
        parts.append('{} of them sent again'.format(images['again']))
    return ', '.join(parts)


def _class_rows(statistics, metrics):
    columns = (metrics[key].values() for key in (
        'classScores', 'classAccuracies', 'boundaryScores', 'priors', 'classInstScores'))
    return [Row(c.name, c.color, *values) for c, *values in zip(statistics.label_set.classes, *columns)]


def _category_rows(statistics, metrics):
    confusion = category_confusion(statistics.confusion, statistics.label_set)
    shares = confusion.sum(1) / max(1, confusion.sum())
    accuracies = class_accuracy(confusion)
    boundaries = 7 * [None] if statistics.by_class else list(metrics['boundaryScores'].values())
    return [Row(*values) for values in zip(CATEGORIES[1:], CATEGORY_COLORS[1:], statistics.category_iou, accuracies,
                                           boundaries, shares, metrics['categoryInstScores'].values())]


def _matrix(statistics):
    """Return the names of the columns and the rows of the confusion matrix: (name, [(share of the row, tooltip)])."""
    names = (*statistics.label_set.names, 'unlabeled')
    rows = statistics.confusion[:len(names) if statistics.protocol == 'authors' else -1]
    shares = rows / np.maximum(1, rows.sum(1, keepdims=True))
    return names, [(truth, [
        (share, '{} predicted as {}: {} pixels, {} %'.format(truth, name, pixels, percent(share)))
        for name, pixels, share in zip(names, *row)]) for truth, *row in zip(names, rows, shares)]


def _facts(metrics):
    """Yield (name, text) of the rows of the table about the setup."""
    configuration, sessions = metrics['configuration'], metrics['sessions']
    yield 'model', '{name}, SHA-256 {sha256}'.format(**configuration['model'])
    yield 'network input', '{} x {}'.format(*configuration['input'])
    for engine in unique(engine for session in sessions for engine in session['engines']):
        yield 'engine', '{backend} in {precision} on {device}'.format(**engine)
        if engine['fallback']:
            yield 'fallback because', engine['fallback']
    yield 'compared', 'classes of {}'.format(metrics['labelSet']['name']) if configuration['by_class'] else \
        'Cityscapes categories'
    yield 'protocol', '{}: {}'.format(metrics['protocol'], PROTOCOLS[metrics['protocol']])
    yield 'sizes', 'labels are resized to the image, then with nearest neighbor to the ground truth'
    yield 'latency', {
        OFFLINE: 'from image to labels, while other threads decode and score frames: longer than on a robot',
        ONE_BY_ONE: 'from image to labels, without other threads, as on a robot'}.get(
            configuration['way'], 'from sending an image to receiving its labels')
    for bag in configuration['bags']:
        size = '{:.1f} MB, '.format(bag['bytes'] / 1e6) if bag['bytes'] else ''
        yield 'frames', '{}: {}{} frames, {} of them labeled{}'.format(
            ', '.join(bag['paths']), size, bag['frames'], bag['labeled'],
            ', ground truth of ' + bag['label_set'] if bag['label_set'] else '')
    for session in sessions:
        share = session['engine_share']
        yield 'session', '{date}: {frames} frames in {seconds:.1f} s, {where}, on {cpu}'.format(
            **dict({'date': 'unknown date', 'cpu': 'an unknown CPU'}, **session)) + (
            ', {:.0f} % of the time in the engine'.format(100 * share) if share else '')
    for versions in unique(session['versions'] for session in sessions):
        yield 'versions', ', '.join('{} {}'.format(*item) for item in versions.items())
