"""Diagnostics arranged for a terminal."""
import io

import pytest
from rich.console import Console

from espnet_ros.diagnostics.latency import Percentiles
from espnet_ros.diagnostics.status import (
    OK,
    WARN,
    EngineState,
    InputState,
    OutputState,
    Status,
    engine_status,
    input_status,
    latency_status,
    output_status,
)
from espnet_ros.monitor.board import Board
from espnet_ros.monitor.dashboard import draw, plain_line, sparkline

BUSY = '97% busy; end other programs or lower max_rate'
NAN = float('nan')


def node(name='espnet', rate=10.0, p50=0.02, max_latency=0.0, problem='', subscribers=1, dropped=67):
    """What a segmentation node says."""
    return [
        input_status(name + ': Input', InputState(True, '/camera/image_raw', 1, rate, 1234, 5, dropped, 8, 0.1)),
        latency_status(name + ': Latency', {
            'inference': Percentiles(p50 / 2, p50, 2 * p50), 'stamp to output': Percentiles(p50, 2 * p50, 3 * p50)},
            max_latency),
        engine_status(name + ': Engine', EngineState('ready', 2.0, problem, (
            ('model', 'camvid'), ('weights SHA-256', 'abcdef0123456789'), ('network input', '480x360'),
            ('backend', 'openvino'), ('device', 'CPU, 2 threads'), ('precision', 'bf16')))),
        output_status(name + ': Output', OutputState(True, True, subscribers, rate - 1, 1100, 3, 2))]


def machine(cpu='42%', level=OK, load='42'):
    return [Status('robot: CPU', level, cpu, (('load (%)', load), ('summary', load + '%'))),
            Status('robot: GPU', OK, 'not measured', (('measured', 'no'),)),
            Status('robot: Memory', OK, '18% of 23.5 GiB', (('used (%)', '25'),))]


def text(board, now, width=100, is_unicode=True, waiting='nothing yet'):
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(draw(board, now, width, is_unicode, waiting))
    return '\n'.join(line.rstrip() for line in console.file.getvalue().splitlines())


def words(shown):
    return ' '.join(shown.replace('│', ' ').split())


