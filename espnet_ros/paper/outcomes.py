"""The paper's numbers beside ours."""
import statistics
import typing

from espnet_ros.paper import counts, speed, training
from espnet_ros.paper.expected import LEVELS, Row

REPRODUCED, DIFFERS, OTHER_HARDWARE, STAND_IN, NOT_RUN = (
    'reproduced', 'differs', 'other hardware', 'stand-in data', 'not run')
SAME_ORDER, OPPOSITE_ORDER, NOT_TOLD_APART = 'same order', 'opposite order', 'not told apart'
"""Of two rows, on stand-in data: what the 95% interval of their difference says."""
ORDER = 'order'


class Outcome(typing.NamedTuple):
    """A Row with what we have for it. ours: None when it was not run; status: one of those above; note: why, or how."""

    row: Row
    ours: float | None
    status: str
    note: str = ''

    @property
    def difference(self):
        """Ours over the paper's, minus one; None without ours, and of an order."""
        if self.ours is None or not self.row.value or self.row.quantity.name == ORDER:
            return None
        return self.ours / self.row.value - 1


def outcomes(items, expected, results, level, engine, trainings=None):
    """Return an Outcome for each Row of the Items, and for each pair of trained rows that the paper orders.

    results: what was measured, by key, as `speed.measure` returns it. level: of LEVELS. engine: whose speed counts.
    trainings: training.Trainings.
    """
    found = []
    for item in items:
        found += [_outcome(row, expected.networks, results, level, engine, trainings) for row in item.rows]
        found += [ordered(order, expected.quantities[ORDER], trainings)
                  for order in training.orders(item, expected.networks, trainings)]
    return found


def ordered(order, quantity, trainings):
    """Return the Outcome of a training.Order; quantity: the one called ORDER."""
    better, worse = order.better, order.worse
    row = better._replace(
        subject='{} above {}'.format(better.subject, worse.subject), network=None, column='difference of ' +
        better.column, quantity=quantity, value=better.value - worse.value,
        relation='~' if '~' in (better.relation, worse.relation) else '=')
    count = len(order.differences)
    note = '{}, {} of {} seed{} in the paper\'s order'.format(
        trainings.data, order.agreeing, count, '' if count == 1 else 's')
    if order.low is None:
        return Outcome(row, order.mean, NOT_TOLD_APART, note + ', one seed tells nothing of chance')
    return Outcome(row, order.mean, SAME_ORDER if order.low > 0 else OPPOSITE_ORDER if order.high < 0 else
                   NOT_TOLD_APART, '{}, 95% interval {:+.2f} to {:+.2f}'.format(note, order.low, order.high))


def _outcome(row, networks, results, level, engine, trainings):
    if row.quantity.level == 'counts':
        ours = counts.counted(row, networks)
        if ours is None:
            return Outcome(row, None, NOT_RUN, 'this package has no such network')
        return Outcome(row, ours, REPRODUCED if row.fits(ours) else DIFFERS)
    if row.quantity.level == 'speed':
        return _speed(row, networks, results, level, engine)
    if trainings and training.trains(row):
        scores = list(trainings.of(row.network, networks).values())
        if scores:
            return Outcome(row, statistics.mean(scores), STAND_IN, '{}, {} seed{}'.format(
                trainings.data, len(scores), 's, {:.2f} to {:.2f}'.format(min(scores), max(scores))
                if len(scores) > 1 else ''))
    if row.network is None and row.quantity.name != 'specification':
        return Outcome(row, None, NOT_RUN, 'this package has no such network')
    return Outcome(row, None, NOT_RUN, _needs(row))


def _needs(row):
    if training.trains(row):
        return 'needs {}; on other data: espnet-ros reproduce {} --level train --data DATASET --val DATASET'.format(
            row.needs, row.item)
    return 'needs ' + row.needs


def _speed(row, networks, results, level, engine):
    if row.network is None:
        return Outcome(row, None, NOT_RUN, 'this package has no such network')
    if row.fixed:
        return Outcome(row, None, NOT_RUN, 'needs ' + row.needs)
    result = results.get(speed.key(row.subject, row.size, engine))
    other = results.get(speed.key(row.other, row.size, engine)) if row.other else None
    command = 'espnet-ros reproduce {} --level speed'.format(row.item)
    if result is None or (row.other and other is None):
        done = LEVELS.index(level) >= LEVELS.index('speed')
        return Outcome(row, None, NOT_RUN, 'not measured yet: ' + command if done else command)
    other = other or result
    for each in (result, other):
        if 'problem' in each:
            return Outcome(row, None, NOT_RUN, each['problem'])
    note = '{}, {}, {}'.format(engine, result['precision'], result['device'])
    if row.quantity.name == 'frames':
        ours = 1 / result['seconds']
    elif row.quantity.name == 'power':
        if result['energy'] is None:
            return Outcome(row, None, NOT_RUN, 'this machine has no power sensor that can be read')
        ours = result['energy'] / result['seconds']
    else:
        found = speed.faster(results, row.subject, row.other, row.size, engine)
        ours = found.median
        note += ', {:.3g} to {:.3g} in {} turns; {:.3g} by CPU time'.format(
            found.low, found.high, found.turns, found.cpu)
    if result.get('busy') or other.get('busy'):
        note += '; ' + (result.get('busy') or other['busy'])
    return Outcome(row, ours, OTHER_HARDWARE, note)
