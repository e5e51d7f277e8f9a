"""The diagnostics node: how the machine under the robot's perception feels."""
import socket
import sys

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from espnet_ros.nodes.diagnostic_messages import statuses_to_message
from espnet_ros.nodes.parameters import ParameterSet, Rule
from espnet_ros.nodes.process import run
from espnet_ros.telemetry import machine
from espnet_ros.telemetry.status import OK

RULES = {
    'cpu_warn': Rule('CPU load, in percent of all cores, from which to warn.', 0, 100),
    'memory_warn': Rule('Memory in use, in percent, from which to warn.', 0, 100),
    'memory_error': Rule('Memory in use, in percent, from which to report an error.', 0, 100),
    'temperature_warn': Rule('Temperature, in degrees Celsius, from which to warn.', 0, 150),
    'temperature_error': Rule('Temperature, in degrees Celsius, from which to report an error.', 0, 150),
}


class DiagnosticsNode(Node):
    """Publishes CPU, memory and temperature on /diagnostics once a second."""

    def __init__(self):
        super().__init__('diagnostics')
        self._settings = ParameterSet(self, machine.Limits(), RULES)
        self._settings.check_problems()
        self._publisher = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._host = socket.gethostname()
        self._levels = {}
        machine.read()  # the first reading of the CPU has nothing to compare with
        self.create_timer(1.0, self._on_second, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_second(self):
        statuses = machine.statuses(self._host, machine.read(), self._settings.value)
        self._publisher.publish(statuses_to_message(statuses, self.get_clock().now().to_msg(), self._host))
        for status in statuses:
            if status.level > self._levels.get(status.name, OK):
                self.get_logger().warning('{}: {}'.format(status.name, status.message))
            self._levels[status.name] = status.level


def main():
    """Run the node until it is told to stop; return the exit code."""
    return run(lambda stop: DiagnosticsNode())


if __name__ == '__main__':
    sys.exit(main())
