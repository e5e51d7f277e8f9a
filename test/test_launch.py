"""Launch files and configuration say what the nodes understand."""
import argparse
import importlib
import json
import pathlib
import py_compile
import re
import sys
import types

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG, LAUNCH = ROOT / 'config', ROOT / 'launch'
LAUNCH_FILES = sorted(path.name for path in LAUNCH.glob('*.launch.py'))
PARAMETERS = {
    'camera.yaml': ('espnet_ros.nodes.camera.node', 'CameraParameters'),
    'diagnostics.yaml': ('espnet_ros.nodes.diagnostics.node', 'DiagnosticsParameters'),
    'segment.yaml': ('espnet_ros.nodes.segmentation.settings', 'SegmentationParameters'),
}


class Recorded:
    """Stands in for an action: remembers what it was made of."""

    def __init__(self, *positional, **named):
        self.positional, self.named = positional, named


@pytest.fixture
def load(monkeypatch):
    """Load a launch file of this checkout without ROS: actions are Recorded, a typed value is the value itself."""
    def module(name, **members):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**members))
    module('ament_index_python.packages', get_package_share_directory=lambda package: str(ROOT))
    module('ament_index_python', packages=sys.modules['ament_index_python.packages'])
    module('launch', LaunchDescription=Recorded)
    module('launch.actions', DeclareLaunchArgument=Recorded, ExecuteProcess=Recorded,
           IncludeLaunchDescription=Recorded, OpaqueFunction=Recorded, Shutdown=Recorded)
    module('launch.launch_description_sources', PythonLaunchDescriptionSource=str)
    module('launch_ros', actions=None)
    module('launch_ros.actions', Node=Recorded)
    module('launch_ros.parameter_descriptions', ParameterValue=lambda value, value_type: value_type(value))

    def load(name):
        namespace = {}
        exec(compile((LAUNCH / name).read_text(), name, 'exec'), namespace)
        return types.SimpleNamespace(**namespace)
    return load


@pytest.fixture
def start(load):
    """Nodes, by executable, that a launch file starts with the given arguments."""
    def start(name, **given):
        launch = load(name)
        values = {name: default for name, default, _ in launch.ARGUMENTS}
        assert set(given) <= set(values)
        values.update(given)
        nodes = launch.nodes(types.SimpleNamespace(launch_configurations=values))
        return {node.named['executable']: node.named for node in nodes}
    return start


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_compiles(name, tmp_path):
    py_compile.compile(str(LAUNCH / name), cfile=str(tmp_path / 'compiled'), doraise=True)


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_every_argument_has_default_and_description(load, name):
    declared = [entity for entity in load(name).generate_launch_description().positional[0]
                if 'description' in entity.named or 'default_value' in entity.named]
    assert declared
    for argument in declared:
        assert argument.named['description'].endswith('.') and len(argument.named['description']) > 20
        assert isinstance(argument.named['default_value'], str)


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_ros_itself_reads_it(name):
    pytest.importorskip('launch_ros')
    sources = pytest.importorskip('launch.launch_description_sources')
    packages = pytest.importorskip('ament_index_python.packages')
    try:
        packages.get_package_share_directory('espnet_ros')
    except packages.PackageNotFoundError:
        pytest.skip('espnet_ros is not installed in a ROS workspace')
    description = sources.PythonLaunchDescriptionSource(str(LAUNCH / name)).try_get_launch_description_without_context()
    for argument in description.get_launch_arguments():
        assert argument.description != 'no description given' and argument.default_value is not None


def test_arguments_are_those_of_the_interface(load):
    assert [row[0] for row in load('segment.launch.py').ARGUMENTS] == [
        'image', 'camera_info', 'namespace', 'params_file', 'model', 'backend', 'use_sim_time', 'autostart', 'respawn',
        'log_level', 'rviz', 'diagnostics']


def test_without_arguments_the_file_decides(start):
    nodes = start('segment.launch.py')
    assert set(nodes) == {'segmentation_node', 'diagnostics_node'}
    assert nodes['segmentation_node']['name'] == 'espnet'
    assert nodes['segmentation_node']['parameters'] == [str(CONFIG / 'segment.yaml')]
    assert nodes['segmentation_node']['respawn'] is False
    assert nodes['diagnostics_node']['parameters'] == [str(CONFIG / 'diagnostics.yaml')]
    assert start('camera.launch.py')['camera_node']['parameters'] == [str(CONFIG / 'camera.yaml')]


def test_an_argument_overrides_the_file(start):
    nodes = start('segment.launch.py', model='007', backend='torch', autostart='false', use_sim_time='True',
                  respawn='true', diagnostics='false', rviz='true', namespace='front')
    assert set(nodes) == {'segmentation_node', 'rviz2'}
    assert nodes['segmentation_node']['parameters'][1] == {
        'model': '007', 'backend': 'torch', 'autostart': False, 'use_sim_time': True}
    assert nodes['segmentation_node']['respawn'] is True
    assert nodes['segmentation_node']['namespace'] == 'front'
    assert nodes['rviz2']['parameters'] == [{'use_sim_time': True}]
    camera = start('camera.launch.py', source='0', width='640', rate='15', loop='False')['camera_node']
    assert camera['parameters'][1] == {'source': '0', 'width': 640, 'rate': 15.0, 'loop': False}


