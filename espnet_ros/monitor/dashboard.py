"""What diagnostics says, arranged for a terminal."""
import math
import typing

from rich.console import Group as Lines
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from espnet_ros.diagnostics.status import ERROR, OK, WARN
from espnet_ros.monitor.board import DROPPED, HISTORY, MACHINE_PARTS, P50, PERCENT, STALE, WORDS

WIDE = 140
"""Columns from which machines stand beside the nodes."""
UNMEASURED = ('none measured', 'not measured')
"""Messages of parts that this machine does not tell (telemetry.machine)."""
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
    """Return all that matters in one line, for logs."""
    texts = []
    for group in groups:
        what = group.name + ' ' + group.state
        if not group.is_silent and group.is_node:
            rest = group.message('Output')
            what += ': in {} Hz, out {} Hz{}, dropped {}, latency p50 {} p95 {} p99 {} ms, engine {}'.format(
                group.value('Input', 'rate (Hz)'), group.value('Output', 'rate (Hz)'),
                '' if rest.endswith(' Hz') else ' ({})'.format(rest), group.value('Input', DROPPED),
                *_percentiles(group, 'stamp to output'), group.message('Engine'))
        elif not group.is_silent:
            what += ': ' + ', '.join('{} {}'.format(part, group.message(part)) for part in _measured(group))
        texts.append(what)
    return ' | '.join(texts)


def draw(board, now, width, is_unicode=True, waiting=''):
    """Return what rich shows at that width: what is wrong, then a panel for each Group.

    waiting: the sentence to show while no segmentation node has been heard.
    """
    groups = board.groups(now)
    warnings = sorted((warning for group in groups for warning in group.warnings), key=lambda warning: -warning[0])
    # On top: a low terminal cuts off what is below.
    top: list[typing.Any] = []
    if not any(group.is_node and group.parts for group in groups):
        top.append(Text(waiting, style='yellow'))
    elif not warnings:
        top.append(Text('  all is well', style='green'))
    if warnings:
        table = _grid((0, 'left'), (0, 'left'))
        for level, text in warnings:
            table.add_row(Text(WORDS[level], style=_STYLES[level]), Text(text))
        top.append(Panel(table, title=Text('Look here', style='bold'), title_align='left',
                         border_style=_STYLES[warnings[0][0]]))
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
    rates = ('Input', 'Output')
    for part in rates:
        if part in group.parts:
            flow.add_row(part.lower(), Text(group.value(part, 'rate (Hz)'), style=_STYLES[group.parts[part].level]),
                         'Hz', '', line(part, rates))
    times = group.parts['Latency'].values if 'Latency' in group.parts else ()
    stages = [key[:-len(P50)] for key, _ in times if key.endswith(P50)]
    if stages:
        flow.add_row(*(Text(text, style='dim') for text in ('latency (ms)', 'p50', 'p95', 'p99', 'p50, last minute')))
    for stage in stages:
        style = 'bold' if stage == 'stamp to output' else ''
        flow.add_row(Text(stage, style=style), *(Text(number, style=style) for number in _percentiles(group, stage)),
                     line(stage + P50, [other + P50 for other in stages]))
    facts = _grid((0, 'left'), (0, 'left'))
    if 'Input' in group.parts:
        facts.add_row('images', Text('{} received, {} dropped{}, {} refused, {} lost'.format(
            *(group.value('Input', key) for key in ('received', DROPPED)), _newly_dropped(board, group, now),
            *(group.value('Input', key) for key in ('refused', 'lost in transport')))))
    if 'Output' in group.parts:
        message = group.message('Output')
        facts.add_row('results', Text('{} published, {} failed{}'.format(
            group.value('Output', 'published'), group.value('Output', 'failed'),
            '' if message.endswith(' Hz') else '; ' + message)))
    engine = Text(group.message('Engine'), style=_STYLES[group.parts['Engine'].level])
    facts.add_row('engine', engine.append(_joined(group, 'backend', 'precision', 'device', 'step'), style='default'))
    model = group.value('Engine', 'model')
    if model != '-':
        sha256 = group.value('Engine', 'weights SHA-256')[:12]
        facts.add_row('model', Text('{} ({}){}'.format(model, sha256, _joined(group, 'network input'))))
    return Lines(flow, Text(), facts)


def _joined(group, *keys):
    return ''.join(', ' + value for value in (group.value('Engine', key) for key in keys) if value != '-')


def _newly_dropped(board, group, now):
    counts = [count for count in board.history(group, DROPPED, now) if count == count]
    new = sum(max(0, after - before) for before, after in zip(counts, counts[1:]))  # a node started again counts from 0
    return ' ({:.0f} in the last minute)'.format(new) if new else ''


def _machine(group, line):
    grid = _grid((15, 'left'), (19, 'left'), (0, 'left'))
    for part in _measured(group):
        level = group.parts[part].level
        grid.add_row(part, Text(group.message(part), style='' if level == OK else _STYLES[level]), line(part))
    unmeasured = [part for part in MACHINE_PARTS if part in group.parts and part not in _measured(group)]
    return Lines(grid, *([Text('not measured here: ' + ', '.join(unmeasured), style='dim')] if unmeasured else []))


def _measured(group):
    return [part for part in MACHINE_PARTS if part in group.parts and group.parts[part].message not in UNMEASURED]


def _percentiles(group, stage):
    return [group.value('Latency', '{} {} (ms)'.format(stage, which)) for which in ('p50', 'p95', 'p99')]


def _grid(*columns):
    """A table without lines: least width and alignment of each column."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for width, alignment in columns:
        grid.add_column(min_width=width, justify=alignment)
    return grid
