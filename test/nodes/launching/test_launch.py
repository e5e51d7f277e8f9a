"""Launch files start what their arguments say, after all of them are checked."""
import argparse
import importlib
import pathlib

import pytest
import stand_in_launch

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.errors import ParameterError  # noqa: E402
from espnet_ros.nodes.camera.node import CameraParameters  # noqa: E402
from espnet_ros.nodes.ground.settings import GroundParameters  # noqa: E402
from espnet_ros.nodes.launching import plans  # noqa: E402
from espnet_ros.nodes.segmentation.settings import SegmentationParameters  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONFIG, LAUNCH = ROOT / 'config', ROOT / 'launch'
LAUNCH_FILES = sorted(path.name for path in LAUNCH.glob('*.launch.py'))


def declared(description):
    return {entity.name: entity.given for entity in description.entities
            if isinstance(entity, stand_in_launch.DeclareLaunchArgument)}


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_every_argument_has_default_and_description(describe, name):
    arguments = declared(describe(name))
    assert arguments
    for given in arguments.values():
        assert given['description'].endswith('.') and len(given['description']) > 20 and 'default_value' in given


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_ros_itself_reads_it(name):
    pytest.importorskip('launch_ros', reason='it needs ROS 2 with its package launch_ros')
    sources = pytest.importorskip('launch.launch_description_sources')
    index = pytest.importorskip('ament_index_python.packages')
    try:
        index.get_package_share_directory('espnet_ros')
    except index.PackageNotFoundError:
        pytest.skip('espnet_ros is not installed in a ROS workspace')
    description = sources.PythonLaunchDescriptionSource(str(LAUNCH / name)).try_get_launch_description_without_context()
    for argument in description.get_launch_arguments():
        assert argument.description != 'no description given' and argument.default_value is not None


@pytest.mark.parametrize('name', ['camera', 'segment', 'demo'])
def test_arguments_of_earlier_versions_are_still_there(describe, name):
    camera = {'source', 'width', 'height', 'rate', 'loop', 'frame_id', 'camera_info_url', 'namespace',
              'camera_params_file', 'use_sim_time', 'log_level'}
    segment = {'image', 'camera_info', 'namespace', 'params_file', 'model', 'backend', 'use_sim_time', 'autostart',
               'respawn', 'log_level', 'rviz', 'diagnostics'}
    expected = {'camera': camera, 'segment': segment, 'demo': camera | segment}[name]
    assert expected <= set(declared(describe(name + '.launch.py')))


def test_without_arguments_the_files_decide(launch):
    nodes = launch('segment').nodes
    assert set(nodes) == {'segmentation_node', 'diagnostics_node'}
    segmentation = nodes['segmentation_node']
    assert segmentation.given['name'] == 'espnet' and segmentation.given['respawn'] is False
    assert segmentation.given['additional_env'] == {}
    assert segmentation.parameters == [str(CONFIG / 'segment.yaml')]
    assert nodes['diagnostics_node'].parameters == [str(CONFIG / 'diagnostics.yaml')]
    assert launch('camera').nodes['camera_node'].parameters == [str(CONFIG / 'camera.yaml')]


def test_an_argument_overrides_the_file(launch):
    nodes = launch('segment', model='007', backend='torch', precision='bf16', output_size='network',
                   image_transport='compressed', autostart='false', use_sim_time='True', respawn='true',
                   diagnostics='false', rviz='true', namespace='front').nodes
    assert set(nodes) == {'segmentation_node', 'rviz2'}
    segmentation = nodes['segmentation_node']
    assert segmentation.parameters[1] == {
        'model': '007', 'backend': 'torch', 'precision': 'bf16', 'output_size': 'network',
        'image_transport': 'compressed', 'autostart': False, 'use_sim_time': True}
    assert segmentation.given['respawn'] is True and segmentation.given['namespace'] == 'front'
    assert nodes['rviz2'].parameters == [{'use_sim_time': True}]
    camera = launch('camera', source='0', width='640', rate='15', loop='False').nodes['camera_node']
    assert camera.parameters[1] == {'source': '0', 'width': 640, 'rate': 15.0, 'loop': False}


