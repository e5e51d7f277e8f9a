"""Starts the segmentation node; on request diagnostics of the machine and RViz too."""
from espnet_ros.nodes.launching import plans
from espnet_ros.nodes.launching.actions import describe


def generate_launch_description():
    """What ros2 launch asks for."""
    return describe(plans.segment_arguments, plans.segment)
