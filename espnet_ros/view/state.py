"""Diagnostics as the plain data that the live page shows."""
import time

from espnet_ros.diagnostics import keys
from espnet_ros.monitor.board import WORDS
from espnet_ros.view.frames import OUTPUTS

WAITING = 'waiting for a segmentation node; start one with `ros2 launch espnet_ros segment.launch.py`'


class PageState:
    """What the page shows beside pictures; counts begin with the first answer that it hears of.

    board: a monitor.board.Board of one segmentation node or of all, of which the first is shown.
    """

    def __init__(self, board):
        self._board = board
        self._labels = None
        self._first: dict[str, int] = {}

    def set_labels(self, label_set):
        """Take the LabelSet whose classes the legend names."""
        self._labels = label_set

    def target(self):
        """Return the full name of the segmentation node; None before it is heard."""
        node = self._node(self._board.groups(time.monotonic()))
        return '/' + node.name if node else None

    def waiting(self):
        """Return why there is no node to show, and what to do."""
        others = self._board.others
        if not others:
            return WAITING
        return 'no diagnostics of that node; name one of these with --node: ' + ', '.join(others)

    def camera(self):
        """Return the topic of its images; None before it is known."""
        node = self._node(self._board.groups(time.monotonic()))
        return node.value(keys.INPUT, keys.TOPIC, None) if node else None

    def page(self):
        """Return the state as plain data for JSON."""
        groups = self._board.groups(time.monotonic())
        node = self._node(groups)
        legend = [] if self._labels is None else [[c.name, list(c.color)] for c in self._labels.classes]
        state = {'node': '', 'state': self.waiting(), 'level': 'WARN', 'engine': '', 'rate': '-', 'age': '-',
                 'answered': '-', 'dropped': '-', 'lost': '-', 'outputs': OUTPUTS, 'legend': legend, 'stages': [],
                 'machine': [],
                 'warnings': [[WORDS[alert.level], alert.sentence] for group in groups for alert in group.alerts]}
        if node:
            state.update(self._of_node(node))
        state['machine'] = [[part, group.summary(part), WORDS[group.parts[part].level]] for group in groups
                            if not group.is_node for part in keys.MACHINE_PARTS
                            if group.value(part, keys.MEASURED) == 'yes']
        return state

    def _of_node(self, node):
        counts = {name: keys.count_of(node.parts, key) for name, key in (
            ('answered', keys.PUBLISHED), ('dropped', keys.DROPPED), ('lost', keys.LOST))}
        if counts['answered']:
            if any(value < self._first.get(name, 0) for name, value in counts.items()):
                self._first = {}  # the node was started again
            self._first = self._first or dict(counts, answered=counts['answered'] - 1)
        names = dict(node.parts[keys.LATENCY].values) if keys.LATENCY in node.parts else {}
        rows = {stage: [names.get(keys.latency_key(stage, which), '-') for which in ('p50', 'p95', 'p99')]
                for stage in keys.stages_of(names)}
        age = rows.get(keys.STAMP_TO_OUTPUT)
        engine = [node.summary(keys.ENGINE), *(node.value(keys.ENGINE, key) for key in (
            keys.MODEL, keys.BACKEND, keys.PRECISION, keys.DEVICE, keys.NETWORK_INPUT))]
        return {'node': '/' + node.name, 'state': node.state, 'level': WORDS[node.level],
                'engine': ', '.join(text for text in engine if text != '-'), 'rate': node.value(keys.OUTPUT, keys.RATE),
                'age': '{} / {}'.format(*age) if age else '-', 'stages': [[name, *row] for name, row in rows.items()],
                **{name: value - self._first.get(name, value) for name, value in counts.items()}}

    @staticmethod
    def _node(groups):
        return next((group for group in groups if group.is_node and group.parts), None)

