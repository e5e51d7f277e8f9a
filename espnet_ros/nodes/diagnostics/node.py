"""The diagnostics node: state of the machine on /diagnostics."""
import math
import os
import socket
import time
import typing

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.machine import Limits, check_limits, statuses
from espnet_ros.diagnostics.prometheus import Exporter
from espnet_ros.diagnostics.status import OK, LevelLog
from espnet_ros.errors import EspnetError
from espnet_ros.nodes.common.diagnostic_messages import log_levels, message_to_statuses, statuses_to_message
from espnet_ros.nodes.common.parameters import ParameterSet, Rule
from espnet_ros.nodes.common.plots import Plots
from espnet_ros.telemetry.machine import readings
from espnet_ros.telemetry.sources import open_machine

_LIMITS = Limits()
_LOOK = 0.5
"""Seconds between checks of the machine's state."""
_OTHER_SECONDS = 5.0
"""Another node that reports this host is gone when it has been silent for this long."""


class DiagnosticsParameters(typing.NamedTuple):
    """Parameters of the diagnostics node with their defaults; the limits are those of diagnostics.machine."""

    tegrastats: str = 'tegrastats'
    interval: float = 1.0
    prometheus_port: int = 0
    prometheus_address: str = '127.0.0.1'
    cpu_warn: float = _LIMITS.cpu_warn
    gpu_warn: float = _LIMITS.gpu_warn
    memory_warn: float = _LIMITS.memory_warn
    memory_error: float = _LIMITS.memory_error
    power_warn: float = _LIMITS.power_warn
    power_error: float = _LIMITS.power_error
    temperature_warn: float = _LIMITS.temperature_warn
    temperature_error: float = _LIMITS.temperature_error


RULES = {
    'tegrastats': Rule('Path of tegrastats, or its name on the PATH, used where it is found; empty: not used.',
                       fixed=True),
    'interval': Rule('Seconds between readings of the machine.', 0.1, 60, fixed=True),
    'prometheus_port': Rule('TCP port on which Prometheus reads all diagnostics; 0: none.', 0, 65535, fixed=True),
    'prometheus_address': Rule('Address of that port; 0.0.0.0: other machines can read, too.', fixed=True),
    'cpu_warn': Rule('CPU load, in percent of all cores, from which to warn.', 0, 100),
    'gpu_warn': Rule('GPU load, in percent, from which to warn; 0: never.', 0, 100),
    'memory_warn': Rule('Memory in use, of the machine or a GPU, in percent, from which to warn.', 0, 100),
    'memory_error': Rule('Memory in use, in percent, from which to report an error.', 0, 100),
    'power_warn': Rule('Power, in watts, from which to warn; 0: never.', 0, 10000),
    'power_error': Rule('Power, in watts, from which to report an error; 0: never.', 0, 10000),
    'temperature_warn': Rule('Temperature, in degrees Celsius, from which to warn.', 0, 150),
    'temperature_error': Rule('Temperature, in degrees Celsius, from which to report an error.', 0, 150),
}


class DiagnosticsNode(Node):
    """Publishes GPU, CPU, memory, power and temperature, on /diagnostics and below ~/telemetry.

    Once a second, and at once when something gets worse.
    """

    def __init__(self):
        super().__init__('diagnostics')
        self._machine = self._exporter = None
        self._settings = ParameterSet(self, DiagnosticsParameters(), RULES, check=check_limits)
        self._settings.check_problems()
        settings = self._settings.value
        self._publisher = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._plots = Plots(self, 'telemetry')
        self._host = socket.gethostname()
        self._level_log = LevelLog()
        self._found = []
        self._due = 0.0
        # Each host is reported by one node: the one whose name sorts first.
        self._reporter = '{} {}'.format(self.get_fully_qualified_name(), os.getpid())
        self._other_heard = -math.inf
        self._machine = open_machine(settings.tegrastats, settings.interval)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        if settings.prometheus_port:
            self._serve(settings)
        self.get_logger().info('active: state of {} on /diagnostics'.format(self._host))
        # On the steady clock: a paused simulation does not pause the machine.
        self.create_timer(_LOOK, self._on_look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def destroy_node(self):
        """Stop the telemetry and the Prometheus server before the node is destroyed."""
        if self._machine is not None:
            self._machine.stop()
        if self._exporter is not None:
            self._exporter.close()
        return super().destroy_node()

    def _serve(self, settings):
        try:
            self._exporter = Exporter(settings.prometheus_port, settings.prometheus_address)
        except EspnetError as error:
            self.get_logger().error(str(error))

    def _on_diagnostics(self, message):
        found = message_to_statuses(message)
        if self._exporter is not None:
            self._exporter.update(found)
        reporter = keys.value_of(keys.parts_of(found, self._host), keys.CPU, keys.REPORTER, self._reporter)
        if reporter < self._reporter:
            if time.monotonic() > self._other_heard + _OTHER_SECONDS:
                self.get_logger().warning('{} reports {} on /diagnostics already; this node does not, until the other '
                                          'ends: run one diagnostics node on each host'.format(reporter, self._host))
            self._other_heard = time.monotonic()

    def _on_look(self):
        now = time.monotonic()
        state = self._machine.state()
        found = self._found = statuses(self._host, state, self._settings.value, self._found)
        news = self._level_log.update(found, now)
        log_levels(self, news, '')
        if now < self._due and all(level == OK for level, _ in news):
            return
        self._due = now + 1.0 - _LOOK / 2  # the timer is not exact
        if now < self._other_heard + _OTHER_SECONDS:
            return
        found = [status._replace(values=status.values + ((keys.REPORTER, self._reporter),)) for status in found]
        self._publisher.publish(statuses_to_message(found, self.get_clock().now().to_msg(), self._host))
        self._plots.publish(readings(state))
