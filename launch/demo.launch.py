"""Starts camera, segmentation, diagnostics and RViz; takes the arguments of camera.launch.py and segment.launch.py."""
import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

LAUNCH = os.path.join(get_package_share_directory('espnet_ros'), 'launch')


def generate_launch_description():
    """What ros2 launch asks for."""
    return LaunchDescription([
        DeclareLaunchArgument('rviz', default_value='true', description=(
            'true shows image, overlay and colors in RViz, which must be installed (package rviz2).')),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(os.path.join(LAUNCH, 'camera.launch.py'))),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(os.path.join(LAUNCH, 'segment.launch.py'))),
    ])