def test_an_evaluation_plays_its_bags_into_a_node_with_sim_time(load):
    launch = load('evaluate.launch.py')
    values = {name: default for name, default, _ in launch.ARGUMENTS}
    context = types.SimpleNamespace(launch_configurations=values)
    with pytest.raises(RuntimeError, match='names no bag'):
        launch.nodes(context)
    values.update(bags="day 'rainy night'", rate='2.0', options='--min-coverage 0.9')
    node, command = launch.nodes(context)
    assert node.named['parameters'] == [str(CONFIG / 'segment.yaml'), {
        'model': values['model'], 'backend': 'auto', 'use_sim_time': True}]
    words = command.named['cmd']
    assert words[1:] == ['-m', 'espnet_ros.cli', 'evaluate', 'day', 'rainy night', '--node', '/espnet', '--model',
                         values['model'], '--out', 'evaluation', '--rate', '2.0', '--min-coverage', '0.9']
    parser = argparse.ArgumentParser()
    importlib.import_module('espnet_ros.cli.evaluate').add_arguments(parser)
    assert parser.parse_args(words[4:]).rate == 2.0  # the command understands all of it
    values['params_file'] = 'no.yaml'
    with pytest.raises(RuntimeError, match="there is no file 'no.yaml'"):
        launch.nodes(context)


def test_image_is_remapped_with_its_compressed_form(start):
    remappings = start('segment.launch.py', image='/front/image')['segmentation_node']['remappings']
    assert remappings == [('image', '/front/image'), ('image/compressed', '/front/image/compressed'),
                          ('camera_info', 'camera_info')]


@pytest.mark.parametrize('name, given, sentence', [
    ('segment.launch.py', {'rviz': 'yes'}, "launch argument rviz must be true or false, not 'yes'"),
    ('segment.launch.py', {'params_file': 'no.yaml'}, "launch argument params_file: there is no file 'no.yaml'"),
    ('camera.launch.py', {'width': 'wide'}, "launch argument width must be a whole number, not 'wide'"),
    ('camera.launch.py', {'loop': '1'}, "launch argument loop must be true or false, not '1'"),
    ('camera.launch.py', {'camera_params_file': ''}, "launch argument camera_params_file: there is no file ''"),
])
def test_wrong_argument_is_one_sentence(start, name, given, sentence):
    with pytest.raises(RuntimeError) as error:
        start(name, **given)
    assert str(error.value) == sentence


def test_demo_includes_camera_and_segmentation(load):
    _, camera, segment = load('demo.launch.py').generate_launch_description().positional[0]
    assert camera.positional == (str(LAUNCH / 'camera.launch.py'),)
    assert segment.positional == (str(LAUNCH / 'segment.launch.py'),)


def test_included_files_share_only_arguments_that_mean_the_same(load):
    camera, segment = ({row[0]: row[1] for row in load(name).ARGUMENTS}
                       for name in ('camera.launch.py', 'segment.launch.py'))
    shared = set(camera) & set(segment)
    assert shared == {'namespace', 'use_sim_time', 'log_level'}
    assert all(camera[name] == segment[name] for name in shared)


def test_launch_arguments_of_the_camera_are_its_parameters(load):
    written = yaml.safe_load((CONFIG / 'camera.yaml').read_text())['/**']['ros__parameters']
    kinds = load('camera.launch.py').KINDS
    assert {name: type(written[name]) for name in kinds if name != 'use_sim_time'} == {
        name: kind for name, kind in kinds.items() if name != 'use_sim_time'}


@pytest.mark.parametrize('name', sorted(PARAMETERS))
def test_configuration_holds_every_parameter_with_its_default(name):
    pytest.importorskip('rclpy')
    module, kind = PARAMETERS[name]
    defaults = getattr(importlib.import_module(module), kind)()._asdict()
    written = yaml.safe_load((CONFIG / name).read_text())
    assert list(written) == ['/**'] and list(written['/**']) == ['ros__parameters']
    values = written['/**']['ros__parameters']
    assert values == defaults
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in defaults.items()}


def test_rviz_shows_camera_overlay_and_labels():
    displays = yaml.safe_load((CONFIG / 'segment.rviz').read_text())['Visualization Manager']['Displays']
    assert {display['Class'] for display in displays} == {'rviz_default_plugins/Image'}
    assert {display['Topic']['Value'] for display in displays} == {'/image_raw', '/espnet/overlay', '/espnet/color'}
    assert {display['Topic']['Reliability Policy'] for display in displays} == {'Best Effort'}
    assert all(display['Enabled'] and display['Value'] for display in displays)


def panels_of(layout):
    return [layout] if isinstance(layout, str) else panels_of(layout['first']) + panels_of(layout['second'])


def test_foxglove_shows_camera_overlay_labels_diagnostics_and_plots():
    layout = json.loads((CONFIG / 'espnet.foxglove.json').read_text())
    assert sorted(panels_of(layout['layout'])) == sorted(layout['configById'])
    panels = layout['configById']
    assert {panel['imageMode']['imageTopic'] for name, panel in panels.items() if name.startswith('Image!')} == {
        '/image_raw', '/espnet/overlay', '/espnet/color'}
    assert panels['DiagnosticSummary!all']['topicToRender'] == '/diagnostics'


def test_foxglove_plots_what_diagnostics_says():
    status = pytest.importorskip('espnet_ros.diagnostics.status')
    latency = pytest.importorskip('espnet_ros.diagnostics.latency')
    incoming = status.InputState(True, '/image', 1, 30.0, 9, 0, 0, 0, 0.0)
    outgoing = status.OutputState(True, True, 1, 30.0, 9, 0, 0)
    times = latency.Percentiles(*[0.01] * len(latency.Percentiles._fields))
    said = {(line.name, key) for line in (
        status.input_status('espnet: Input', incoming), status.output_status('espnet: Output', outgoing),
        status.latency_status('espnet: Latency', {'stamp to output': times})) for key, _ in line.values}
    text = (CONFIG / 'espnet.foxglove.json').read_text().replace('\\"', '"')
    plotted = set(re.findall(r'\{name=="([^"]+)"\}\.values\[:\]\{key=="([^"]+)"\}', text))
    assert len(plotted) == 4 and plotted <= said
