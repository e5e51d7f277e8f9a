"""Starts the ground node beside a segmentation node."""
from espnet_ros.nodes.launching import plans
from espnet_ros.nodes.launching.actions import describe


def generate_launch_description():
    """What ros2 launch asks for."""
    return describe(plans.ground_arguments, plans.ground)
