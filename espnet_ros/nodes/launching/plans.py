"""Launch arguments to nodes: everything is checked before anything starts."""
import os
import shlex
import sys
import typing

from espnet_ros.errors import ParameterError
from espnet_ros.nodes.camera.node import CAMERA_RULES, CameraParameters
from espnet_ros.nodes.ground.settings import GROUND_RULES, GroundParameters
from espnet_ros.nodes.launching.arguments import Argument, misspelt, of_parameters, parse
from espnet_ros.nodes.segmentation.settings import SEGMENTATION_RULES, SegmentationParameters, check_cameras

PACKAGE = 'espnet_ros'
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
Given = typing.Mapping[str, str]
Check = typing.Callable[[str], bool]
RVIZ_MISSING = 'the package rviz2 is not installed'


class Start(typing.NamedTuple):
    """A node to start. parameters: paths of files and dicts, the later ones win. remappings: (from, to) pairs."""

    package: str
    executable: str
    name: str
    namespace: str
    parameters: tuple = ()
    remappings: tuple = ()
    arguments: tuple = ()
    respawn: bool = False


class Plan(typing.NamedTuple):
    """What a launch file does.

    nodes: to start. command: words of a command whose end ends the launch, or None. environment: variables for all of
    these. notes: sentences to log first.
    """

    nodes: typing.Tuple[Start, ...]
    command: typing.Optional[typing.Tuple[str, ...]] = None
    environment: typing.Dict[str, str] = {}
    notes: typing.Tuple[str, ...] = ()


def common(config):
    """Return the arguments that all launch files have. config: the installed folder of configuration files."""
    return [
        Argument('log_level', 'info', 'Lowest severity that the nodes log: {}.'.format(', '.join(LOG_LEVELS)),
                 choices=LOG_LEVELS),
        Argument('dds_profile', '', 'Fast DDS profile (XML) for the nodes, such as {}, which lets best-effort '
                 'subscribers receive images above 512 KiB; empty sets none.'.format(
                     os.path.join(config, 'fastdds.xml')), empty=True, file=True),
    ]


def clock(file_argument):
    """Return the argument use_sim_time."""
    return Argument('use_sim_time', '', 'true takes the time from /clock, as a bag replay needs; empty leaves it to {}.'
                    .format(file_argument), bool, empty=True)


def camera_arguments(config: str) -> typing.List[Argument]:
    """Return the arguments of camera.launch.py."""
    return of_parameters(CAMERA_RULES, CameraParameters(), (
        'source', 'width', 'height', 'rate', 'loop', 'frame_id', 'camera_info_url'), 'camera_params_file') + [
        Argument('namespace', 'camera', 'Namespace of the node and its topics; empty is the root.'),
        Argument('camera_params_file', os.path.join(config, 'camera.yaml'),
                 'YAML file with the parameters; a copy of this default, edited.', file=True),
        clock('camera_params_file')] + common(config)


def segment_arguments(config: str) -> typing.List[Argument]:
    """Return the arguments of segment.launch.py."""
    return [
        Argument('image', 'camera/image_raw', 'Image topic; with image_transport:=compressed, the one below it of that '
                 'name.'),
        Argument('camera_info', '', 'Calibration topic of that camera; empty is camera_info beside the image.'),
        Argument('namespace', '', 'Namespace of the node and of all relative topics; empty is the root.'),
        Argument('name', 'espnet', 'Name of the node, and the namespace of its outputs.'),
        Argument('params_file', os.path.join(config, 'segment.yaml'),
                 'YAML file with the parameters; a copy of this default, edited.', file=True),
    ] + of_parameters(SEGMENTATION_RULES, SegmentationParameters(), (
        'model', 'backend', 'precision', 'output_size', 'cameras', 'image_transport', 'autostart'), 'params_file') + [
        clock('params_file'),
        Argument('respawn', 'false', 'true starts the node again, after 2 s, when it has died.', bool),
        Argument('rviz', 'false', 'true shows image, overlay and colors in RViz (package rviz2); auto does so where it '
                 'is installed.', choices=('true', 'false', 'auto')),
        Argument('diagnostics', 'true', 'true publishes CPU load, memory and temperature of this machine on '
                 '/diagnostics too.', bool),
        Argument('ground', 'false', 'true starts the ground node too: scan, grid and clouds from the labels.', bool),
        Argument('ground_params_file', os.path.join(config, 'ground.yaml'),
                 'YAML file with the parameters of the ground node; a copy of this default, edited.', file=True),
    ] + of_parameters(GROUND_RULES, GroundParameters(), ('camera_height', 'camera_pitch', 'rectified'),
                      'ground_params_file') + common(config)


