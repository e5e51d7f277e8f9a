"""Starts the camera node."""
import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = os.path.join(get_package_share_directory('espnet_ros'), 'config')

ARGUMENTS = (
    ('source', '', 'street (synthetic), webcam index, video or image file, folder of images, or address of a stream; '
                   'empty leaves it to camera_params_file.'),
    ('width', '', 'Width of the images in pixels; empty leaves it to camera_params_file.'),
    ('height', '', 'Height of the images in pixels; empty leaves it to camera_params_file.'),
    ('rate', '', 'Images per second; empty leaves it to camera_params_file.'),
    ('loop', '', 'true starts a video or folder again at its end; empty leaves it to camera_params_file.'),
    ('frame_id', '', 'Frame in the header of the images; empty leaves it to camera_params_file.'),
    ('camera_info_url', '', 'Calibration file: path, file:// or package://; empty leaves it to camera_params_file.'),
    ('namespace', '', 'Namespace of the node and its topics; empty is the root.'),
    ('camera_params_file', os.path.join(CONFIG, 'camera.yaml'),
     'YAML file with the parameters; a copy of this default, edited.'),
    ('use_sim_time', '', 'true stamps images with the time from /clock; empty leaves it to camera_params_file.'),
    ('log_level', 'info', 'Lowest severity to log: debug, info, warn, error or fatal.'),
)

KINDS = {'source': str, 'width': int, 'height': int, 'rate': float, 'loop': bool, 'frame_id': str,
         'camera_info_url': str, 'use_sim_time': bool}


def value_of(name, text):
    """Parameter value of an argument's text."""
    kind = KINDS[name]
    try:
        value = {'true': True, 'false': False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise RuntimeError("launch argument {} must be {}, not '{}'".format(
            name, {int: 'a whole number', float: 'a number', bool: 'true or false'}[kind], text))
    return ParameterValue(value, value_type=kind)


def nodes(context):
    """Nodes to start; an empty argument sets no parameter, so the file's value stands."""
    arguments = context.launch_configurations
    params_file = arguments['camera_params_file']
    if not os.path.isfile(params_file):
        raise RuntimeError("launch argument camera_params_file: there is no file '{}'".format(params_file))
    chosen = {name: value_of(name, arguments[name]) for name in KINDS if arguments[name]}
    return [Node(
        package='espnet_ros', executable='camera_node', name='camera', namespace=arguments['namespace'],
        parameters=[params_file] + ([chosen] if chosen else []), output='screen', emulate_tty=True,
        arguments=['--ros-args', '--log-level', arguments['log_level']])]


def generate_launch_description():
    """What ros2 launch asks for."""
    return LaunchDescription([
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ] + [OpaqueFunction(function=nodes)])
