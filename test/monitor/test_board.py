"""Diagnostics of the last minute."""
import math

import pytest

from espnet_ros.diagnostics.machine import Limits, statuses
from espnet_ros.diagnostics.status import ERROR, OK, WARN, Status
from espnet_ros.monitor.board import MOST_GROUPS, MOST_SERIES, STALE, Board
from espnet_ros.telemetry.machine import GpuState, MachineState

READY = ('espnet: Engine', OK, 'ready', ())


def board_of(*statuses, nodes=()):
    board = Board(nodes)
    board.add([Status(*status) for status in statuses], 0)
    return board


def history(board, series, now=0, name='espnet'):
    group = next(group for group in board.groups(now) if group.name == name)
    return board.history(group, series, now)


def rates(board, *pairs):
    for second, rate in pairs:
        board.add([Status(*READY), Status('espnet: Output', OK, '', (('rate (Hz)', rate),))], second)


def test_the_last_minute_is_kept():
    board = Board()
    rates(board, *((second, str(second)) for second in range(100)))
    assert history(board, 'Output', 99.5) == list(range(40, 100))
    assert history(board, 'Output', 150) == list(range(91, 100))
    assert history(board, 'Output', 200) == []


def test_a_silence_leaves_a_gap():
    board = Board()
    rates(board, (0, '1'), (1, '2'), (10, '3'))
    assert history(board, 'Output', 10) == [1, 2, pytest.approx(math.nan, nan_ok=True), 3]


def test_numbers_of_a_machine():
    board = Board()
    board.add(statuses('robot', MachineState(
        cpu=(10.0, 30.0, None), memory_used=2 ** 30, memory_total=2 ** 32, swap_used=2 ** 31, swap_total=2 ** 33,
        gpus=(GpuState('Orin', load=70.0, clock=1300.0),), temperatures=(('CPU', 55.5), ('GPU', 61.25)),
        rails=(('VDD_IN', 12.5), ('VDD_CPU', 4.0)), heat_throttles=('3 cores are throttled',)), Limits()), 0)
    assert [history(board, part, 0, 'robot') for part in ('CPU', 'Memory', 'GPU', 'Temperature', 'Power')] == [
        [20.0], [25.0], [70.0], [61.2], [12.5]]


def test_silence_is_an_error_and_ends():
    board = board_of(READY)
    assert [group.level for group in board.groups(3)] == [OK]
    group, = board.groups(10)
    assert (group.level, group.state) == (ERROR, 'silent for 10 s')
    assert group.alerts == [(ERROR, 'espnet', '', 'silent for 10 s; has it ended? Values are from before')]
    board.add([Status(*READY)], 11)
    assert [(group.level, group.alerts) for group in board.groups(11)] == [(OK, [])]


def test_nodes_are_chosen_by_name_or_namespace():
    def names(*nodes):
        return [group.name for group in board_of(
            ('left/espnet: Engine', OK, '', ()), ('lefty: Engine', OK, '', ()), ('robot: CPU', OK, '', ()),
            nodes=nodes).groups(0)]
    assert names() == ['left/espnet', 'lefty', 'robot']
    assert names('/left') == names('left/espnet') == ['left/espnet', 'robot']
    assert names('/left/') == ['left/espnet', 'robot']


def test_a_node_that_was_asked_for_and_is_not_there_is_an_error():
    groups = board_of(READY, nodes=['espnet', '/rear']).groups(0)
    assert [(group.name, group.level, group.state) for group in groups] == [
        ('espnet', OK, 'OK'), ('rear', ERROR, 'no diagnostics yet')]
    assert groups[1].alerts == [(ERROR, 'rear', '', 'no diagnostics yet; check with `ros2 node list` whether it runs')]


def test_others_are_left_out():
    board = board_of(READY, ('lidar: Output', ERROR, 'broken', ()), ('battery: Charge', WARN, 'low', ()),
                     ('odd', ERROR, '', ()), ('', ERROR, '', ()))
    assert [group.name for group in board.groups(0)] == ['espnet']
    board.add([Status('espnet: Charge', WARN, 'low', ())], 10)  # no word of the node itself
    assert board.groups(10)[0].is_silent


@pytest.mark.parametrize('level, expected', [(OK, OK), (WARN, WARN), (ERROR, ERROR), (3, STALE), (200, STALE)])
def test_levels_of_others(level, expected):
    group, = board_of(('robot: CPU', level, 'x', ())).groups(0)
    assert group.level == expected and group.state in ('OK', 'WARN', 'ERROR', 'STALE')


def test_names_and_series_are_bounded():
    board = Board()
    for i in range(2 * MOST_GROUPS):
        board.add([Status('node{}: Engine'.format(i), OK, 'ready', ())], 0)
    assert len(board.groups(0)) == MOST_GROUPS
    for i in range(MOST_SERIES):
        board.add([Status('node0: Latency', OK, '', tuple(
            ('{}{} p50 (ms)'.format(stage, i), '1') for stage in 'ab'))], 1)
    assert len(board._history) <= MOST_SERIES
    board.add([Status('node0: Engine', ERROR, 'gone', ())], 1)  # what is known goes on
    assert next(group for group in board.groups(1) if group.name == 'node0').level == ERROR


def test_nothing_moves_the_cursor():
    group, = board_of(('es\x1bpnet: Engine', WARN, 'a\x1b[2Jb\nc\r\x07d\u202e',
                       (('mo\x9bdel', 'x\x1b]0;y\x07'),))).groups(0)
    assert group.name == 'espnet' and group.alerts == [(WARN, 'espnet', 'Engine', 'a[2Jb c d')]
    assert group.value('Engine', 'model') == 'x]0;y'


@pytest.mark.parametrize('text', ['', 'many', 'inf', '-inf', 'nan', '1e999'])
def test_what_is_no_finite_number_has_no_line(text):
    board = Board()
    rates(board, (0, text))
    assert history(board, 'Output') == []


CAMERAS = [('robot/espnet: Engine', WARN, 'no TensorRT', ()), ('robot/espnet/front: Input', OK, '9 Hz', ()),
           ('robot/espnet/left: Input', ERROR, 'no image', ())]


@pytest.mark.parametrize('nodes, names', [
    ((), ['robot/espnet/front', 'robot/espnet/left']),
    (('/robot/espnet',), ['robot/espnet/front', 'robot/espnet/left']),
    (('/robot/espnet/left',), ['robot/espnet/left'])])
def test_cameras_of_a_node_share_its_engine(nodes, names):
    groups = board_of(*CAMERAS, nodes=nodes).groups(0)
    assert [group.name for group in groups] == names and all(group.is_node for group in groups)
    assert [group.level for group in groups] == [{'f': WARN, 'l': ERROR}[name[13]] for name in names]
    assert all(group.parts['Engine'].message == 'no TensorRT' for group in groups)


def test_a_node_is_shown_again_when_it_has_no_cameras_any_more():
    board = board_of(*CAMERAS)
    board.add([Status('robot/espnet: Engine', OK, 'not configured', ())], 10)
    shown = {group.name: group.level for group in board.groups(10)}
    assert shown == {'robot/espnet': OK, 'robot/espnet/front': ERROR, 'robot/espnet/left': ERROR}


def test_an_engine_in_a_namespace_of_the_same_name_is_its_own():
    board = board_of(READY, ('espnet: Input', OK, '9 Hz', ()), ('espnet/front: Input', OK, '9 Hz', ()))
    assert [group.name for group in board.groups(0)] == ['espnet']
