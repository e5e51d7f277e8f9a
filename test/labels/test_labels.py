"""Label sets: the tables are right, and files that are not are refused by a sentence."""
import time

import numpy as np
import pytest
import yaml

from espnet_ros import files, labels
from espnet_ros.errors import LabelError
from espnet_ros.labels import CAMVID, CATEGORIES, CATEGORY_SET, CITYSCAPES, UNLABELED, LabelClass, LabelSet

FRUIT = {'name': 'fruit', 'classes': [
    {'id': 7, 'name': 'pear', 'category': 'nature', 'color': [0, 255, 0]},
    {'id': 3, 'name': 'bowl', 'color': [0, 0, 255]}]}


def test_cityscapes_has_the_19_evaluated_classes_in_the_order_of_train_ids():
    assert CITYSCAPES.ids == tuple(range(19))
    assert CITYSCAPES.names == (
        'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign', 'vegetation',
        'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle')
    assert CITYSCAPES.without_category == ()


@pytest.mark.parametrize('train_id, label_id, category, color', [
    (0, 7, 'flat', (128, 64, 128)), (1, 8, 'flat', (244, 35, 232)), (2, 11, 'construction', (70, 70, 70)),
    (5, 17, 'object', (153, 153, 153)), (7, 20, 'object', (220, 220, 0)), (9, 22, 'nature', (152, 251, 152)),
    (10, 23, 'sky', (70, 130, 180)), (12, 25, 'human', (255, 0, 0)), (13, 26, 'vehicle', (0, 0, 142)),
    (16, 31, 'vehicle', (0, 80, 100)), (18, 33, 'vehicle', (119, 11, 32))])
def test_cityscapes_rows(train_id, label_id, category, color):
    assert labels.train_id_to_label_id()[train_id] == label_id
    assert labels.label_id_to_train_id()[label_id] == train_id
    assert CATEGORIES[CITYSCAPES.category_table()[train_id]] == category
    assert tuple(CITYSCAPES.palette()[train_id]) == color


def test_label_ids_and_train_ids_are_inverse_where_both_exist():
    to_train, to_label = labels.label_id_to_train_id(), labels.train_id_to_label_id()
    assert to_train.dtype == to_label.dtype == np.uint8
    assert np.array_equal(to_train[to_label[:19]], np.arange(19))
    assert np.count_nonzero(to_train != UNLABELED) == 19
    assert to_train[34:].min() == UNLABELED and to_label[19:].max() == 0


def test_tables_are_the_callers_own():
    CITYSCAPES.palette()[:] = 1
    labels.label_id_to_train_id()[:] = 1
    assert tuple(CITYSCAPES.palette()[0]) == (128, 64, 128)
    assert labels.label_id_to_train_id()[7] == 0


def test_camvid_and_its_categories():
    assert CAMVID.ids == tuple(range(11))
    assert CAMVID.names == ('Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence', 'Car',
                            'Pedestrian', 'Bicyclist')
    assert [CATEGORIES[i] for i in CAMVID.category_table()[:11]] == [
        'sky', 'construction', 'object', 'flat', 'flat', 'nature', 'object', 'construction', 'vehicle', 'human',
        'human']
    assert CAMVID.category_table()[11:].max() == 0


def test_cityscapes_to_camvid_keeps_the_category_but_for_two_wheelers():
    table = labels.cityscapes_to_camvid()
    assert table[19:].min() == UNLABELED
    changed = [CITYSCAPES.names[i] for i in range(19)
               if CITYSCAPES.category_table()[i] != CAMVID.category_table()[table[i]]]
    assert changed == ['motorcycle', 'bicycle']
    assert [CAMVID.names[table[CITYSCAPES.names.index(name)]] for name in ('wall', 'truck', 'terrain', 'rider')] == [
        'Building', 'Car', 'Tree', 'Bicyclist']


def test_categories_are_a_label_set():
    assert CATEGORY_SET.names == CATEGORIES[1:] and CATEGORY_SET.ids == tuple(range(1, 8))
    assert np.array_equal(CATEGORY_SET.category_table()[:9], [0, 1, 2, 3, 4, 5, 6, 7, 0])


def test_own_label_set_is_sorted_and_names_what_has_no_category(tmp_path):
    path = tmp_path / 'fruit.yaml'
    path.write_text(yaml.safe_dump(FRUIT))
    expected = LabelSet('fruit', (LabelClass(3, 'bowl', 0, (0, 0, 255)), LabelClass(7, 'pear', 4, (0, 255, 0))))
    assert labels.load_label_set(path) == labels.get_label_set(str(path)) == expected
    assert expected.without_category == ('bowl',)
    assert tuple(expected.palette()[7]) == (0, 255, 0) and not expected.palette()[0].any()


