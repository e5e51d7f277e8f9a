"""Comparison of two evaluations of the same frames by a paired bootstrap."""
import json
import math
import pathlib
import typing
import warnings

import numpy as np

from espnet_ros.errors import ParameterError
from espnet_ros.evaluation.journal import FRAMES, read_frames, reading
from espnet_ros.evaluation.protocols import PROTOCOLS, rows_of
from espnet_ros.evaluation.results import METRICS
from espnet_ros.files import read_bytes, write_file
from espnet_ros.labels import CATEGORIES, LabelSet, label_set_from_dict
from espnet_ros.limits import JSON_BYTES
from espnet_ros.metrics.confusion import category_confusion
from espnet_ros.reports.pages import environment, unique

DRAWS = 2000
CONFIDENCE = 0.95
_LATENCY, _OUTLINES = 'mean latency', 'boundary F1'
_AT_A_TIME = 100
"""Draws whose sums are computed together, for the sake of memory."""


class Difference(typing.NamedTuple):
    """A score of A and of B on the frames of both, and the ends of the interval of B - A; NaN where undefined.

    unit: '%' of shares from 0 to 1, or 'ms' of seconds.
    """

    name: str
    a: float
    b: float
    low: float
    high: float
    unit: str = '%'

    @property
    def difference(self):
        """B - A."""
        return self.b - self.a

    @property
    def verdict(self):
        """'better' or 'worse' if the interval excludes zero, else ''."""
        if self.low > 0:
            return 'worse' if self.unit == 'ms' else 'better'
        if self.high < 0:
            return 'better' if self.unit == 'ms' else 'worse'
        return ''


class SideBySide(typing.NamedTuple):
    """The number of frames that A and B both have, and the Differences of their scores, means first.

    facts: how each was made: (name, (text of A, text of B)). note: a sentence where both are compared by category
    because they were not scored in the same classes, else ''.
    """

    facts: tuple[tuple[str, tuple[str, str]], ...]
    frames: int
    block: int
    differences: tuple[Difference, ...]
    note: str = ''


class _Evaluation(typing.NamedTuple):
    """What metrics.json says, and the records in `path`, frames.jsonl, of labeled frames by bag, topic and stamp."""

    path: pathlib.Path
    label_set: LabelSet
    by_class: bool
    protocol: str
    facts: dict[str, str]
    records: dict[tuple, dict]


class _Frames(typing.NamedTuple):
    """Counts of F frames of one evaluation, float.

    categories, classes: pixels of intersection and union of each, [F, 2, n]. correct: pixels whose class or category,
    whichever both evaluations have, is correct, and all pixels, [F, 2]. boundary, latency: of each frame, [F];
    boundary is NaN where undefined.
    """

    categories: np.ndarray
    classes: np.ndarray
    correct: np.ndarray
    boundary: np.ndarray
    latency: np.ndarray


def compare(first, second, block=1, draws=DRAWS, seed=0):
    """Return the SideBySide of two folders of `evaluate`. Raises ParameterError.

    Frames are the same if index of the bag, topic and stamp are equal. Each draw takes as many frames as there are, at
    random with replacement and the same for both, and adds up their confusion matrices (paired bootstrap). block: draw
    runs of this many successive frames, because neighbors in a recording are similar; 1 treats frames as independent.
    Evaluations in different classes, or one of classes and one of categories, are both scored by category; boundary F1
    is then left out, because the lines between classes are not known any more.
    """
    evaluations = a, b = _read(first), _read(second)
    if a.protocol != b.protocol:
        raise ParameterError("'{}' uses the {} protocol and '{}' uses {}; evaluate both with the same one".format(
            first, a.protocol, second, b.protocol))
    with reading(a.path):
        common = sorted(set(a.records) & set(b.records), key=lambda key: (key[0], key[2], key[1]))
    if not common:
        raise ParameterError("'{}' and '{}' have no labeled frame in common; evaluate both on the same bags".format(
            first, second))
    is_alike = a.by_class == b.by_class and a.label_set.meaning == b.label_set.meaning
    by_class = is_alike and a.by_class
    names = a.label_set.names if by_class else ()
    frames = [_counted(evaluation, common, by_class) for evaluation in evaluations]
    differences = _differences(frames, names, is_alike, block, draws, np.random.default_rng(seed))
    facts = tuple((name, (text, b.facts[name])) for name, text in a.facts.items())
    return SideBySide(facts, len(common), block, differences, '' if is_alike else _note(evaluations))


def comparison_page(comparison, names):
    """Return the HTML page of a SideBySide; names: what A and B are called."""
    return environment().get_template('compare.html').render(comparison=comparison, names=names, confidence=CONFIDENCE,
                                                             shown=shown)


def write_comparison(path, comparison, names):
    """Write the page. Raises EspnetError."""
    write_file(path, comparison_page(comparison, names).encode())


def shown(value, unit, sign=False):
    """Return a score as text: percent or ms; a dash where it is NaN."""
    factor, digits = (100, 2) if unit == '%' else (1000, 1)
    return '–' if math.isnan(value) else '{:{}.{}f}'.format(factor * value, '+' if sign else '', digits)


def _note(evaluations):
    scored = ['classes of {}'.format(e.label_set.name) if e.by_class else 'categories' for e in evaluations]
    return 'A was scored in {} and B in {}; both are compared by category, without boundary F1'.format(*scored)