def resolve(node, topic):
    """Absolute name of a node's relative topic."""
    return topic if topic.startswith('/') else '/' + '/'.join(
        filter(None, [node.given['namespace'].strip('/'), topic]))


@pytest.mark.parametrize('given, space', [(None, ''), ({}, ''), ({'namespace': '/robot/'}, '/robot')])
def test_camera_and_segmentation_meet_without_arguments(launch, given, space):
    nodes = {**launch('camera').nodes, **launch('segment').nodes} if given is None else launch('demo', **given).nodes
    camera, segmentation = nodes['camera_node'], nodes['segmentation_node']
    listens = dict(segmentation.given['remappings'])
    assert resolve(camera, 'image_raw') == resolve(segmentation, listens['image']) == space + '/camera/image_raw'
    assert resolve(camera, 'camera_info') == resolve(segmentation, listens['camera_info'])


@pytest.mark.parametrize('given, image, info', [
    ({}, 'camera/image_raw', 'camera/camera_info'),
    ({'image': '/front/image_rect'}, '/front/image_rect', '/front/camera_info'),
    ({'image': 'image'}, 'image', 'camera_info'),
    ({'image': '/image'}, '/image', '/camera_info'),
    ({'image': '/front/image', 'camera_info': '/info'}, '/front/image', '/info'),
])
def test_calibration_comes_from_beside_the_image(launch, given, image, info):
    assert launch('segment', **given).nodes['segmentation_node'].given['remappings'] == [
        ('image', image), ('image/compressed', image + '/compressed'), ('camera_info', info)]


def test_the_ground_node_meets_segmentation_and_camera(launch):
    node = launch('ground').nodes['ground_node']
    assert node.given['name'] == 'ground' and node.parameters == [str(CONFIG / 'ground.yaml')]
    assert dict(node.given['remappings']) == {
        'labels': 'espnet/labels', 'label_map': 'espnet/label_map', 'camera_info': 'espnet/camera_info',
        'confidence': 'espnet/confidence', 'image': 'camera/image_raw', 'depth': 'camera/depth/image_rect_raw',
        'points': 'camera/points', 'odom': 'camera/odom', 'imu': 'camera/imu'}
    node = launch('ground', segmentation='/rear/net', camera='/rear', label_source='categories', camera_height='1.3',
                  namespace='rear', use_imu='true', log_level='debug').nodes['ground_node']
    remappings = dict(node.given['remappings'])
    assert remappings['labels'] == '/rear/net/categories' and remappings['odom'] == '/rear/odom'
    assert node.parameters[1] == {'label_source': 'categories', 'camera_height': 1.3, 'use_imu': True}
    assert node.given['arguments'] == ['--ros-args', '--log-level', 'rear.ground:=debug']
    found = launch('ground', camera_height='high')
    assert str(found.error) == "launch argument camera_height must be a number, not 'high'" and found.started == []


def test_segmentation_brings_the_ground_node_along(launch):
    nodes = launch('segment', ground='true', name='rear', image='/back/image_rect', camera_height='0.8',
                   rectified='true').nodes
    ground = nodes['ground_node']
    remappings = dict(ground.given['remappings'])
    assert remappings['labels'] == 'rear/labels' and remappings['depth'] == '/back/depth/image_rect_raw'
    assert ground.parameters == [str(CONFIG / 'ground.yaml'), {'camera_height': 0.8, 'rectified': True}]
    assert nodes['segmentation_node'].parameters == [str(CONFIG / 'segment.yaml')]
    assert 'ground_node' not in launch('segment').nodes and 'ground_node' in launch('demo', ground='true').nodes


