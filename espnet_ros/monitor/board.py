"""Diagnostics of the last minute."""
import collections
import math
import threading
import typing

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import ERROR, OK, WARN, Status

HISTORY = 60
"""Readings, and seconds, in sparklines; diagnostics are published once a second."""
SILENT_SECONDS = 3.5
"""A node without diagnostics for this long is regarded as gone."""
MOST_GROUPS, MOST_SERIES = 200, 4000
"""Nodes and machines, and their sparklines, that are kept: any node publishes diagnostics, under any names."""
MOST_OTHERS = 20
"""Nodes that were not asked for and are remembered."""
PERCENT = (keys.GPU, keys.CPU, keys.MEMORY)
"""Parts whose numbers are from 0 to 100."""
STALE = 3
"""The highest level in diagnostic_msgs."""
WORDS = {OK: 'OK', WARN: 'WARN', ERROR: 'ERROR', STALE: 'STALE'}


class Alert(typing.NamedTuple):
    """A problem of a node or machine. part: '' when it concerns all of it."""

    level: int
    owner: str
    part: str
    text: str

    @property
    def sentence(self):
        return ': '.join(filter(None, (self.owner, self.part, self.text)))


class Group(typing.NamedTuple):
    """A segmentation node or a machine: its name, its Status by part, seconds since its last diagnostics.

    Without parts it is a requested node that has published none yet.
    """

    name: str
    parts: dict[str, Status]
    age: float = math.inf

    @property
    def is_node(self):
        """Whether it is a segmentation node."""
        return keys.ENGINE in self.parts or not self.parts

    @property
    def is_silent(self):
        """Whether it has published nothing for SILENT_SECONDS."""
        return self.age > SILENT_SECONDS

    @property
    def level(self):
        """The worst of its levels; ERROR when it is silent."""
        return ERROR if self.is_silent else max(status.level for status in self.parts.values())

    @property
    def state(self):
        """Its level, or for how long it has been silent, in words."""
        if not self.parts:
            return 'no diagnostics yet'
        return 'silent for {:.0f} s'.format(self.age) if self.is_silent else WORDS[self.level]

    @property
    def alerts(self):
        """Its problems, as Alerts."""
        if not self.parts:
            return [Alert(ERROR, self.name, '', 'no diagnostics yet; check with `ros2 node list` whether it runs')]
        if self.is_silent:
            return [Alert(ERROR, self.name, '', self.state + '; has it ended? Values are from before')]
        return [Alert(status.level, self.name, part, status.message)
                for part, status in self.parts.items() if status.level > OK]

    def summary(self, part):
        """Return the state or measurement of a part in a few words; the message where there is no summary."""
        return self.value(part, keys.SUMMARY, self.parts[part].message if part in self.parts else '-')

    def value(self, part, key, default='-'):
        """Return one of the values of a part, a text; `default` where it is absent."""
        return keys.value_of(self.parts, part, key, default)


class Board:
    """Collects Status values, from any thread, and what they were in the last minute.

    nodes: names or namespaces of the segmentation nodes to show; empty for all.
    """

    def __init__(self, nodes=()):
        self._nodes = [name.strip('/') for name in nodes]
        self._others: set[str] = set()
        self._lock = threading.Lock()
        self._parts: dict[str, dict[str, Status]] = {}
        self._heard: dict[str, float] = {}
        self._history: dict[tuple[str, str], collections.deque] = {}

    def add(self, statuses, now):
        """Take the Status values of a message; now: seconds of a steady clock."""
        heard = set()
        with self._lock:
            for status in map(_clean, statuses):
                name, part = keys.split_name(status.name)
                if part == keys.ENGINE and len(self._others) < MOST_OTHERS and not self._is_wanted(name, part):
                    self._others.add(name)
                if (part in keys.MACHINE_PARTS or part in keys.NODE_PARTS and self._is_wanted(name, part)) \
                        and _has_room(self._parts, name, MOST_GROUPS):
                    parts = self._parts.setdefault(name, {})
                    gap = part in parts and now - self._heard[name] > SILENT_SECONDS
                    parts[part] = status
                    heard.add(name)
                    for series, number in _numbers(part, dict(status.values)):
                        if not _has_room(self._history, (name, series), MOST_SERIES):
                            continue
                        line = self._history.setdefault((name, series), collections.deque(maxlen=HISTORY))
                        line.extend(([(now, math.nan)] if gap else []) + [(now, number)])
            self._heard.update(dict.fromkeys(heard, now))

    def groups(self, now):
        """Return the Groups: nodes first, those requested and not seen yet among them, then machines."""
        with self._lock:
            # Other nodes may have an Input or Output, but no Engine.
            found = [Group(name, parts, now - self._heard[name]) for name, parts in self._with_engines().items()
                     if keys.ENGINE in parts or any(part in keys.MACHINE_PARTS for part in parts)]
        found += [Group(name, {}) for name in self._nodes
                  if not any(group.is_node and _is_within(group.name, name) for group in found)]
        return sorted(found, key=lambda group: (not group.is_node, group.name))

    @property
    def others(self):
        """Full names of segmentation nodes that were heard and not asked for, sorted."""
        with self._lock:
            return sorted('/' + name for name in self._others)

    def history(self, group, series, now):
        """Return the numbers of the last minute, oldest first; NaN where it was silent."""
        with self._lock:
            return [number for when, number in self._history.get((group.name, series), ()) if now - when < HISTORY]

    def _with_engines(self):
        """Return the parts by name; several cameras of a node share its Engine, which then has no group of its own."""
        found = {name: dict(parts) for name, parts in self._parts.items()}
        for name, parts in self._parts.items():
            node = keys.node_of(name)
            if keys.ENGINE not in parts and set(self._parts.get(node, ())) == {keys.ENGINE}:
                found[name][keys.ENGINE] = self._parts[node][keys.ENGINE]
                if self._heard[name] > self._heard[node] - SILENT_SECONDS:  # else it has been configured without it
                    found.pop(node, None)
        return found

    def _is_wanted(self, name, part):
        return not self._nodes or any(_is_within(name, wanted) or part == keys.ENGINE and name == keys.node_of(wanted)
                                      for wanted in self._nodes)


def _is_within(name, wanted):
    return name == wanted or name.startswith(wanted + '/')


def _has_room(kept, key, most):
    return key in kept or len(kept) < most


def _clean(status):
    """Return the Status without control characters, which could move the cursor; any node publishes diagnostics."""
    return Status(_printable(status.name), min(status.level, STALE), _printable(status.message),
                  tuple((_printable(key), _printable(value)) for key, value in status.values))


def _printable(text):
    return ''.join(character for character in ' '.join(text.split()) if character.isprintable())


def _numbers(part, values):
    """(series, number) pairs of a part for sparklines."""
    if part == keys.LATENCY:
        medians = [keys.latency_key(stage, 'p50') for stage in keys.stages_of(values)]
        pairs = list(zip(medians, medians))
    elif part == keys.INPUT:
        pairs = [(part, keys.RATE), (keys.DROPPED, keys.DROPPED)]
    else:
        pairs = [(part, keys.READINGS.get(part, keys.RATE))]
    numbers = [(series, _float(values.get(key, ''))) for series, key in pairs]
    return [(series, number) for series, number in numbers if math.isfinite(number)]


def _float(text):
    try:
        return float(text)
    except ValueError:
        return math.nan