def ground_arguments(config: str) -> typing.List[Argument]:
    """Return the arguments of ground.launch.py."""
    return [
        Argument('segmentation', 'espnet', 'Name of the segmentation node, whose labels, label map and camera_info are '
                 'used.'),
        Argument('camera', 'camera', 'Namespace of the camera: image_raw, depth/image_rect_raw, points, odom and imu '
                 'are topics in it.'),
        Argument('namespace', '', 'Namespace of the node and of all relative topics; empty is the root.'),
        Argument('ground_params_file', os.path.join(config, 'ground.yaml'),
                 'YAML file with the parameters; a copy of this default, edited.', file=True),
    ] + of_parameters(GROUND_RULES, GroundParameters(), (
        'label_source', 'traversability', 'pose_source', 'base_frame', 'camera_height', 'camera_pitch', 'camera_roll',
        'camera_yaw', 'camera_x', 'camera_y', 'rectified', 'use_imu', 'max_range',
        'autostart'), 'ground_params_file') + [clock('ground_params_file')] + common(config)


def demo_arguments(config: str) -> typing.List[Argument]:
    """Return the arguments of demo.launch.py: those of both; the namespace is around camera and segmentation."""
    segment = [argument._replace(default='auto') if argument.name == 'rviz' else argument
               for argument in segment_arguments(config)]
    return segment + [argument for argument in camera_arguments(config)
                      if argument.name not in {other.name for other in segment}]


def evaluate_arguments(config: str) -> typing.List[Argument]:
    """Return the arguments of evaluate.launch.py."""
    defaults = SegmentationParameters()
    return [
        Argument('bags', '', 'Bags with images and ground truth, separated by spaces; quote a path that holds some.'),
        Argument('out', 'evaluation', 'Folder for the report.'),
        Argument('model', defaults.model, SEGMENTATION_RULES['model'].description),
        Argument('backend', defaults.backend, 'What executes the network: {}.'.format(
            ', '.join(SEGMENTATION_RULES['backend'].choices)), choices=SEGMENTATION_RULES['backend'].choices),
        Argument('rate', '', 'How many times as fast as recorded the bags are played; empty waits for the answer to '
                 'each image.', float, empty=True),
        Argument('options', '', 'More options of `espnet-ros evaluate`, as one would type them.'),
        Argument('params_file', os.path.join(config, 'segment.yaml'),
                 'YAML file with the parameters of the segmentation node; a copy of this default, edited.', file=True),
    ] + common(config)


def camera(given: Given, config: str, has_package: Check) -> Plan:
    """Return the Plan of camera.launch.py.

    given: name to text of all arguments. has_package: tells whether a ROS package is installed. Raises ParameterError.
    """
    arguments = camera_arguments(config)
    values = parse(arguments, given)
    return _plan([_camera(values, values['namespace'])], values, misspelt(arguments, given))


def ground(given: Given, config: str, has_package: Check) -> Plan:
    """Return the Plan of ground.launch.py, as `camera` does."""
    arguments = ground_arguments(config)
    values = parse(arguments, given)
    return _plan([_ground(values)], values, misspelt(arguments, given))


def segment(given: Given, config: str, has_package: Check) -> Plan:
    """Return the Plan of segment.launch.py, as `camera` does."""
    arguments = segment_arguments(config)
    values = parse(arguments, given)
    notes = misspelt(arguments, given)
    return _plan(_segmentation(values, config, has_package, notes), values, notes)


def demo(given: Given, config: str, has_package: Check) -> Plan:
    """Return the Plan of demo.launch.py, as `camera` does."""
    arguments = demo_arguments(config)
    values = parse(arguments, given)
    notes = misspelt(arguments, given)
    namespace = '/'.join(filter(None, [values['namespace'].rstrip('/'), 'camera']))
    return _plan([_camera(values, namespace)] + _segmentation(values, config, has_package, notes), values, notes)


def evaluate(given: Given, config: str, has_package: Check) -> Plan:
    """Return the Plan of evaluate.launch.py, as `camera` does."""
    arguments = evaluate_arguments(config)
    values = parse(arguments, given)
    bags = shlex.split(values['bags'])
    if not bags:
        raise ParameterError('launch argument bags names no bag: bags:=recording')
    command = [sys.executable, '-m', 'espnet_ros.cli', 'evaluate'] + bags + [
        '--node', '/espnet', '--model', values['model'], '--out', values['out']]
    command += [] if values['rate'] is None else ['--rate', given['rate']]
    node = Start(PACKAGE, 'segmentation_node', 'espnet', '', (values['params_file'], {
        'model': values['model'], 'backend': values['backend'], 'use_sim_time': True}),
        arguments=_log_level('espnet', '', values))
    return _plan([node], values, misspelt(arguments, given), tuple(command + shlex.split(values['options'])))


