"""What diagnostics said in the last minute."""
import collections
import math
import re
import threading
import typing

from espnet_ros.diagnostics.status import ERROR, OK, WARN, Status

HISTORY = 60
"""Readings and seconds that sparklines show; diagnostics come once a second."""
SILENT_SECONDS = 3.5
"""Without diagnostics for this long, a node is taken to be gone."""
NODE_PARTS = ('Input', 'Output', 'Engine', 'Latency')
MACHINE_PARTS = ('GPU', 'CPU', 'Memory', 'Power', 'Temperature')
PERCENT = ('GPU', 'CPU', 'Memory')
"""Those whose numbers are from 0 to 100."""
STALE = 3
"""The highest level that others' diagnostics know."""
WORDS = {OK: 'OK', WARN: 'WARN', ERROR: 'ERROR', STALE: 'STALE'}
DROPPED = 'dropped for a newer image'
"""A value of an Input."""
P50 = ' p50 (ms)'
"""What a stage's median is called after it, in a Latency."""


class Group(typing.NamedTuple):
    """A segmentation node or a machine: its name, its Status by part, seconds since it was last heard.

    Without parts it is a node that somebody asked for and that never was heard.
    """

    name: str
    parts: dict[str, Status]
    age: float = math.inf

    @property
    def is_node(self):
        """Whether it is a segmentation node."""
        return 'Engine' in self.parts or not self.parts

    @property
    def is_silent(self):
        """Whether nothing has been heard of it for too long."""
        return self.age > SILENT_SECONDS

    @property
    def level(self):
        """The worst of its levels; ERROR when it is silent."""
        return ERROR if self.is_silent else max(status.level for status in self.parts.values())

    @property
    def state(self):
        """Its health and since when, in words."""
        if not self.parts:
            return 'not heard yet'
        return 'silent for {:.0f} s'.format(self.age) if self.is_silent else WORDS[self.level]

    @property
    def warnings(self):
        """(level, sentence) of all that is not well."""
        if not self.parts:
            return [(ERROR, '{}: not heard yet; see with `ros2 node list` whether it runs'.format(self.name))]
        if self.is_silent:
            return [(ERROR, '{}: {}; has it ended? What is shown is from before'.format(self.name, self.state))]
        return [(status.level, '{}: {}: {}'.format(self.name, part, status.message))
                for part, status in self.parts.items() if status.level > OK]

    def message(self, part):
        """Return what a part says, without problem or remedy."""
        if part not in self.parts:
            return '-'
        status = self.parts[part]
        return status.message if status.level == OK else re.split('[;:] ', status.message)[0]

    def value(self, part, key):
        """Return one of the values of a part, a text; '-' when it is not told."""
        return dict(self.parts[part].values).get(key, '-') if part in self.parts else '-'


class Board:
    """Collects Status values, from any thread, and what they were in the last minute.

    nodes: names or namespaces of the segmentation nodes to show; empty for all.
    """

    def __init__(self, nodes=()):
        self._nodes = [name.strip('/') for name in nodes]
        self._lock = threading.Lock()
        self._parts: dict[str, dict[str, Status]] = {}
        self._heard: dict[str, float] = {}
        self._history: dict[tuple[str, str], collections.deque] = {}

    def add(self, statuses, now):
        """Take the Status values of a message; now: seconds of a steady clock."""
        heard = set()
        with self._lock:
            for status in map(_clean, statuses):
                name, _, part = status.name.rpartition(': ')
                if part in MACHINE_PARTS or part in NODE_PARTS and self._is_wanted(name):
                    parts = self._parts.setdefault(name, {})
                    gap = part in parts and now - self._heard[name] > SILENT_SECONDS
                    parts[part] = status
                    heard.add(name)
                    for series, number in _numbers(part, dict(status.values)):
                        line = self._history.setdefault((name, series), collections.deque(maxlen=HISTORY))
                        line.extend(([(now, math.nan)] if gap else []) + [(now, number)])
            self._heard.update(dict.fromkeys(heard, now))

    def groups(self, now):
        """Return the Groups: nodes first, those asked for and never heard among them, then machines."""
        with self._lock:
            # Others' nodes have an Input or an Output, too, but no Engine.
            found = [Group(name, dict(parts), now - self._heard[name]) for name, parts in self._parts.items()
                     if 'Engine' in parts or any(part in MACHINE_PARTS for part in parts)]
        found += [Group(name, {}) for name in self._nodes
                  if not any(group.is_node and _is_within(group.name, name) for group in found)]
        return sorted(found, key=lambda group: (not group.is_node, group.name))

    def history(self, group, series, now):
        """Return the numbers of the last minute, oldest first; NaN where it was silent."""
        with self._lock:
            return [number for when, number in self._history.get((group.name, series), ()) if now - when < HISTORY]

    def _is_wanted(self, name):
        return not self._nodes or any(_is_within(name, wanted) for wanted in self._nodes)


def _is_within(name, wanted):
    return name == wanted or name.startswith(wanted + '/')


def _clean(status):
    """Return the Status without what could move a terminal's cursor; others publish diagnostics, too."""
    return Status(_printable(status.name), min(status.level, STALE), _printable(status.message),
                  tuple((_printable(key), _printable(value)) for key, value in status.values))


def _printable(text):
    return ''.join(character for character in ' '.join(text.split()) if character.isprintable())


def _numbers(part, values):
    """(series, number) pairs of a part's values that are worth a sparkline."""
    if part == 'Latency':
        pairs = [(key, _floats(values, re.escape(key))) for key in values if key.endswith(P50)]
    elif part == 'Input':
        pairs = [(part, _floats(values, r'rate \(Hz\)')), (DROPPED, _floats(values, DROPPED))]
    elif part == 'Memory':
        used, total = (_floats(values, what + r' \(MiB\)') for what in ('used', 'total'))
        pairs = [(part, [100 * used[0] / total[0]] if used and total and total[0] > 0 else [])]
    elif part == 'CPU':
        cores = _floats(values, r'core \d+ \(%\)')
        pairs = [(part, [sum(cores) / len(cores)] if cores else [])]
    else:
        pairs = [(part, _floats(values, _PATTERNS.get(part, '')))]
    return [(series, max(numbers)) for series, numbers in pairs if numbers]


_PATTERNS = {'Output': r'rate \(Hz\)', 'GPU': r'.*load \(%\)', 'Power': r'total \(W\)', 'Temperature': r'.* \(C\)'}


def _floats(values, pattern):
    """The finite numbers among the values whose whole key is `pattern`."""
    found = []
    for key, text in values.items():
        if re.fullmatch(pattern, key):
            try:
                found.append(float(text))
            except ValueError:
                continue
    return [number for number in found if math.isfinite(number)]
