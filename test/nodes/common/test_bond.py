"""The bond with nav2's lifecycle manager, with a stand-in for bondpy."""
import sys
import types

import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.nodes.common.bond import start_bond  # noqa: E402

NODE = types.SimpleNamespace(get_name=lambda: 'espnet')


class Bond:
    """Remembers what it is asked for."""

    def __init__(self, node, topic, id):
        self.asked = [node, topic, id]

    def set_heartbeat_timeout(self, seconds):
        self.asked.append(seconds)

    def start(self):
        self.asked.append('start')


def test_it_is_named_like_the_node_as_the_manager_expects(monkeypatch):
    monkeypatch.setitem(sys.modules, 'bondpy', types.ModuleType('bondpy'))
    monkeypatch.setitem(sys.modules, 'bondpy.bondpy', types.SimpleNamespace(Bond=Bond))
    assert start_bond(NODE).asked == [NODE, 'bond', 'espnet', 4.0, 'start']


def test_without_bondpy_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, 'bondpy', None)
    assert start_bond(NODE) is None
