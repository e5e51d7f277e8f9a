"""Starts the camera node."""
from espnet_ros.nodes.launching import plans
from espnet_ros.nodes.launching.actions import describe


def generate_launch_description():
    """What ros2 launch asks for."""
    return describe(plans.camera_arguments, plans.camera)
