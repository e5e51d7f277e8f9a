"""Diagnostics arranged for a terminal."""
import io

import pytest
from rich.console import Console

from espnet_ros.cli.dashboard import Board, draw, plain_line, sparkline
from espnet_ros.telemetry.latency import Percentiles
from espnet_ros.telemetry.status import (
    ERROR,
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


def node(name='espnet', rate=10.0, p50=0.02, max_latency=0.0, problem=''):
    """What a segmentation node says."""
    return [
        input_status(name + ': Input', InputState(True, '/camera/image_raw', 1, rate, 1234, 5, 67, 8, 0.1)),
        latency_status(name + ': Latency', {
            'inference': Percentiles(p50 / 2, p50, 2 * p50), 'stamp to output': Percentiles(p50, 2 * p50, 3 * p50)},
            max_latency),
        engine_status(name + ': Engine', EngineState('ready', 2.0, problem, (
            ('model', 'camvid'), ('sha256', 'abcdef0123456789'), ('backend', 'openvino'), ('precision', 'bf16')))),
        output_status(name + ': Output', OutputState(True, True, 1, rate - 1, 1100, 3, 2))]


def machine(cpu='42%', level=OK):
    return [Status('robot: CPU', level, cpu, ()), Status('robot: GPU', OK, 'none measured', ()),
            Status('robot: Memory', OK, '18% of 23.5 GiB', ())]


def text(board, now, width=100, is_unicode=True, waiting='nothing yet'):
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(draw(board, now, width, is_unicode, waiting))
    return console.file.getvalue()


@pytest.mark.parametrize('numbers, width, expected', [
    ([], 8, ''), ([0, 0], 8, '▁▁'), ([1, 2, 4, 8], 8, '▂▃▅█'), ([8, 1, 2, 4, 8], 4, '▂▃▅█'),
    ([float('nan'), 5], 8, '█'), ([-3, 3], 8, '▁█')])
def test_sparkline(numbers, width, expected):
    assert sparkline(numbers, width) == expected


def test_sparkline_without_unicode():
    assert sparkline([1, 2, 4, 8], 8, '_.-:=+*#') == '.-=#'


@pytest.mark.parametrize('width', [60, 80, 160])
def test_all_that_matters_is_shown_at_any_width(width):
    board = Board()
    for second in range(70):
        board.add(node(rate=10 + second % 3), second)
        board.add(machine(), second)
    shown = text(board, 69.5, width)
    assert all(len(line) <= width for line in shown.splitlines())
    for piece in ('espnet OK', '10.00 Hz', '9.00 Hz', 'inference', '20.0', '40.0', '60.0', 'ready', 'CPU', '42%',
                  'not measured here: GPU', 'all is well'):
        assert piece in shown, piece
    words = ' '.join(shown.replace('│', ' ').split())
    assert '1234 received, 67 dropped, 8 refused, 5 lost' in words and 'camvid, openvino, bf16, abcdef012345' in words


def test_the_last_minute_is_drawn():
    board = Board()
    for second in range(100):
        board.add(node(p50=0.01 * (1 + second // 50)), second)
    line = next(line for line in text(board, 99, 160).splitlines() if 'stamp to output' in line)
    assert line.count('▅') == 10 and line.count('█') == 50


def test_warnings_with_their_remedies():
    board = Board()
    board.add(node(max_latency=0.03, problem='TensorRT is not installed'), 0)
    board.add(machine('95% busy; end other programs or lower max_rate', WARN), 0)
    shown = ' '.join(text(board, 0.5).replace('│', ' ').split())
    assert 'espnet WARN' in shown and 'robot WARN' in shown
    assert 'WARN espnet: Latency: output is 40 ms old at the 95th percentile, more than 30 ms; lower the input' in shown
    assert 'WARN espnet: Engine: ready: TensorRT is not installed' in shown
    assert 'WARN robot: CPU: 95% busy; end other programs or lower max_rate' in shown and 'all is well' not in shown


def test_what_is_silent_is_called_so():
    board = Board()
    board.add(node(), 0)
    board.add(machine(), 9)
    shown = text(board, 10)
    assert 'espnet silent' in shown and 'ERROR espnet: silent for 10 s; has it ended?' in shown and 'robot OK' in shown
    assert plain_line(board.groups(10)) == 'espnet silent for 10 s | robot OK: CPU 42%, Memory 18% of 23.5 GiB'
    assert [group.level for group in board.groups(10)] == [ERROR, OK]
    board.add(node(), 11)
    assert 'silent' not in text(board, 11)


def test_nothing_heard():
    board = Board()
    assert text(board, 0).strip() == 'nothing yet'
    board.add(machine(), 0)
    assert 'nothing yet' in text(board, 0) and 'robot OK' in text(board, 0)


def test_several_nodes_and_the_chosen_ones():
    board, chosen = Board(), Board(['/front'])
    for found in (board, chosen):
        for name in ('rear/espnet', 'front'):
            found.add(node(name), 0)
        found.add(machine(), 0)
        found.add([Status('battery: Charge', WARN, 'low', ()), Status('odd', ERROR, '', ())], 0)
    assert [group.name for group in board.groups(0)] == ['front', 'rear/espnet', 'robot']
    assert [group.name for group in chosen.groups(0)] == ['front', 'robot']


def test_plain_line():
    board = Board()
    board.add(node(), 0)
    assert plain_line(board.groups(0)) == (
        'espnet OK: in 10.00 Hz, out 9.00 Hz, dropped 67, latency p50 20.0 p95 40.0 ms, engine ready')


def test_half_of_a_node_and_odd_values_do_no_harm():
    board = Board()
    board.add([Status('espnet: Engine', OK, 'not configured', ())], 0)
    assert 'not configured' in text(board, 0) and 'engine not configured' in plain_line(board.groups(0))
    board.add([Status('espnet: Latency', OK, '', (('x p50 (ms)', 'many'),)),
               Status('espnet: Input', OK, '[bold]', (('rate (Hz)', '[red]5'),))], 0)
    assert '[red]5 Hz' in text(board, 0)
