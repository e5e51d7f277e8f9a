"""The diagnostics node as a process."""
import signal
import socket

import pytest
from ros_process import wait_until

MODULE = 'espnet_ros.nodes.diagnostics'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_tells_of_this_machine_and_ends_cleanly(start_node, observer, number):
    from diagnostic_msgs.msg import DiagnosticArray
    node = start_node(MODULE, '--ros-args', '-p', 'memory_warn:=0')
    arrays = observer.collect(DiagnosticArray, '/diagnostics')

    def own():
        return [a for a in arrays if any(s.name == socket.gethostname() + ': CPU' for s in a.status)]
    wait_until(own)
    statuses = {s.name: s for s in own()[0].status}
    memory = statuses[socket.gethostname() + ': Memory']
    assert memory.hardware_id == socket.gethostname() and memory.level == b'\1'
    assert 0 < int({v.key: v.value for v in memory.values}['used (MiB)'])
    node.stop(number)


def test_a_wrong_limit_ends_it_with_a_sentence(start_node):
    output = start_node(MODULE, '--ros-args', '-p', 'cpu_warn:=200.0').wait_for_end(1)
    assert 'cpu_warn' in output and '100' in output and 'Traceback' not in output
