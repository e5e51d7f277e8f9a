"""Diagnostics as the plain data that the live page shows."""
import time

from espnet_ros.monitor.board import DROPPED, MACHINE_PARTS, P50, WORDS
from espnet_ros.monitor.dashboard import UNMEASURED
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

    def camera(self):
        """Return the topic of its images; None before it is known."""
        node = self._node(self._board.groups(time.monotonic()))
        topic = node.value('Input', 'topic') if node else '-'
        return None if topic == '-' else topic

    def page(self):
        """Return the state as plain data for JSON."""
        groups = self._board.groups(time.monotonic())
        node = self._node(groups)
        legend = [] if self._labels is None else [[c.name, list(c.color)] for c in self._labels.classes]
        state = {'node': '', 'state': WAITING, 'level': 'WARN', 'engine': '', 'rate': '-', 'age': '-', 'answered': '-',
                 'dropped': '-', 'lost': '-', 'outputs': OUTPUTS, 'legend': legend, 'stages': [], 'machine': [],
                 'warnings': [[WORDS[level], text] for group in groups for level, text in group.warnings]}
        if node:
            state.update(self._of_node(node))
        state['machine'] = [[part, group.message(part), WORDS[group.parts[part].level]] for group in groups
                            if not group.is_node for part in MACHINE_PARTS
                            if part in group.parts and group.message(part) not in UNMEASURED]
        return state

    def _of_node(self, node):
        counts = {name: _count(node.value(part, key)) for name, part, key in (
            ('answered', 'Output', 'published'), ('dropped', 'Input', DROPPED), ('lost', 'Input', 'lost in transport'))}
        if counts['answered']:
            if any(value < self._first.get(name, 0) for name, value in counts.items()):
                self._first = {}  # the node was started again
            self._first = self._first or dict(counts, answered=counts['answered'] - 1)
        stages = [key[:-len(P50)] for key, _ in node.parts['Latency'].values if key.endswith(P50)] if (
            'Latency' in node.parts) else []
        rows = [[stage, *(node.value('Latency', '{} {} (ms)'.format(stage, which)) for which in ('p50', 'p95', 'p99'))]
                for stage in stages]
        age = next((row for row in rows if row[0] == 'stamp to output'), None)
        engine = [node.message('Engine'), *(node.value('Engine', key) for key in (
            'model', 'backend', 'precision', 'device', 'network input'))]
        return {'node': '/' + node.name, 'state': node.state, 'level': 'ERROR' if node.is_silent else WORDS[node.level],
                'engine': ', '.join(text for text in engine if text != '-'), 'rate': node.value('Output', 'rate (Hz)'),
                'age': '-' if age is None else '{} / {}'.format(age[1], age[2]), 'stages': rows,
                **{name: value - self._first.get(name, value) for name, value in counts.items()}}

    @staticmethod
    def _node(groups):
        return next((group for group in groups if group.is_node and group.parts), None)


def _count(text):
    return int(text) if text.isdigit() else 0
