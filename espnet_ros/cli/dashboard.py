"""What diagnostics says, arranged for a terminal."""
import collections
import re
import threading
import typing

from rich.console import Group as Lines
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from espnet_ros.telemetry.status import ERROR, OK, WARN, Status

HISTORY = 60
"""Readings that sparklines show; diagnostics come once a second."""
SILENT_SECONDS = 3.5
"""Without diagnostics for this long, a node is taken to be gone."""
NODE_PARTS = ('Input', 'Output', 'Engine', 'Latency')
MACHINE_PARTS = ('GPU', 'CPU', 'Memory', 'Power', 'Temperature')
UNMEASURED = ('none measured', 'not measured')
"""Messages of parts that this machine does not tell (telemetry.machine)."""
_WORDS = {OK: 'OK', WARN: 'WARN', ERROR: 'ERROR'}
_STYLES = {OK: 'green', WARN: 'yellow', ERROR: 'bold red'}
_BLOCKS, _ASCII = '▁▂▃▄▅▆▇█', '_.-:=+*#'


class Group(typing.NamedTuple):
    """A segmentation node or a machine: its name, its Status by part, seconds since it was last heard."""

    name: str
    parts: dict[str, Status]
    age: float

    @property
    def is_node(self):
        """Whether it is a segmentation node."""
        return any(part in self.parts for part in NODE_PARTS)

    @property
    def is_silent(self):
        """Whether nothing has been heard of it for too long."""
        return self.age > SILENT_SECONDS

    @property
    def level(self):
        """The worst of its levels; ERROR when it is silent."""
        return ERROR if self.is_silent else max(status.level for status in self.parts.values())

    def value(self, part, key, default='-'):
        """Return one of the values of a part, a text."""
        status = self.parts.get(part)
        return default if status is None else dict(status.values).get(key, default)

    @property
    def warnings(self):
        """(level, sentence) of all that is not well."""
        if self.is_silent:
            return [(ERROR, '{}: silent for {:.0f} s; has it ended?'.format(self.name, self.age))]
        return [(status.level, '{}: {}: {}'.format(self.name, part, status.message))
                for part, status in self.parts.items() if status.level > OK]


class Board:
    """Collects Status values, from any thread, and what they were in the last minute.

    nodes: names of the segmentation nodes to show, without leading slash; empty for all.
    """

    def __init__(self, nodes=()):
        self._nodes = {name.lstrip('/') for name in nodes}
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, Status]] = {}
        self._heard: dict[str, float] = {}
        self._history: dict[tuple[str, str], collections.deque] = {}

    def add(self, statuses, now):
        """Take the Status values of a message; now: seconds of a steady clock."""
        with self._lock:
            for status in statuses:
                name, _, part = status.name.rpartition(': ')
                if part in NODE_PARTS and self._nodes and name.lstrip('/') not in self._nodes:
                    continue
                if part in NODE_PARTS or part in MACHINE_PARTS:
                    self._groups.setdefault(name, {})[part] = status
                    self._heard[name] = now
                    for series, number in _numbers(part, status):
                        self._history.setdefault((name, series), collections.deque(maxlen=HISTORY)).append(number)

    def groups(self, now):
        """Return the Groups, nodes first."""
        with self._lock:
            found = [Group(name, dict(parts), now - self._heard[name]) for name, parts in self._groups.items()]
        return sorted(found, key=lambda group: (not group.is_node, group.name))

    def history(self, group, series):
        """Return the numbers of the last minute, oldest first."""
        with self._lock:
            return list(self._history.get((group.name, series), ()))


def _numbers(part, status):
    """(series, number) pairs of a Status that are worth a sparkline."""
    values = dict(status.values)
    if part == 'Latency':
        pairs = [(key, values[key]) for key in values if key.endswith(' p50 (ms)')]
    elif part in ('Input', 'Output'):
        pairs = [(part, values.get('rate (Hz)', ''))]
    else:
        pairs = [(part, number) for number in re.findall(r'\d+(?:\.\d+)?', status.message)[:1]]
    for series, text in pairs:
        try:
            yield series, float(text)
        except ValueError:
            continue


def sparkline(numbers, width, blocks=_BLOCKS):
    """Return the last `width` numbers as a line of blocks; the highest is as high as can be, 0 the lowest."""
    numbers = [number for number in numbers if number == number][-width:]
    top = max(numbers, default=0.0)
    if top <= 0:
        return blocks[0] * len(numbers)
    return ''.join(blocks[min(len(blocks) - 1, int(max(0.0, number) / top * len(blocks)))] for number in numbers)