@pytest.mark.parametrize('label_set', labels.LABEL_SETS.values(), ids=lambda s: s.name)
def test_round_trip(label_set):
    assert labels.get_label_set(label_set.name) is label_set
    assert labels.label_set_from_dict(labels.label_set_to_dict(label_set)) == label_set


def changed(**entry):
    return dict(FRUIT, classes=[dict(FRUIT['classes'][0], **entry)])


@pytest.mark.parametrize('data, sentence', [
    (None, 'exactly the keys'), ([], 'exactly the keys'), ({'name': 'x'}, 'exactly the keys'),
    (dict(FRUIT, more=1), 'exactly the keys'), (dict(FRUIT, name=3), 'name must be a non-empty string, not 3'),
    (dict(FRUIT, name=''), 'name must be a non-empty string'), (dict(FRUIT, classes={}), 'classes must be a list'),
    (dict(FRUIT, classes=[]), 'at least one class'), (dict(FRUIT, classes=['road']), "mapping .*, not 'road'"),
    (changed(shade=[1, 2, 3]), "no key 'shade'"), (changed(id=255), 'class id 255 must be .* 0..254'),
    (changed(id=-1), 'class id -1'), (changed(id=True), 'class id True'), (changed(id='3'), "class id '3'"),
    (changed(id=1.0), r'class id 1\.0'), (changed(id=None), 'class id None'),
    (changed(name=''), 'class 7 needs a name'), (changed(name=None), 'needs a name'),
    (changed(category='Nature'), "category 'Nature'; it must be one of void, "),
    (changed(category=['nature']), 'it must be one of'), (changed(color=[0, 0]), r'color .* not \[0, 0\]'),
    (changed(color=[0, 0, 256]), '0..255'), (changed(color=None), 'not None'), (changed(color=[0, 0, 1.5]), '0..255'),
    (dict(FRUIT, classes=FRUIT['classes'][:1] * 2), 'two classes share the id 7'),
    (dict(FRUIT, classes=[FRUIT['classes'][0], dict(FRUIT['classes'][0], id=1)]), "share the name 'pear'")])
def test_wrong_label_sets_are_refused_by_a_sentence(data, sentence):
    with pytest.raises(LabelError, match=sentence) as caught:
        labels.label_set_from_dict(data, 'fruit.yaml')
    assert str(caught.value).startswith('fruit.yaml: ')


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(LabelError, match="'ade20k'; known are camvid, categories, cityscapes"):
        labels.get_label_set('ade20k')


# Each but the first few makes PyYAML raise something else than its own YAMLError.
@pytest.mark.parametrize('content', [
    b'a: [', b'\xff\xfe\x00', b'!!python/object/apply:os.system ["true"]', b'!!python/name:os.system x',
    b'a: &a [*a]', b'a: 2020-13-45', b'!!timestamp x', b'!!int ""', b'!!bool maybe', b'!!float x', b'[' * 100000,
    b'? [a]\n: 1', b'a: 1\n---\nb: 2'])
def test_hostile_yaml_gets_a_sentence(tmp_path, content):
    path = tmp_path / 'labels.yaml'
    path.write_bytes(content)
    with pytest.raises(LabelError, match="the label set '.*labels.yaml' is not (YAML|text): ") as caught:
        labels.load_label_set(path)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 500


def test_aliases_that_would_grow_without_end_are_refused_at_once(tmp_path):
    path = tmp_path / 'laughs.yaml'
    path.write_text('a0: &a0 [x]\n' + ''.join(
        'a{}: &a{} [{}]\n'.format(i, i, ', '.join(['*a{}'.format(i - 1)] * 10)) for i in range(1, 30)))
    began = time.monotonic()
    with pytest.raises(LabelError, match='aliases'):
        labels.load_label_set(path)
    assert time.monotonic() - began < 30


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / 'none.yaml', tmp_path, 'a\0b.yaml'):
        with pytest.raises(LabelError, match='cannot read the label set'):
            labels.load_label_set(path)
    (tmp_path / 'long.yaml').write_text('# ' + 'x' * files.YAML_CHARACTERS)
    with pytest.raises(LabelError, match='longer than 131072 characters'):
        labels.load_label_set(tmp_path / 'long.yaml')


def test_a_full_label_set_is_short_enough():
    full = {'name': 'full', 'classes': [
        {'id': i, 'name': 'a class with a long name {}'.format(i), 'category': 'construction', 'color': [255, 255, 255]}
        for i in range(255)]}
    assert len(yaml.safe_dump(full, default_flow_style=False)) < files.YAML_CHARACTERS / 2
    assert len(labels.label_set_from_dict(full).classes) == 255
