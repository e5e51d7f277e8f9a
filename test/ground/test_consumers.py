"""What consumers are configured with has every class, in their own format."""
import csv
import io

import pytest
import yaml
from ground_scenes import CONFIG

from espnet_ros.cli import main
from espnet_ros.errors import ParameterError
from espnet_ros.ground.consumers import autoware, hydra, kimera, nav2
from espnet_ros.ground.traversability import read_traversability
from espnet_ros.labels import CAMVID, CITYSCAPES, LABEL_SETS, LabelClass, LabelSet
from espnet_ros.labels.autoware import CLASSES

TABLE = read_traversability(CONFIG)


@pytest.mark.parametrize('label_set', LABEL_SETS.values(), ids=lambda s: s.name)
def test_nav2_gets_each_class_once_with_its_cost(label_set):
    layer = yaml.safe_load(nav2(label_set, TABLE))['semantic_segmentation_layer']
    source = layer[layer['observation_sources']]
    assert set(source['class_types']) < set(source)
    named = [name for kind in source['class_types'] for name in source[kind]['classes']]
    assert sorted(named) == sorted(n for n in label_set.names if n.lower() != 'sky')
    for kind in source['class_types']:
        for name in source[kind]['classes']:
            assert source[kind]['base_cost'] == source[kind]['max_cost'] == round(2.54 * TABLE.classes[name].cost)
        assert 0 <= source[kind]['base_cost'] <= 254
    assert source['segmentation_topic'] == '/espnet/labels' and source['pointcloud_topic'] == '/ground/points'


def test_the_shipped_examples_are_made_by_it():
    for label_set in (CITYSCAPES, CAMVID):
        path = CONFIG.parent / 'nav2' / (label_set.name + '.yaml')
        assert path.read_text() == nav2(label_set, TABLE)


def test_kimera_gets_the_colors_and_black():
    rows = list(csv.reader(io.StringIO(kimera(CITYSCAPES, TABLE))))
    assert rows[0] == ['name', 'red', 'green', 'blue', 'alpha', 'id'] and len(rows) == 21
    assert rows[1] == ['road', '128', '64', '128', '255', '0'] and rows[-1] == ['unlabeled', '0', '0', '0', '255', '19']


def test_autoware_keeps_the_points_of_obstacles():
    text = autoware(CITYSCAPES, TABLE)
    assert all(name in text for name in CITYSCAPES.names)
    values = yaml.safe_load(text)['/**']['ros__parameters']
    target = values['filter_semantic_label_target']
    assert list(target) == list(CLASSES) and values['filter_distance_threshold'] > 0
    assert [name for name, filtered in target.items() if filtered] == ['ROAD']


def test_hydra_gets_all_ids():
    space = yaml.safe_load(hydra(CITYSCAPES, TABLE))
    assert {entry['label']: entry['name'] for entry in space['label_names']} == {
        **{c.id: c.name for c in CITYSCAPES.classes}, 255: 'unlabeled'}
    assert space['dynamic_labels'] == list(range(11, 19)) and space['invalid_labels'] == [10, 255]
    assert space['surface_places_labels'] == [0, 1] and space['total_semantic_labels'] == 256


def test_a_class_without_a_cost_is_named():
    with pytest.raises(ParameterError, match="does not name 'lava'"):
        nav2(LabelSet('own', (LabelClass(0, 'lava', 1, (1, 2, 3)),)), TABLE)


def test_the_command_prints_it(capsys):
    assert main(['models', 'describe', 'camvid-espnet-q8', '--for', 'kimera']) == 0
    assert capsys.readouterr().out == kimera(CAMVID, TABLE)
