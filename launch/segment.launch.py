"""Starts the segmentation node; on request diagnostics of the machine and RViz too."""
import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = os.path.join(get_package_share_directory('espnet_ros'), 'config')

ARGUMENTS = (
    ('image', 'image_raw', 'Camera topic to segment; with image_transport: compressed, the one below it of that name.'),
    ('camera_info', 'camera_info', 'Calibration topic of that camera; nothing has to publish it.'),
    ('namespace', '', 'Namespace of the node and of all relative topics; empty is the root.'),
    ('params_file', os.path.join(CONFIG, 'segment.yaml'),
     'YAML file with the parameters; a copy of this default, edited.'),
    ('model', '', 'Model name, model card (.yaml) or weights file (.pth); empty leaves it to params_file.'),
    ('backend', '', 'What executes the network: auto, torch, openvino or tensorrt; empty leaves it to params_file.'),
    ('use_sim_time', '', 'true takes the time from /clock, as a bag replay needs; empty leaves it to params_file.'),
    ('autostart', '', 'false leaves configure and activate to a lifecycle manager; empty leaves it to params_file.'),
    ('respawn', 'false', 'true starts the node again, after 2 s, when it has died.'),
    ('log_level', 'info', 'Lowest severity to log: debug, info, warn, error or fatal.'),
    ('rviz', 'false', 'true shows image, overlay and colors in RViz, which must be installed (package rviz2).'),
    ('diagnostics', 'true', 'true publishes CPU load, memory and temperature of this machine on /diagnostics too.'),
)


def flag(arguments, name):
    """Value of an argument that must be true or false."""
    value = arguments[name].lower()
    if value not in ('true', 'false'):
        raise RuntimeError("launch argument {} must be true or false, not '{}'".format(name, arguments[name]))
    return value == 'true'


def nodes(context):
    """Nodes to start; an empty argument sets no parameter, so the file's value stands."""
    arguments = context.launch_configurations
    if not os.path.isfile(arguments['params_file']):
        raise RuntimeError("launch argument params_file: there is no file '{}'".format(arguments['params_file']))
    clock = {'use_sim_time': flag(arguments, 'use_sim_time')} if arguments['use_sim_time'] else {}
    chosen = dict(clock)
    if arguments['autostart']:
        chosen['autostart'] = flag(arguments, 'autostart')
    for name in ('model', 'backend'):
        if arguments[name]:
            chosen[name] = ParameterValue(arguments[name], value_type=str)
    common = {
        'namespace': arguments['namespace'], 'output': 'screen', 'emulate_tty': True,
        'arguments': ['--ros-args', '--log-level', arguments['log_level']]}

    started = [Node(
        package='espnet_ros', executable='segmentation_node', name='espnet',
        parameters=[arguments['params_file']] + ([chosen] if chosen else []),
        remappings=[('image', arguments['image']), ('image/compressed', arguments['image'] + '/compressed'),
                    ('camera_info', arguments['camera_info'])],
        respawn=flag(arguments, 'respawn'), respawn_delay=2.0, **common)]
    if flag(arguments, 'diagnostics'):
        started.append(Node(
            package='espnet_ros', executable='diagnostics_node', name='diagnostics',
            parameters=[os.path.join(CONFIG, 'diagnostics.yaml')] + ([clock] if clock else []), **common))
    if flag(arguments, 'rviz'):
        # RViz's file names absolute topics; these remappings move them to where they are.
        started.append(Node(
            package='rviz2', executable='rviz2', name='rviz', namespace=arguments['namespace'],
            arguments=['-d', os.path.join(CONFIG, 'segment.rviz')], parameters=[clock] if clock else [],
            remappings=[('/image_raw', arguments['image']), ('/espnet/overlay', 'espnet/overlay'),
                        ('/espnet/color', 'espnet/color')]))
    return started


def generate_launch_description():
    """What ros2 launch asks for."""
    return LaunchDescription([
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ] + [OpaqueFunction(function=nodes)])
