"""Starts camera, segmentation, diagnostics and, where it is installed, RViz."""
from espnet_ros.nodes.launching import plans
from espnet_ros.nodes.launching.actions import describe


def generate_launch_description():
    """What ros2 launch asks for."""
    return describe(plans.demo_arguments, plans.demo)