def test_two_nodes_have_two_names(launch):
    nodes = launch('segment', name='rear', namespace='robot', rviz='true', log_level='debug').nodes
    assert nodes['segmentation_node'].given['name'] == 'rear'
    assert ('/espnet/color', 'rear/color') in nodes['rviz2'].given['remappings']
    # DDS and rcl keep their levels: at debug they would bury what the node says.
    assert nodes['segmentation_node'].given['arguments'] == ['--ros-args', '--log-level', 'robot.rear:=debug']


def test_a_dds_profile_reaches_every_process(launch):
    profile = str(CONFIG / 'fastdds.xml')
    for name in ('camera', 'demo', 'evaluate'):
        running = launch(name, dds_profile=profile, **({'bags': 'day'} if name == 'evaluate' else {})).started
        assert running and all(process.given['additional_env'] == {
            'FASTDDS_DEFAULT_PROFILES_FILE': profile, 'FASTRTPS_DEFAULT_PROFILES_FILE': profile}
            for process in running)


@pytest.mark.parametrize('name, given, sentence', [
    ('segment', {'rviz': 'yes'}, "launch argument rviz must be one of true, false, auto, not 'yes'"),
    ('segment', {'params_file': 'no.yaml'}, "launch argument params_file: there is no file 'no.yaml'"),
    ('segment', {'backend': 'tensorflow'}, "launch argument backend must be one of auto, torch, openvino, onnxruntime, "
     "tensorrt, not 'tensorflow'"),
    ('segment', {'log_level': 'loud'}, "launch argument log_level must be one of debug, info, warn, error, fatal, not "
     "'loud'"),
    ('segment', {'dds_profile': 'no.xml'}, "launch argument dds_profile: there is no file 'no.xml'"),
    ('camera', {'width': 'wide'}, "launch argument width must be a whole number, not 'wide'"),
    ('camera', {'loop': '1'}, "launch argument loop must be true or false, not '1'"),
    ('camera', {'camera_params_file': ''}, "launch argument camera_params_file: there is no file ''"),
    ('demo', {'respawn': 'maybe'}, "launch argument respawn must be true or false, not 'maybe'"),
    ('demo', {'params_file': 'no.yaml'}, "launch argument params_file: there is no file 'no.yaml'"),
    ('evaluate', {}, 'launch argument bags names no bag: bags:=recording'),
    ('evaluate', {'bags': 'day', 'rate': 'fast'}, "launch argument rate must be a number, not 'fast'"),
    ('evaluate', {'bags': 'day', 'params_file': 'no.yaml'}, "launch argument params_file: there is no file 'no.yaml'"),
])
def test_a_wrong_argument_is_one_sentence_before_anything_starts(launch, name, given, sentence):
    found = launch(name, **given)
    assert isinstance(found.error, ParameterError) and str(found.error) == sentence
    assert found.started == []


def test_without_rviz2_the_demo_goes_on_and_an_explicit_wish_is_refused(launch, packages):
    packages.remove('rviz2')
    demo = launch('demo')
    assert demo.error is None and demo.log == ['the package rviz2 is not installed, so nothing is shown']
    assert set(demo.nodes) == {'camera_node', 'segmentation_node', 'diagnostics_node'}
    for name in ('demo', 'segment'):
        refused = launch(name, rviz='true')
        assert str(refused.error) == 'launch argument rviz: the package rviz2 is not installed; install it, or leave ' \
            'rviz out'
        assert refused.started == []


def test_the_demo_shows_what_it_does_where_rviz2_is_installed(launch):
    assert set(launch('demo').nodes) == {'camera_node', 'segmentation_node', 'diagnostics_node', 'rviz2'}


