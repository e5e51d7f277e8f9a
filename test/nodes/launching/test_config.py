"""The files in config/ agree with nodes and launch files."""
import json
import pathlib
import re
import xml.etree.ElementTree

import pytest
import yaml

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.diagnostics import keys, status  # noqa: E402
from espnet_ros.nodes.camera.node import CameraParameters  # noqa: E402
from espnet_ros.nodes.diagnostics.node import DiagnosticsParameters  # noqa: E402
from espnet_ros.nodes.ground.settings import GroundParameters  # noqa: E402
from espnet_ros.nodes.segmentation.settings import SegmentationParameters  # noqa: E402

CONFIG = pathlib.Path(__file__).resolve().parents[3] / 'config'
PARAMETERS = {
    'camera.yaml': CameraParameters, 'diagnostics.yaml': DiagnosticsParameters, 'ground.yaml': GroundParameters,
    'segment.yaml': SegmentationParameters,
}


def test_the_aggregator_puts_every_status_in_one_group():
    groups = yaml.safe_load((CONFIG / 'aggregator.yaml').read_text())['analyzers']['ros__parameters']
    patterns = {name: group['contains'] for name, group in groups.items() if isinstance(group, dict)}
    for part, group in [*((part, 'segmentation') for part in keys.NODE_PARTS),
                        *((part, 'machine') for part in keys.MACHINE_PARTS)]:
        name = 'robot/espnet: ' + part
        assert [found for found, texts in patterns.items() if any(text in name for text in texts)] == [group]


def test_a_recording_holds_what_the_launch_files_publish(launch):
    profile = yaml.safe_load((CONFIG / 'record.yaml').read_text())['/**']['ros__parameters']
    topics = profile['record']['topics']
    nodes = launch('demo').nodes
    camera = '/' + nodes['camera_node'].given['namespace']
    assert {camera + '/image_raw', camera + '/camera_info', camera + '/ground_truth',
            '/{}/labels'.format(nodes['segmentation_node'].given['name']), '/diagnostics'} <= set(topics)
    assert profile['storage']['storage_id'] == 'mcap' and profile['record']['compression_format'] == 'zstd'


def test_nav2_manages_the_node_without_a_bond(launch):
    (name, node), = yaml.safe_load((CONFIG / 'nav2' / 'lifecycle_manager.yaml').read_text()).items()
    assert name == 'lifecycle_manager_segmentation' and node['ros__parameters'] == {
        'autostart': True, 'bond_timeout': 0.0,
        'node_names': [launch('segment').nodes['segmentation_node'].given['name']]}


def test_the_dds_profile_has_room_for_large_images_and_tells_early_of_a_node():
    space = {'dds': 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'}
    root = xml.etree.ElementTree.parse(str(CONFIG / 'fastdds.xml')).getroot()
    transports = {transport.findtext('dds:transport_id', '', space): transport
                  for transport in root.iterfind('.//dds:transport_descriptor', space)}
    used = [element.text for element in root.iterfind('.//dds:userTransports/dds:transport_id', space)]
    assert sorted(used) == sorted(transports)
    shared = transports['large_shared_memory']
    assert int(shared.findtext('dds:segment_size', '', space)) > 4 * 1920 * 1080 * 3
    assert root.find('.//dds:participant', space).get('is_default_profile') == 'true'
    own, of_tests = (tree.find('.//dds:leaseAnnouncement', space) for tree in (
        root, xml.etree.ElementTree.parse(str(CONFIG.parent / 'test/support/announce.xml')).getroot()))
    assert [part.text for part in own] == [part.text for part in of_tests] == ['0', '500000000']


@pytest.mark.parametrize('name', sorted(PARAMETERS))
def test_configuration_holds_every_parameter_with_its_default(name):
    defaults = PARAMETERS[name]()._asdict()
    written = yaml.safe_load((CONFIG / name).read_text())
    assert list(written) == ['/**'] and list(written['/**']) == ['ros__parameters']
    values = {key: tuple(value) if isinstance(value, list) else value
              for key, value in written['/**']['ros__parameters'].items()}
    assert values == defaults
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in defaults.items()}


def test_rviz_shows_camera_overlay_and_labels():
    displays = yaml.safe_load((CONFIG / 'segment.rviz').read_text())['Visualization Manager']['Displays']
    assert {display['Class'] for display in displays} == {'rviz_default_plugins/Image'}
    # Outputs are reliable and may be large; a camera's driver may offer no more than best effort.
    assert {display['Topic']['Value']: display['Topic']['Reliability Policy'] for display in displays} == {
        '/camera/image_raw': 'Best Effort', '/espnet/overlay': 'Reliable', '/espnet/color': 'Reliable'}
    assert all(display['Enabled'] and display['Value'] for display in displays)


def panels_of(layout):
    return [layout] if isinstance(layout, str) else panels_of(layout['first']) + panels_of(layout['second'])


def test_foxglove_shows_camera_overlay_labels_diagnostics_and_plots():
    layout = json.loads((CONFIG / 'espnet.foxglove.json').read_text())
    assert sorted(panels_of(layout['layout'])) == sorted(layout['configById'])
    panels = layout['configById']
    assert {panel['imageMode']['imageTopic'] for name, panel in panels.items() if name.startswith('Image!')} == {
        '/camera/image_raw', '/espnet/overlay', '/espnet/color'}
    assert panels['DiagnosticSummary!all']['topicToRender'] == '/diagnostics'


def test_foxglove_plots_what_the_node_publishes():
    incoming = status.InputState(True, '/image', 1, 30.0, 9, 0, 0, 0, 0.0)
    outgoing = status.OutputState(True, True, 1, 30.0, 9, 0, 0)
    said = {(line.name, key) for line in (
        status.input_status('espnet: Input', incoming), status.output_status('espnet: Output', outgoing))
        for key, _ in line.values}
    text = (CONFIG / 'espnet.foxglove.json').read_text().replace('\\"', '"')
    plotted = set(re.findall(r'\{name=="([^"]+)"\}\.values\[:\]\{key=="([^"]+)"\}', text))
    assert len(plotted) == 2 and plotted <= said
    # ~/latency has p50, p95 and p99 of each stage, one after the other.
    first = 3 * keys.STAGES.index(keys.STAMP_TO_OUTPUT)
    assert re.findall(r'"/espnet/latency\.data\[(\d+)\]"', text) == [str(first), str(first + 1)]
