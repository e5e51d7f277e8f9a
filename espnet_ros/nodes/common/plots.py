"""Numbers as topics for plot tools."""
import re

from std_msgs.msg import Float64, Float64MultiArray, MultiArrayDimension

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.latency import Percentiles

_MOST = 300
"""Maximum number of topics of one Plots, however many rails and sensors a machine has."""


class Plots:
    """Publishes named numbers as std_msgs/Float64 on topics below `~/FOLDER`, made when a name first appears."""

    def __init__(self, node, folder):
        self._node = node
        self._folder = folder
        self._publishers = {}

    def publish(self, numbers):
        """Publish a mapping from name to number, those that have subscribers; names may have several parts, a/b/c."""
        for name, number in numbers.items():
            if name not in self._publishers and len(self._publishers) < _MOST:
                self._publishers[name] = self._node.create_publisher(
                    Float64, '~/{}/{}'.format(self._folder, name_to_topic(name)), 1)
            publisher = self._publishers.get(name)
            if publisher is not None and publisher.get_subscription_count():
                publisher.publish(Float64(data=float(number)))


def latency_message(stages):
    """Return latencies in milliseconds as a Float64MultiArray [stage, percentile]; NaN for what is not measured.

    stages: mapping from stage to Percentiles in seconds. The labels of the dimensions name keys.STAGES and percentiles.
    """
    rows = [stages.get(stage, Percentiles(*[float('nan')] * 3)) for stage in keys.STAGES]
    message = Float64MultiArray(data=[1000.0 * value for row in rows for value in row])
    for names, stride in ((keys.STAGES, len(message.data)), (Percentiles._fields, 3)):
        message.layout.dim.append(MultiArrayDimension(label=', '.join(names), size=len(names), stride=stride))
    return message


def name_to_topic(name):
    """Return a name as ROS takes it: letters, digits and single underscores, each part beginning with a letter."""
    parts = (re.sub('_+', '_', re.sub('[^A-Za-z0-9]', '_', part)).strip('_') for part in name.split('/'))
    return '/'.join(part if part[:1].isalpha() else 'n' + part for part in parts)