def _read(folder):
    path, frames = (pathlib.Path(folder) / name for name in (METRICS, FRAMES))
    with reading(path):
        try:
            found = json.loads(read_bytes(path, JSON_BYTES).decode('utf-8'))
        except OSError as error:
            raise ParameterError("'{}' is not a finished evaluation ({}); give a folder that `espnet-ros evaluate "
                                 '--out` has written'.format(folder, error.strerror or error))
        label_set, by_class, protocol = (found[key] for key in ('labelSet', 'byClass', 'protocol'))
        if protocol not in PROTOCOLS or not isinstance(by_class, bool):
            raise ValueError('protocol is {!r} and byClass {!r}'.format(protocol, by_class))
        label_set, facts = label_set_from_dict(label_set, str(path)), _facts(found)
    with reading(frames):
        records = {(r['bag'], r['topic'], r['stamp']): r for r in read_frames(folder) if 'confusion' in r}
    return _Evaluation(frames, label_set, by_class, protocol, facts, records)


def _facts(metrics):
    """Return what the page says about an evaluation: text by name."""
    configuration = metrics['configuration']
    return {
        'model': str(configuration['model']['name']),
        'input': '{} x {}'.format(*configuration['input']),
        'engine': '; '.join(unique('{backend} in {precision} on {device}'.format(**engine)
                                   for session in metrics['sessions'] for engine in session['engines'])),
        'bags': ', '.join(path for bag in configuration['bags'] for path in bag['paths']),
        'labeled frames scored': '{} of {}'.format(metrics['scoredFrames'], metrics['labeledFrames'])}


def _counted(evaluation, common, by_class):
    """Return the _Frames of the records of `common`."""
    size = len(evaluation.label_set.classes)
    classes, categories, correct = [], [], []
    with reading(evaluation.path):
        records = [evaluation.records[key] for key in common]
        for record in records:
            confusion = np.zeros((size + 1, size + 1), np.int64)
            rows, columns, pixels = np.array(record['confusion'], np.int64).reshape(-1, 3).T
            if min(rows.min(initial=0), columns.min(initial=0), pixels.min(initial=0)) < 0:
                raise ValueError('confusion has numbers below 0')
            confusion[rows, columns] = pixels
            confusion = rows_of(confusion, evaluation.protocol)
            by_category = category_confusion(confusion, evaluation.label_set)
            classes.append(_parts(confusion))
            categories.append(_parts(by_category))
            counted = confusion[:size] if by_class else by_category[:len(CATEGORIES) - 1]
            correct.append((np.trace(counted), counted.sum()))
        return _Frames(np.array(categories, np.float64), np.array(classes, np.float64), np.array(correct, np.float64),
                       np.array([record['boundary_f1'] for record in records], np.float64),
                       np.array([record['latency'] for record in records], np.float64))


def _parts(confusion):
    """Pixels of intersection and union of each class: [2, n]."""
    size = confusion.shape[1] - 1
    hit = np.diag(confusion[:, :size])
    return hit, confusion[:size].sum(1) + confusion[:, :size].sum(0) - hit


def _differences(frames, names, is_alike, block, draws, random):
    both = ~np.isnan(frames[0].boundary) & ~np.isnan(frames[1].boundary)
    titles = ['category mIOU', *(['class mIOU'] if names else []), 'pixel accuracy', _OUTLINES, _LATENCY,
              *CATEGORIES[1:], *names]
    count = len(both)
    points = [_scores(f, np.ones((1, count)), names, both)[0] for f in frames]
    drawn = []
    for start in range(0, draws, _AT_A_TIME):
        weights = _weights(count, block, min(_AT_A_TIME, draws - start), random)
        drawn.append(_scores(frames[1], weights, names, both) - _scores(frames[0], weights, names, both))
    margin = 50 * (1 - CONFIDENCE)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # scores without a value in any draw, which stay NaN
        low, high = np.nanpercentile(np.concatenate(drawn), (margin, 100 - margin), axis=0)
    return tuple(Difference(title, float(a), float(b), float(start), float(end), 'ms' if title == _LATENCY else '%')
                 for title, a, b, start, end in zip(titles, *points, low, high) if is_alike or title != _OUTLINES)


def _weights(count, block, draws, random):
    """How often each frame is drawn: [draws, count]."""
    blocks = np.arange(count) // block
    number = blocks[-1] + 1
    return random.multinomial(number, np.full(number, 1 / number), draws)[:, blocks].astype(np.float64)


def _scores(frames, weights, names, both):
    """The scores of each draw, in the order of the Differences: [draws, scores]."""
    categories, correct = _iou(frames.categories, weights), weights @ frames.correct
    classes = _iou(frames.classes, weights) if names else np.empty((len(weights), 0))
    means = [_mean(categories), *([_mean(classes)] if names else [])]
    with np.errstate(divide='ignore', invalid='ignore'):
        means += [correct[:, 0] / correct[:, 1], weights[:, both] @ frames.boundary[both] / weights[:, both].sum(1),
                  weights @ frames.latency / weights.sum(1)]
    return np.concatenate([np.stack(means, 1), categories, classes], 1)


def _iou(parts, weights):
    """IoU of each draw: [draws, n], NaN where a class does not occur; parts: [F, 2, n]."""
    sums = np.tensordot(weights, parts, 1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def _mean(values):
    """Mean of each row without its NaNs."""
    known = ~np.isnan(values)
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(known, values, 0).sum(1) / known.sum(1)
