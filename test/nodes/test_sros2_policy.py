"""config/sros2_policy.xml names what the nodes really create, and nothing else."""
import pathlib
import xml.etree.ElementTree

import pytest
from ros_process import wait_until

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.nodes.ground.processing import INPUTS  # noqa: E402

POLICY = pathlib.Path(__file__).resolve().parents[2] / 'config' / 'sros2_policy.xml'
NODES = {'espnet': 'segmentation', 'camera': 'camera', 'ground': 'ground', 'diagnostics': 'diagnostics'}
OPTIONAL = {'/espnet/label_info', '/espnet/categories/label_info', '/tf', '/tf_static', '/bond', '/clock',
            '/image/compressed', *('/' + name for name in (*INPUTS, 'labels'))}
"""What depends on the packages that are installed, on parameters, or on who subscribes."""
TELEMETRY = '/diagnostics/telemetry/'
"""What comes below it depends on the machine."""


def policy():
    """Return {(node, kind): names}, kind being publish, subscribe, reply or request."""
    found = {}
    for profile in xml.etree.ElementTree.parse(str(POLICY)).iter('profile'):
        assert profile.get('ns') == '/'
        for group in profile:
            (kind, allowed), = group.attrib.items()
            assert allowed == 'ALLOW'
            names = found.setdefault((profile.get('node'), kind), set())
            for entry in group:
                name = entry.text.strip()
                names.add(name if name.startswith('/') else name.replace('~', '/' + profile.get('node'), 1)
                          if name.startswith('~') else '/' + name)
    return found


def graph(node, name):
    """Return {(node, kind): names} of a running node, as `policy` does."""
    asked = {'publish': node.get_publisher_names_and_types_by_node,
             'subscribe': node.get_subscriber_names_and_types_by_node,
             'reply': node.get_service_names_and_types_by_node, 'request': node.get_client_names_and_types_by_node}
    return {(name, kind): {TELEMETRY + '*' if topic.startswith(TELEMETRY) else topic for topic, _ in ask(name, '/')}
            for kind, ask in asked.items()}


def test_the_policy_names_what_the_nodes_create(start_node, observer, small_model):
    allowed = policy()
    assert {name for name, _ in allowed} == set(NODES)
    assert {'/' + name for name in (*INPUTS, 'labels', 'label_map')} < allowed['ground', 'subscribe']
    arguments = {'ground': ['-p', 'camera_height:=1.0'], 'camera': ['-p', 'source:=street:3'],
                 'segmentation': ['-p', 'model:={}'.format(small_model)]}
    for folder in NODES.values():
        start_node('espnet_ros.nodes.{}.__main__'.format(folder), '--ros-args', *arguments.get(folder, ()))

    def differences():
        found = {}
        for name in NODES:
            if name not in observer.node.get_node_names():
                return {name: 'is not there'}
            for key, names in graph(observer.node, name).items():
                wanted = allowed.get(key, set())
                if names - wanted or wanted - names - OPTIONAL:
                    found[key] = names - wanted, wanted - names
        return found

    try:
        wait_until(lambda: not differences(), 120.0)
    except AssertionError:
        pytest.fail(str(differences()))
