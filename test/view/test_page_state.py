"""Diagnostics as the live page shows them."""
import json

import pytest

from espnet_ros.diagnostics.status import OK, WARN, Status
from espnet_ros.labels import CATEGORY_SET
from espnet_ros.monitor.board import Board
from espnet_ros.view import state as module
from espnet_ros.view.state import WAITING, PageState


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, 'monotonic', lambda: now[0])
    return now


def node(received, published, dropped, lost='unknown', name='front/espnet'):
    return [Status(name + ': Input', OK, '10 Hz', (
                ('topic', '/front/image'), ('received', str(received)), ('dropped', str(dropped)),
                ('lost', lost))),
            Status(name + ': Output', WARN, 'slow; do this', (('rate (Hz)', '9.50'), ('published', str(published)))),
            Status(name + ': Engine', OK, 'ready', (('model', 'm'), ('backend', 'openvino'))),
            Status(name + ': Latency', OK, '', (
                ('inference p50 (ms)', '8.0'), ('inference p95 (ms)', '9.0'), ('inference p99 (ms)', '9.5'),
                ('stamp to output p50 (ms)', '20.0'), ('stamp to output p95 (ms)', '30.0'),
                ('stamp to output p99 (ms)', '31.0')))]


def test_before_anything_is_heard(clock):
    state = PageState(Board())
    page = state.page()
    assert (page['state'], page['level'], page['node'], page['warnings']) == (WAITING, 'WARN', '', [])
    assert state.target() is None and state.camera() is None
    json.dumps(page)


def test_a_running_node(clock):
    board = Board()
    state = PageState(board)
    state.set_labels(CATEGORY_SET)
    board.add(node(10, 5, 4), clock[0])
    board.add([Status('vm: CPU', WARN, 'busy; do this', (('summary', '20%'), ('measured', 'yes'))),
               Status('vm: GPU', OK, 'none', (('measured', 'no'),))], clock[0])
    page = state.page()
    assert (state.target(), state.camera(), page['node']) == ('/front/espnet', '/front/image', '/front/espnet')
    assert (page['rate'], page['age'], page['engine']) == ('9.50', '20.0 / 30.0', 'ready, m, openvino')
    assert page['stages'] == [['inference', '8.0', '9.0', '9.5'], ['stamp to output', '20.0', '30.0', '31.0']]
    assert page['machine'] == [['CPU', '20%', 'WARN']]
    assert page['warnings'] == [['WARN', 'front/espnet: Output: slow; do this'], ['WARN', 'vm: CPU: busy; do this']]
    assert page['legend'][0] == ['flat', [128, 64, 128]] and len(page['legend']) == 7


def test_counts_begin_with_the_first_answer_and_again_with_the_node(clock):
    board = Board()
    state = PageState(board)

    def counts(*numbers):
        board.add(node(*numbers), clock[0])
        page = state.page()
        return page['answered'], page['dropped'], page['lost']

    assert counts(40, 0, 40, '3') == (0, 0, 0)  # while the engine is built
    assert counts(50, 1, 48, '3') == (1, 0, 0)
    assert counts(70, 11, 56, '5') == (11, 8, 2)
    assert counts(5, 2, 1, '0') == (1, 0, 0)
    assert counts(9, 4, 3, '0') == (3, 2, 0)


def test_a_node_that_fell_silent(clock):
    board = Board()
    state = PageState(board)
    board.add(node(1, 1, 0), clock[0])
    clock[0] += 10
    assert (state.page()['level'], state.page()['state']) == ('ERROR', 'silent for 10 s')
