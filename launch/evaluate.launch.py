"""Starts a segmentation node, plays bags into it and writes a report; ends when that is done."""
from espnet_ros.nodes.launching import plans
from espnet_ros.nodes.launching.actions import describe


def generate_launch_description():
    """What ros2 launch asks for."""
    return describe(plans.evaluate_arguments, plans.evaluate)