def plain_line(groups):
    """Return all that matters in one line, for logs."""
    texts = []
    for group in groups:
        if group.is_silent:
            texts.append('{} silent for {:.0f} s'.format(group.name, group.age))
        elif group.is_node:
            texts.append('{} {}: in {} Hz, out {} Hz, dropped {}, {}, engine {}'.format(
                group.name, _WORDS[group.level], group.value('Input', 'rate (Hz)'), group.value('Output', 'rate (Hz)'),
                group.value('Input', 'dropped for a newer image'), _latency(group),
                group.parts['Engine'].message if 'Engine' in group.parts else '-'))
        else:
            texts.append('{} {}: {}'.format(group.name, _WORDS[group.level], ', '.join(
                '{} {}'.format(part, group.parts[part].message) for part in _known(group)
                if group.parts[part].level == OK and group.parts[part].message not in UNMEASURED)))
    return ' | '.join(texts)


def _latency(group):
    return 'latency p50 {} p95 {} ms'.format(*(
        group.value('Latency', 'stamp to output {} (ms)'.format(which)) for which in ('p50', 'p95')))


def draw(board, now, width, is_unicode=True, waiting=''):
    """Return what rich shows at that width: a panel for each Group, then all warnings.

    waiting: the sentence to show while there is nothing.
    """
    groups = board.groups(now)
    if not any(group.is_node for group in groups):
        note = Text(waiting, style='yellow')
        return Lines(note, *(_panel(board, group, width, is_unicode) for group in groups))
    warnings = [warning for group in groups for warning in group.warnings]
    body = Text('all is well', style='green') if not warnings else Text('\n').join(
        Text('{:<5} {}'.format(_WORDS[level], text), style=_STYLES[level]) for level, text in sorted(
            warnings, key=lambda warning: -warning[0]))
    return Lines(*(_panel(board, group, width, is_unicode) for group in groups),
                 Panel(body, title='Warnings', title_align='left', border_style='dim'))


def _panel(board, group, width, is_unicode):
    title = Text(group.name + ' ', style='bold').append(
        'silent' if group.is_silent else _WORDS[group.level], style=_STYLES[group.level])
    content = _node(board, group, width, is_unicode) if group.is_node else _machine(board, group, width, is_unicode)
    return Panel(content, title=title, title_align='left', border_style='dim' if group.is_silent else 'none')


def _node(board, group, width, is_unicode):
    line = _sparks(board, group, width - 44, is_unicode)
    flow = _grid(4)
    for part, counts in (('Input', ('received', 'dropped for a newer image', 'refused', 'lost in transport')),
                         ('Output', ('published', 'failed'))):
        if part in group.parts:
            status = group.parts[part]
            flow.add_row(part, Text('{} Hz'.format(group.value(part, 'rate (Hz)')), style=_STYLES[status.level]),
                         line(part), '')
            flow.add_row('', '', Text(', '.join('{} {}'.format(
                group.value(part, key), key.split(' ')[0] if key != 'lost in transport' else 'lost')
                for key in counts), style='dim'), '')
    times = _grid(5)
    stages = [key[:-len(' p50 (ms)')] for key, _ in _values(group, 'Latency') if key.endswith(' p50 (ms)')]
    if stages:
        times.add_row(*(Text(text, style='dim') for text in ('latency in ms', 'p50', 'p95', 'p99', 'p50, last minute')))
    for stage in stages:
        numbers = [group.value('Latency', '{} {} (ms)'.format(stage, which)) for which in ('p50', 'p95', 'p99')]
        times.add_row(*map(Text, (stage, *numbers)), line(stage + ' p50 (ms)'))
    engine = Text()
    if 'Engine' in group.parts:
        status = group.parts['Engine']
        engine.append('Engine  ').append(status.message if status.level == OK else _WORDS[status.level],
                                         style=_STYLES[status.level])
        facts = [value for key, value in status.values if key in ('backend', 'precision', 'device', 'model') and value]
        sha256 = group.value('Engine', 'sha256', '')
        engine.append('  ' + ', '.join(facts + ([sha256[:12]] if sha256 else [])))
    return Lines(flow, times, engine)


def _machine(board, group, width, is_unicode):
    line = _sparks(board, group, width - 50, is_unicode)
    grid = _grid(3)
    unmeasured = [part for part in _known(group) if group.parts[part].message in UNMEASURED]
    for part in _known(group):
        if part not in unmeasured:
            status = group.parts[part]
            message = status.message if status.level == OK else status.message.split(';')[0]
            grid.add_row(part, Text(message, style=_STYLES[status.level] if status.level else ''), line(part))
    return Lines(grid, Text('not measured here: ' + ', '.join(unmeasured), style='dim')) if unmeasured else grid


def _known(group):
    return [part for part in MACHINE_PARTS if part in group.parts]


def _sparks(board, group, width, is_unicode):
    def line(series):
        return Text(sparkline(board.history(group, series), max(8, min(HISTORY, width)),
                              _BLOCKS if is_unicode else _ASCII), style='cyan', no_wrap=True)
    return line


def _grid(columns):
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns):
        grid.add_column()
    return grid


def _values(group, part):
    return group.parts[part].values if part in group.parts else ()
