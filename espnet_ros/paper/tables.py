"""Speed and trained orders as tables in Markdown."""
import pathlib

from espnet_ros.errors import ParameterError
from espnet_ros.files import write_file
from espnet_ros.paper import outcomes, speed, training
from espnet_ros.paper.expected import SIZE

SPEED, ORDERS = 'speed', 'orders'
"""Names of the tables, in the marks <!-- NAME --> and <!-- end of NAME --> of a document."""

_SPEED = (('fig-6', speed.REFERENCE), ('fig-5', 'ESP'))
"""Figures, and the network in each that others are compared with."""
_TITLES = {'torch': 'PyTorch', 'openvino': 'OpenVINO'}


def speed_table(expected, results, engines, machine):
    """Return lines: the speed of the networks of Figs. 6 and 5 in each engine, none where nothing was measured.

    machine: (name, text) pairs, as of performance.environment.
    """
    lines, busy = [], []
    for item, base in _SPEED:
        rows = {row.subject: row for row in expected.items[item].rows if row.quantity.name == 'frames'}
        body = []
        for name, row in rows.items():
            cells = [name, '{:.2f}'.format(row.network.parameters / 1e6)]
            for engine in engines:
                cells += _cells(results, name, base, engine)
                busy += results.get(speed.key(name, SIZE, engine), {}).get('busy') and [name] or []
            if any(cells[2:]):
                ratio = '' if name == base else '≈{:.3g}'.format(rows[base].value / row.value)
                body.append('| {} |'.format(' | '.join([*cells, ratio])))
        if body and any('seconds' in results.get(speed.key(base, SIZE, engine), {}) for engine in engines):
            head = ['network', 'M parameters', *(text.format(_TITLES[engine], base) for engine in engines
                                                 for text in ('{}, ms', '{1} is faster by, {0}')), 'in the paper']
            lines += ['| {} |'.format(' | '.join(head)), '|---|' + '---:|' * (len(head) - 1), *body, '']
    if not lines:
        return []
    about = dict(machine)
    lines.append('{}x{}, fp32, random weights, inference alone, in turns with {}. Milliseconds: the fastest tenth of '
                 'the frames. Factors: median by wall time (interval; by CPU time). {}, {} cores, {}.'.format(
                     *SIZE, speed.REFERENCE, about.get('cpu kind') or about.get('cpu', 'unknown CPU'),
                     about.get('cores', '?'), about.get('date', '')[:10]))
    if busy:
        lines.append('Other programs ran meanwhile, too much for wall times to be trusted: {}.'.format(
            ', '.join(dict.fromkeys(busy))))
    return lines


def _cells(results, name, base, engine):
    """Return milliseconds, and how much faster `base` is, as texts."""
    result = results.get(speed.key(name, SIZE, engine))
    if result is None or 'problem' in result:
        return ['does not run' if result else '', '']
    seconds = '{:.0f}'.format(1000 * result['seconds'])
    found = speed.faster(results, base, name, SIZE, engine) if name != base else None
    return [seconds, '' if found is None else '{:.3g} ({:.3g} to {:.3g}; {:.3g})'.format(*found[:4])]


def orders_table(expected, trainings):
    """Return lines: each pair of networks that the paper orders and that was trained, none without trainings."""
    body = []
    for item in expected.items.values():
        for order in training.orders(item, expected.networks, trainings):
            outcome = outcomes.ordered(order, expected.quantities[outcomes.ORDER], trainings)
            interval = '' if order.low is None else ' ({:+.1f} to {:+.1f})'.format(order.low, order.high)
            body.append('| {} | {} | {}{:+.3g} | {:+.1f}{} | {} of {} | {} |'.format(
                order.better.source.split(',')[0], outcome.row.subject, '≈' if outcome.row.relation == '~' else '',
                outcome.row.value, order.mean, interval, order.agreeing, len(order.differences), outcome.status))
    if not body:
        return []
    return ['| | better in the paper | paper, points of mIOU | ours (95% interval) | seeds in that order | |',
            '|---|---|---:|---:|---:|---|', *body, '',
            'Class mIOU of {}; {}; {}.'.format(trainings.data, ', '.join('`{}`'.format(each) for each in
                                               trainings.settings), ', '.join(
                '{} {}'.format(*each) for each in trainings.versions.items()))]


def insert(path, name, lines):
    """Put lines between the marks of that name in a document. Raises ParameterError, ModelError."""
    path = pathlib.Path(path)
    begin, end = '<!-- {} -->'.format(name), '<!-- end of {} -->'.format(name)
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        raise ParameterError("cannot read '{}': {}".format(path, getattr(error, 'strerror', None) or error))
    before, mark, rest = text.partition(begin)
    inside, last, after = rest.partition(end)
    if not mark or not last:
        raise ParameterError("'{}' has no lines '{}' and '{}', between which the table goes".format(path, begin, end))
    write_file(path, '\n'.join([before + begin, *lines, end + after]).encode())
