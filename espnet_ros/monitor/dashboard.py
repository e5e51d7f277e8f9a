"""Diagnostics as panels for a terminal."""
import math
import typing

from rich.console import Group as Lines
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import ERROR, OK, WARN
from espnet_ros.monitor.board import HISTORY, PERCENT, STALE, WORDS

WIDE = 140
"""Terminal width from which machines are placed beside the nodes."""
_STYLES = {OK: 'green', WARN: 'yellow', ERROR: 'bold red', STALE: 'yellow'}
_BLOCKS, _ASCII = '▁▂▃▄▅▆▇', '_.-:=+*#'  # without the full block, which would join what stands below each other


def sparkline(numbers, width, blocks=_BLOCKS, top=0.0):
    """Return numbers as a line of at most `width` blocks, a space for NaN; where several share a block, the highest.

    0 is the lowest block; the highest is `top`, or the highest number where that is more.
    """
    cells = min(width, len(numbers))
    peaks = []
    for cell in range(cells):
        shared = numbers[cell * len(numbers) // cells:(cell + 1) * len(numbers) // cells]
        peaks.append(max((number for number in shared if number == number), default=math.nan))
    top = max([top] + [peak for peak in peaks if peak == peak])
    return ''.join(' ' if peak != peak else blocks[0] if top <= 0 else blocks[
        min(len(blocks) - 1, int(max(0.0, peak) / top * len(blocks)))] for peak in peaks)


def plain_line(groups):
    """Return the main numbers in one line, for logs."""
    texts = []
    for group in groups:
        what = group.name + ' ' + group.state
        if not group.is_silent and group.is_node:
            what += ': in {} Hz, out {} Hz{}, dropped {}, latency p50 {} p95 {} p99 {} ms, engine {}'.format(
                group.value(keys.INPUT, keys.RATE), group.value(keys.OUTPUT, keys.RATE), _reason(group, ' ({})'),
                group.value(keys.INPUT, keys.DROPPED), *_percentiles(group, keys.STAMP_TO_OUTPUT),
                group.summary(keys.ENGINE))
        elif not group.is_silent:
            what += ': ' + ', '.join('{} {}'.format(part, group.summary(part)) for part in _measured(group))
        texts.append(what)
    return ' | '.join(texts)


def draw(board, now, width, is_unicode=True, waiting=''):
    """Return a rich renderable of that width: problems first, then a panel for each Group.

    waiting: the sentence to show while there is no segmentation node.
    """
    groups = board.groups(now)
    alerts = sorted((alert for group in groups for alert in group.alerts), key=lambda alert: -alert.level)
    # At the top: a low terminal cuts off the bottom.
    top: list[typing.Any] = []
    if not any(group.is_node and group.parts for group in groups):
        top.append(Text(waiting, style='yellow'))
    elif not alerts:
        top.append(Text('  no problems', style='green'))
    if alerts:
        table = _grid((0, 'left'), (0, 'left'))
        for alert in alerts:
            table.add_row(Text(WORDS[alert.level], style=_STYLES[alert.level]), Text(alert.sentence))
        top.append(Panel(table, title=Text('problems', style='bold'), title_align='left',
                         border_style=_STYLES[alerts[0].level]))
    heard = [group for group in groups if group.parts]
    nodes, machines = ([group for group in heard if group.is_node is kind] for kind in (True, False))
    if width < WIDE or not nodes or not machines:
        return Lines(*top, *(_panel(board, group, now, width, is_unicode) for group in nodes + machines))
    left = width * 3 // 5
    beside = Table.grid()
    beside.add_column(width=left)
    beside.add_column(width=width - left)
    beside.add_row(Lines(*(_panel(board, group, now, left, is_unicode) for group in nodes)),
                   Lines(*(_panel(board, group, now, width - left, is_unicode) for group in machines)))
    return Lines(*top, beside)


def _panel(board, group, now, width, is_unicode):
    title = Text().append(group.name, style='bold not dim default').append(
        '  ' + group.state, style='not dim ' + _STYLES[group.level])

    def line(series, together=()):
        """The sparkline of a series; those `together` with it have one scale."""
        top = 100.0 if series in PERCENT else max(
            [number for other in together for number in board.history(group, other, now) if number == number] or [0.0])
        # Beside the longest name, three numbers and a frame.
        return Text(sparkline(board.history(group, series, now), max(8, min(HISTORY, width - 46)),
                              _BLOCKS if is_unicode else _ASCII, top), style='cyan', no_wrap=True)
    content = _node(board, group, now, line) if group.is_node else _machine(group, line)
    return Panel(content, title=title, title_align='left', style='dim' if group.is_silent else 'none',
                 border_style='dim' if group.level == OK else _STYLES[group.level])


def _node(board, group, now, line):
    flow = _grid((15, 'left'), (5, 'right'), (5, 'right'), (5, 'right'), (0, 'left'))
    rates = (keys.INPUT, keys.OUTPUT)
    for part in rates:
        if part in group.parts:
            flow.add_row(part.lower(), Text(group.value(part, keys.RATE), style=_STYLES[group.parts[part].level]),
                         'Hz', '', line(part, rates))
    stages = keys.stages_of(key for key, _ in group.parts[keys.LATENCY].values) if keys.LATENCY in group.parts else []
    if stages:
        flow.add_row(*(Text(text, style='dim') for text in ('latency (ms)', 'p50', 'p95', 'p99', 'p50, last minute')))
    for stage in stages:
        style = 'bold' if stage == keys.STAMP_TO_OUTPUT else ''
        flow.add_row(Text(stage, style=style), *(Text(number, style=style) for number in _percentiles(group, stage)),
                     line(keys.latency_key(stage, 'p50'), [keys.latency_key(other, 'p50') for other in stages]))
    facts = _grid((0, 'left'), (0, 'left'))
    if keys.INPUT in group.parts:
        received, dropped, refused, lost = (group.value(keys.INPUT, key) for key in (
            keys.RECEIVED, keys.DROPPED, keys.REFUSED, keys.LOST))
        facts.add_row('images', Text('{} received, {} dropped{}, {} refused, {} lost'.format(
            received, dropped, _newly_dropped(board, group, now), refused, lost)))
    if keys.OUTPUT in group.parts:
        facts.add_row('results', Text('{} published, {} failed{}'.format(
            group.value(keys.OUTPUT, keys.PUBLISHED), group.value(keys.OUTPUT, keys.IMAGES_FAILED),
            _reason(group, '; {}'))))
    engine = Text(group.summary(keys.ENGINE), style=_STYLES[group.parts[keys.ENGINE].level])
    facts.add_row('engine', engine.append(
        _joined(group, keys.BACKEND, keys.PRECISION, keys.DEVICE, keys.STEP), style='default'))
    model = group.value(keys.ENGINE, keys.MODEL)
    if model != '-':
        sha256 = group.value(keys.ENGINE, keys.WEIGHTS)[:12]
        facts.add_row('model', Text('{} ({}){}'.format(model, sha256, _joined(group, keys.NETWORK_INPUT))))
    return Lines(flow, Text(), facts)


def _reason(group, template):
    """Why there is no output, in the template; empty while there is output."""
    is_running = group.value(keys.OUTPUT, keys.PHASE, keys.RUNNING) == keys.RUNNING
    return '' if is_running else template.format(group.summary(keys.OUTPUT))


def _joined(group, *names):
    return ''.join(', ' + value for value in (group.value(keys.ENGINE, name) for name in names) if value != '-')


def _newly_dropped(board, group, now):
    counts = [count for count in board.history(group, keys.DROPPED, now) if count == count]
    new = sum(max(0, after - before) for before, after in zip(counts, counts[1:]))  # a node started again counts from 0
    return ' ({:.0f} in the last minute)'.format(new) if new else ''


def _machine(group, line):
    grid = _grid((15, 'left'), (19, 'left'), (0, 'left'))
    for part in _measured(group):
        level = group.parts[part].level
        grid.add_row(part, Text(group.summary(part), style='' if level == OK else _STYLES[level]), line(part))
    unmeasured = [part for part in keys.MACHINE_PARTS if part in group.parts and part not in _measured(group)]
    return Lines(grid, *([Text('not measured here: ' + ', '.join(unmeasured), style='dim')] if unmeasured else []))


def _measured(group):
    return [part for part in keys.MACHINE_PARTS
            if part in group.parts and group.value(part, keys.MEASURED, 'yes') == 'yes']


def _percentiles(group, stage):
    return [group.value(keys.LATENCY, keys.latency_key(stage, which)) for which in ('p50', 'p95', 'p99')]


def _grid(*columns):
    """A table without lines: least width and alignment of each column."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for width, alignment in columns:
        grid.add_column(min_width=width, justify=alignment)
    return grid