@pytest.fixture
def board():
    """A node and a machine for 70 s; the CPU is busy at last, latency doubles in the middle of the last minute."""
    found = Board()
    for second in range(70):
        found.add(node(p50=0.01 * (1 + second // 40)), second)
        found.add(machine(BUSY, WARN, '97') if second > 60 else machine(), second)
    return found


AT_60 = """\
╭─ problems ───────────────────────────────────────────────╮
│ WARN  robot: CPU: 97% busy; end other programs or lower  │
│       max_rate                                           │
╰──────────────────────────────────────────────────────────╯
╭─ espnet  OK ─────────────────────────────────────────────╮
│ input            10.00     Hz         ▇▇▇▇▇▇▇▇▇▇▇▇▇▇     │
│ output            9.00     Hz         ▇▇▇▇▇▇▇▇▇▇▇▇▇▇     │
│ latency (ms)       p50    p95    p99  p50, last minute   │
│ inference         10.0   20.0   40.0  ▂▂▂▂▂▂▂▄▄▄▄▄▄▄     │
│ stamp to output   20.0   40.0   60.0  ▄▄▄▄▄▄▄▇▇▇▇▇▇▇     │
│                                                          │
│ images   1234 received, 67 dropped, 8 refused, 5 lost    │
│ results  1100 published, 2 failed                        │
│ engine   ready, openvino, bf16, CPU, 2 threads           │
│ model    camvid (abcdef012345), 480x360                  │
╰──────────────────────────────────────────────────────────╯
╭─ robot  WARN ────────────────────────────────────────────╮
│ CPU              97%                  ▃▃▃▃▃▃▃▃▃▃▃▃▇▇     │
│ Memory           18% of 23.5 GiB      ▂▂▂▂▂▂▂▂▂▂▂▂▂▂     │
│ not measured here: GPU                                   │
╰──────────────────────────────────────────────────────────╯"""


def test_layout_at_60_columns(board):
    assert text(board, 69.5, 60) == AT_60


def test_layout_at_80_columns(board):
    lines = text(board, 69.5, 80).splitlines()
    assert len(lines) == 20 and {len(line) for line in lines} == {80}
    assert lines[1].strip('│ ') == 'WARN  robot: CPU: 97% busy; end other programs or lower max_rate'
    assert lines[8].strip('│ ') == 'stamp to output   20.0   40.0   60.0  ' + 17 * '▄' + 17 * '▇'


def test_layout_at_160_columns_has_the_machine_beside_the_node(board):
    lines = text(board, 69.5, 160).splitlines()
    assert len(lines) == 15 and max(map(len, lines)) == 160
    assert lines[3].startswith('╭─ espnet  OK ──') and '╮╭─ robot  WARN ──' in lines[3]
    assert lines[4].split() == ['│', 'input', '10.00', 'Hz', 50 * '▇', '││', 'CPU', '97%',
                                15 * '▃' + 3 * '▇', '│']


def test_without_unicode(board):
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding='ascii'), width=60, color_system=None)
    console.print(draw(board, 69.5, 60, False))
    console.file.seek(0)
    lines = console.file.read().splitlines()
    assert lines[4] == '+- espnet  OK ---------------------------------------------+'
    assert lines[9] == '| stamp to output   20.0   40.0   60.0  =======#######     |'


@pytest.mark.parametrize('numbers, width, expected', [
    ([], 8, ''), ([0, 0], 8, '▁▁'), ([1, 2, 4, 8], 8, '▁▂▄▇'), ([NAN, 5], 8, ' ▇'), ([NAN], 8, ' '), ([-3, 3], 8, '▁▇'),
    ([8, 1, 2, 4, 8, 1], 3, '▇▄▇'), ([1, NAN, NAN, NAN, 8, 8], 3, '▁ ▇')])
def test_sparkline(numbers, width, expected):
    assert sparkline(numbers, width) == expected


def test_sparkline_without_unicode_and_with_a_top():
    assert sparkline([1, 2, 4, 8], 8, '_.-:=+*#') == '.-=#'
    assert sparkline([25, 50, 100], 8, top=100.0) == '▂▄▇' and sparkline([25], 8) == '▇'


def test_warnings_with_their_remedies():
    board = Board()
    board.add(node(max_latency=0.03, problem='TensorRT is not installed'), 0)
    board.add(machine(BUSY, WARN), 0)
    shown = words(text(board, 0.5))
    assert 'espnet WARN' in shown and 'robot WARN' in shown
    assert ('WARN espnet: Latency: output is 40 ms old at the 95th percentile, more than 30 ms; lower the input size, '
            'or use a faster engine') in shown
    assert 'WARN espnet: Engine: ready: TensorRT is not installed' in shown and 'engine ready, openvino' in shown
    assert 'WARN robot: CPU: ' + BUSY in shown and 'no problems' not in shown


def test_what_is_silent_is_called_so():
    board = Board()
    board.add(node(), 0)
    board.add(machine(), 9)
    shown = words(text(board, 10))
    assert 'ERROR espnet: silent for 10 s; has it ended? Values are from before' in shown
    assert 'espnet silent for 10 s ─' in shown and 'robot OK' in shown
    assert plain_line(board.groups(10)) == 'espnet silent for 10 s | robot OK: CPU 42%, Memory 18% of 23.5 GiB'
    board.add(node(), 11)
    assert 'silent' not in text(board, 11)


def test_nothing_heard():
    board = Board()
    assert text(board, 0) == 'nothing yet'
    board.add(machine(), 0)
    assert text(board, 0).startswith('nothing yet\n╭─ robot  OK ─')
    board.add(machine(BUSY, WARN), 1)
    assert 'nothing yet' in text(board, 1) and 'WARN robot: CPU: ' + BUSY in words(text(board, 1))
    shown = words(text(Board(['/front']), 0))
    assert shown.startswith('nothing yet ') and 'ERROR front: no diagnostics yet' in shown


def test_new_drops_are_told_also_when_the_node_starts_again():
    board = Board()
    for second, dropped in enumerate((60, 62, 67, 0, 4)):
        board.add(node(dropped=dropped), second)
    assert '4 dropped (11 in the last minute), 8 refused' in words(text(board, 4))


def test_an_idle_node_says_why():
    board = Board()
    board.add(node(subscribers=0), 0)
    assert 'results 1100 published, 2 failed; idle: nobody subscribes' in words(text(board, 0))
    assert 'out 9.00 Hz (idle: nobody subscribes), dropped 67' in plain_line(board.groups(0))


def test_plain_line():
    board = Board(['espnet', 'rear'])
    board.add(node(), 0)
    assert plain_line(board.groups(0)) == (
        'espnet OK: in 10.00 Hz, out 9.00 Hz, dropped 67, latency p50 20.0 p95 40.0 p99 60.0 ms, engine ready'
        ' | rear no diagnostics yet')


def test_half_of_a_node_and_odd_values_do_no_harm():
    board = Board()
    board.add([Status('espnet: Engine', OK, 'not configured', ())], 0)
    assert 'not configured' in text(board, 0) and 'engine not configured' in plain_line(board.groups(0))
    board.add([Status('espnet: Latency', OK, '', (('x p50 (ms)', 'many'),)),
               Status('espnet: Input', OK, '[bold]', (('rate (Hz)', '[red]5'), ('received', '[/x]')))], 0)
    assert '[red]5' in text(board, 0) and '[/x] received' in text(board, 0)
