"""A node that listens to diagnostics."""
import os

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node

from espnet_ros.errors import ParameterError
from espnet_ros.nodes.common.diagnostic_messages import message_to_statuses


class DiagnosticsListener(Node):
    """Hands on what a topic of diagnostics says; that costs the nodes that say it nothing.

    on_statuses: called in the executor's thread with the telemetry.status.Status values of each message.
    Raises ParameterError when the topic is no name of one.
    """

    def __init__(self, on_statuses, topic='/diagnostics'):
        super().__init__('monitor_{}'.format(os.getpid()))
        self.error = None  # set by background.spinning
        try:
            # Deep enough for a robot on which everything reports at once.
            self.create_subscription(
                DiagnosticArray, topic, lambda message: on_statuses(message_to_statuses(message)), 100)
        except (InvalidTopicNameException, ValueError) as error:
            raise ParameterError("'{}' is no name of a topic, such as /diagnostics: {}".format(
                topic, str(error).splitlines()[0]))
