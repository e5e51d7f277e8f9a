"""Starts a segmentation node, plays bags into it and writes a report; ends when that is done."""
import os
import shlex
import sys

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch_ros.actions import Node

CONFIG = os.path.join(get_package_share_directory('espnet_ros'), 'config')

ARGUMENTS = (
    ('bags', '', 'Bags with images and ground truth, separated by spaces; quote a path that holds some.'),
    ('out', 'evaluation', 'Folder for the report.'),
    ('model', 'camvid-espnet-q8', 'Model name, model card (.yaml) or weights file (.pth).'),
    ('backend', 'auto', 'What executes the network: auto, torch, openvino or tensorrt.'),
    ('rate', '', 'How many times as fast as recorded the bags are played; empty waits for the answer to each image.'),
    ('options', '', 'More options of `espnet-ros evaluate`, as one would type them.'),
    ('params_file', os.path.join(CONFIG, 'segment.yaml'),
     'YAML file with the parameters of the segmentation node; a copy of this default, edited.'),
    ('log_level', 'info', 'Lowest severity to log: debug, info, warn, error or fatal.'),
)


def nodes(context):
    """The node, and the command that plays into it."""
    arguments = context.launch_configurations
    bags = shlex.split(arguments['bags'])
    if not bags:
        raise RuntimeError('launch argument bags names no bag: bags:=recording')
    if not os.path.isfile(arguments['params_file']):
        raise RuntimeError("launch argument params_file: there is no file '{}'".format(arguments['params_file']))
    command = [sys.executable, '-m', 'espnet_ros.cli', 'evaluate'] + bags + [
        '--node', '/espnet', '--model', arguments['model'], '--out', arguments['out']]
    command += ['--rate', arguments['rate']] if arguments['rate'] else []
    return [
        Node(package='espnet_ros', executable='segmentation_node', name='espnet', output='screen', emulate_tty=True,
             parameters=[arguments['params_file'], {
                 'model': arguments['model'], 'backend': arguments['backend'], 'use_sim_time': True}],
             arguments=['--ros-args', '--log-level', arguments['log_level']]),
        ExecuteProcess(cmd=command + shlex.split(arguments['options']), output='screen', on_exit=[Shutdown()])]


def generate_launch_description():
    """What ros2 launch asks for."""
    return LaunchDescription([
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ] + [OpaqueFunction(function=nodes)])
