"""A node that listens to diagnostics."""
import os

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from espnet_ros.nodes.diagnostic_messages import message_to_statuses


class DiagnosticsListener(Node):
    """Hands on what /diagnostics says; that costs the nodes that say it nothing.

    on_statuses: called in the executor's thread with the telemetry.status.Status values of each message.
    """

    def __init__(self, on_statuses):
        super().__init__('monitor_{}'.format(os.getpid()))
        self.error = None  # set by background.spinning
        # Deep enough for a robot on which everything reports at once.
        self.create_subscription(
            DiagnosticArray, '/diagnostics', lambda message: on_statuses(message_to_statuses(message)), 100)
