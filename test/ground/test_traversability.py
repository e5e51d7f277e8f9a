"""The shipped table names every class; a bad one gets a sentence."""
import pytest
from ground_scenes import CONFIG

from espnet_ros.errors import ParameterError
from espnet_ros.ground.traversability import UNKNOWN, ground_table, read_traversability
from espnet_ros.labels import LABEL_SETS


@pytest.mark.parametrize('name', sorted(LABEL_SETS))
def test_every_class_of_every_shipped_label_set_is_named(name):
    table = ground_table(read_traversability(CONFIG), {c.id: c.name for c in LABEL_SETS[name].classes})
    assert table.unnamed == ()
    assert (table.cost == 0).any() and table.blocks.any() and table.moves.any()


def test_an_unnamed_class_is_unknown_and_named():
    table = ground_table(read_traversability(CONFIG), {0: 'road', 1: 'lava', 2: 'person'})
    assert table.unnamed == ('lava',)
    assert table.cost[[0, 1, 2, 7, 255]].tolist() == [0, UNKNOWN, 100, UNKNOWN, UNKNOWN]
    assert table.blocks[[0, 1, 2]].tolist() == [0, 0, 255] and table.moves[[0, 1, 2]].tolist() == [0, 0, 255]


@pytest.mark.parametrize('text,words', [
    ('[]', 'exactly the keys'), ('obstacle_cost: 0\nclasses: {}', 'obstacle_cost must be'),
    ('obstacle_cost: 65\nclasses: {a: 3}', "class 'a' must have cost"),
    ('obstacle_cost: 65\nclasses: {a: {cost: 101}}', "cost of class 'a'"),
    ('obstacle_cost: 65\nclasses: {a: {cost: 255}}', "cost of class 'a'"),
    ('obstacle_cost: 65\nclasses: {a: {cost: 5, extent: -1}}', 'must be 0 to 50 m'),
    ('obstacle_cost: 65\nclasses: {a: {cost: 5, moves: 3}}', 'true or false'),
    ('obstacle_cost: 65\nclasses: {a: {cost: 5, height: 3}}', 'must have cost')])
def test_a_bad_file_gets_a_sentence(tmp_path, text, words):
    path = tmp_path / 'table.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError, match=words):
        read_traversability(path)
