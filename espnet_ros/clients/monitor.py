"""A node that subscribes to diagnostics."""
import os

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node

from espnet_ros.errors import ParameterError
from espnet_ros.nodes.common.diagnostic_messages import message_to_statuses
from espnet_ros.nodes.common.endpoints import resolve, similar_topics


class DiagnosticsListener(Node):
    """Passes on the statuses of a diagnostics topic.

    on_statuses: called in the executor's thread with the diagnostics.status.Status values of each message.
    Raises ParameterError for an invalid topic name.
    """

    def __init__(self, on_statuses, topic='/diagnostics'):
        super().__init__('monitor_{}'.format(os.getpid()))
        self.error = None  # set by background.spinning
        self._topic = topic
        try:
            # Deep enough for many nodes that publish at the same time.
            self.create_subscription(
                DiagnosticArray, topic, lambda message: on_statuses(message_to_statuses(message)), 100)
        except (InvalidTopicNameException, ValueError) as error:
            raise ParameterError("'{}' is not a topic name such as /diagnostics: {}".format(
                topic, str(error).splitlines()[0]))

    def similar(self):
        """Return topics of diagnostics whose names are similar, [] where something publishes this one."""
        topic = resolve(self, self._topic)
        kind = 'diagnostic_msgs/msg/DiagnosticArray'
        return [] if self.count_publishers(topic) else similar_topics(self, topic, kind)
