"""The paper's numbers beside ours."""
import typing

from espnet_ros.paper import counts, speed, training
from espnet_ros.paper.expected import LEVELS, Row

REPRODUCED, DIFFERS, OTHER_HARDWARE, STAND_IN, NOT_RUN = (
    'reproduced', 'differs', 'other hardware', 'stand-in data', 'not run')


class Outcome(typing.NamedTuple):
    """A Row with what we have for it. ours: None when it was not run; status: of the five above; note: why, or how."""

    row: Row
    ours: float | None
    status: str
    note: str = ''

    @property
    def difference(self):
        """Ours over the paper's, minus one; None without ours."""
        return None if self.ours is None or not self.row.value else self.ours / self.row.value - 1


def outcomes(items, networks, results, level, engine):
    """Return an Outcome for each Row of the Items.

    results: what was measured, by key, as `speed.measure` and `training.measure` return it. level: of LEVELS. engine:
    whose speed counts.
    """
    return [_outcome(row, networks, results, level, engine) for item in items for row in item.rows]


def _outcome(row, networks, results, level, engine):
    if row.quantity.level == 'counts':
        ours = counts.counted(row, networks)
        if ours is None:
            return Outcome(row, None, NOT_RUN, 'this package has no such network' + (
                '; ' + row.needs if row.needs and row.item == 'table-1d' else ''))
        return Outcome(row, ours, REPRODUCED if row.fits(ours) else DIFFERS)
    if row.quantity.level == 'speed':
        return _speed(row, networks, results, level, engine)
    stand_in = training.found(row, results)
    if stand_in is not None:
        return Outcome(row, stand_in.value, STAND_IN, stand_in.note)
    if row.network is None and row.quantity.name != 'specification':
        return Outcome(row, None, NOT_RUN, 'this package has no such network')
    return Outcome(row, None, NOT_RUN, _needs(row))


def _needs(row):
    if training.trains(row):
        return 'needs {}; on other data: espnet-ros reproduce {} --level train --data DATASET --val DATASET'.format(
            row.needs, row.item)
    return 'needs ' + row.needs


def _ratio(name, result, kind='ratio'):
    """Return ESPNet's time over a network's: median and the interval's ends, or that of the CPU time alone."""
    if name == speed.REFERENCE:
        return (1.0, 1.0, 1.0) if kind == 'ratio' else 1.0
    return result[kind]


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
    else:  # each was measured in turns with ESPNet, and so the ratio to it is the steadiest number
        own, others = _ratio(row.subject, result), _ratio(row.other, other)
        ours = own[0] / others[0]
        turns = max(each['turns'] for name, each in ((row.subject, result), (row.other, other))
                    if name != speed.REFERENCE)
        cpu = _ratio(row.subject, result, 'cpu ratio') / _ratio(row.other, other, 'cpu ratio')
        note += ', {:.3g} to {:.3g} in {} turns; {:.3g} by CPU time'.format(
            own[1] / others[2], own[2] / others[1], turns, cpu)
    return Outcome(row, ours, OTHER_HARDWARE, note)