def test_the_stand_in_lets_live_what_started_before_an_error(describe, packages):
    # The fault that the checks above are for; so it is with the real launch.
    packages.remove('rviz2')
    node, missing = (stand_in_launch.Node(package=name, executable=name) for name in ('espnet_ros', 'rviz2'))
    found = stand_in_launch.Launch(packages).run(stand_in_launch.LaunchDescription([node, missing]))
    assert isinstance(found.error, KeyError) and found.started == [node]


@pytest.mark.parametrize('given, log', [
    ({'modle': 'x'}, ['there is no launch argument modle, so it is ignored; did you mean model?']),
    ({'image_transports': 'raw', 'params': 'x'}, [
        'there is no launch argument image_transports, so it is ignored; did you mean image_transport?']),
    ({'map': 'of the launch file that includes this one'}, []),
])
def test_a_misspelt_argument_is_told(launch, given, log):
    found = launch('segment', **given)
    assert found.log == log and found.error is None and found.started


def test_several_cameras(launch):
    found = launch('segment', cameras='front, left', rviz='true')
    node = found.nodes['segmentation_node']
    assert node.parameters == [str(CONFIG / 'segment.yaml'), {'cameras': ['front', 'left']}]
    assert 'remappings' not in node.given or node.given['remappings'] == []
    assert ('/espnet/overlay', 'espnet/front/overlay') in found.nodes['rviz2'].given['remappings']
    assert ('/camera/image_raw', 'front/image_raw') in found.nodes['rviz2'].given['remappings']
    assert launch('segment', cameras='[rear]').nodes['segmentation_node'].parameters[1] == {'cameras': ['rear']}


@pytest.mark.parametrize('given, sentence', [
    ({'cameras': 'front,,left'}, "parameter cameras has the name ''; a name begins with a letter"),
    ({'cameras': 'front,front'}, 'parameter cameras names front twice'),
    ({'cameras': 'front,left', 'ground': 'true'}, 'segmentation:=espnet/front camera:=front for each camera')])
def test_several_cameras_that_do_not_work(launch, given, sentence):
    found = launch('segment', **given)
    assert isinstance(found.error, ParameterError) and sentence in str(found.error) and found.started == []


def test_an_evaluation_plays_its_bags_into_a_node_with_sim_time(launch):
    found = launch('evaluate', bags="day 'rainy night'", rate='2.0', options='--min-coverage 0.9')
    node, command = found.started
    model = SegmentationParameters().model
    assert node.parameters == [str(CONFIG / 'segment.yaml'), {'model': model, 'backend': 'auto', 'use_sim_time': True}]
    words = command.given['cmd']
    assert words[1:] == ['-m', 'espnet_ros.cli', 'evaluate', 'day', 'rainy night', '--node', '/espnet', '--model',
                         model, '--out', 'evaluation', '--rate', '2.0', '--min-coverage', '0.9']
    parser = argparse.ArgumentParser()
    importlib.import_module('espnet_ros.cli.evaluate').add_arguments(parser)
    assert parser.parse_args(words[4:]).rate == 2.0  # the command understands all of it


@pytest.mark.parametrize('code', [0, 1, 3, -2])
def test_how_an_evaluation_ends_reaches_the_shell(launch, code):
    found = launch('evaluate', bags='day')
    found.end(found.started[1], code)
    assert found.started == []
    assert (str(found.error) if found.error else '') == (
        'evaluation-1 ended with exit code {}'.format(code) if code else '')


def test_launch_arguments_are_parameters_of_the_nodes():
    arguments = plans.segment_arguments('') + plans.camera_arguments('') + plans.ground_arguments('')
    names = {argument.name: argument.kind for argument in arguments
             if argument.empty and argument.name not in ('use_sim_time', 'dds_profile')}
    kinds = {name: type(value) for defaults in (SegmentationParameters(), CameraParameters(), GroundParameters())
             for name, value in defaults._asdict().items()}
    assert {'model', 'backend', 'precision', 'output_size', 'image_transport', 'source', 'loop'} <= set(names)
    assert names == {name: kinds[name] for name in names}