def _plan(nodes, values, notes, command=None):
    profile = values['dds_profile']
    # The second name is that of Fast DDS before 3.
    environment = dict.fromkeys(('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
                                os.path.abspath(profile)) if profile else {}
    return Plan(tuple(nodes), command, environment, tuple(notes))


def _camera(values, namespace):
    chosen = {name: values[name] for name in CameraParameters._fields if values.get(name) is not None}
    return Start(PACKAGE, 'camera_node', 'camera', namespace,
                 _parameters(values['camera_params_file'], chosen, values),
                 arguments=_log_level('camera', namespace, values))


def _ground(values):
    """Return the ground node."""
    segmentation, camera = values['segmentation'].rstrip('/'), values['camera'].rstrip('/')
    namespace = values['namespace']
    chosen = {name: values[name] for name in GroundParameters._fields if values.get(name) is not None}
    source = chosen.get('label_source', GroundParameters().label_source)
    remappings = [('labels', '{}/{}'.format(segmentation, source))] + [
        (name, '{}/{}'.format(segmentation, name)) for name in ('label_map', 'camera_info', 'confidence')] + [
        (name, '/'.join(filter(None, [camera, topic]))) for name, topic in (
            ('image', 'image_raw'), ('depth', 'depth/image_rect_raw'), ('points', 'points'), ('odom', 'odom'),
            ('imu', 'imu'))]
    return Start(PACKAGE, 'ground_node', 'ground', namespace, _parameters(values['ground_params_file'], chosen, values),
                 tuple(remappings), _log_level('ground', namespace, values))


def _segmentation(values, config, has_package, notes):
    """Return the segmentation node and, as wanted, diagnostics and RViz; adds sentences to `notes`."""
    name, namespace, image = values['name'], values['namespace'], values['image']
    cameras, shown = values['cameras'], name
    if cameras:
        check_cameras(SegmentationParameters(cameras=cameras))
        if values['ground']:
            raise ParameterError('launch argument ground works with one camera; leave it out, and start '
                                 'ground.launch.py segmentation:={}/{} camera:={} for each camera'.format(
                                     name, cameras[0], cameras[0]))
        image, shown = cameras[0] + '/image_raw', '{}/{}'.format(name, cameras[0])
    show = values['rviz'] != 'false'
    if show and not has_package('rviz2'):
        if values['rviz'] == 'true':
            raise ParameterError('launch argument rviz: {}; install it, or leave rviz out'.format(RVIZ_MISSING))
        notes.append(RVIZ_MISSING + ', so nothing is shown')
        show = False
    chosen = {name: values[name] for name in SegmentationParameters._fields if values.get(name) is not None}
    info = values['camera_info'] or '/'.join(image.split('/')[:-1] + ['camera_info'])
    remappings = () if cameras else (
        ('image', image), ('image/compressed', image + '/compressed'), ('camera_info', info))
    nodes = [Start(PACKAGE, 'segmentation_node', name, namespace, _parameters(values['params_file'], chosen, values),
                   remappings, _log_level(name, namespace, values), values['respawn'])]
    if values['diagnostics']:
        nodes.append(Start(PACKAGE, 'diagnostics_node', 'diagnostics', namespace, _parameters(
            os.path.join(config, 'diagnostics.yaml'), {}, values),
            arguments=_log_level('diagnostics', namespace, values)))
    if values['ground']:
        nodes.append(_ground(dict(values, segmentation=name, camera=image.rpartition('/')[0], autostart=None)))
    if show:
        # RViz's file names absolute topics; these remappings move them to where they are.
        nodes.append(Start('rviz2', 'rviz2', 'rviz', namespace, _parameters(None, {}, values), (
            ('/camera/image_raw', image), ('/espnet/overlay', shown + '/overlay'), ('/espnet/color', shown + '/color')),
            ('-d', os.path.join(config, 'segment.rviz'))))
    return nodes


def _parameters(file, chosen, values):
    if values['use_sim_time'] is not None:
        chosen = dict(chosen, use_sim_time=values['use_sim_time'])
    return tuple(filter(None, (file, chosen)))


def _log_level(name, namespace, values):
    """Return arguments that set the level of the node's own logger: DDS and rcl keep theirs."""
    logger = '.'.join(filter(None, namespace.split('/') + [name]))
    return '--ros-args', '--log-level', '{}:={}'.format(logger, values['log_level'])
