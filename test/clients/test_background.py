"""A node in a thread beside a program."""
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')


def test_when_the_node_cannot_be_made_ros_is_shut_down_again(ros_domain):
    import rclpy

    from espnet_ros.clients.background import spinning

    def fail():
        raise ValueError('no node')
    with pytest.raises(ValueError, match='no node'), spinning(fail):
        pytest.fail('it was made')
    assert not rclpy.ok()
    with spinning(lambda: rclpy.create_node('second')) as node:
        assert node.get_name() == 'second'
    assert not rclpy.ok()
