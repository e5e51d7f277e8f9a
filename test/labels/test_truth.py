"""Ground truth: every coding becomes the ids it stands for, and nothing else becomes anything."""
import numpy as np
import pytest

from espnet_ros.datasets import GroundTruth, ground_truth, label_table, read_mapping
from espnet_ros.errors import LabelError
from espnet_ros.labels import CAMVID, CATEGORY_SET, CITYSCAPES, CITYSCAPES_LABELS, LabelClass, LabelSet

OWN = LabelSet('own', (LabelClass(4, 'near', 1, (1, 2, 3)), LabelClass(9, 'far', 0, (200, 100, 50))))


def row(*values, dtype=np.uint8):
    return np.array([values], dtype)


@pytest.mark.parametrize('kind, label_set, values, ids', [
    ('trainIds', None, (0, 18, 255), (0, 18, 255)),
    ('labelIds', None, (0, 7, 9, 10, 33, 34 - 1, 255), (255, 0, 255, 255, 18, 18, 255)),
    ('labelIds', CATEGORY_SET, (7, 8, 11, 17, 21, 23, 24, 33, 4), (1, 1, 2, 3, 4, 5, 6, 7, 255)),
    ('labelIds', CAMVID, (23, 11, 17, 7, 8, 21, 22, 20, 13, 26, 24, 25, 0), (0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 255)),
    ('camvid', None, (0, 10, 11, 255), (0, 10, 255, 255)),
    ('camvid', CATEGORY_SET, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (5, 2, 3, 1, 1, 4, 3, 2, 7, 6, 6, 255)),
    ('categoryIds', None, (0, 1, 7, 255), (255, 1, 7, 255)),
    ('ids', OWN, (4, 9, 255), (4, 9, 255)),
    ('ids', CAMVID, (0, 10, 255), (0, 10, 255))])
def test_values(kind, label_set, values, ids):
    truth = ground_truth(kind, label_set)
    assert truth.label_set == (label_set or {'camvid': CAMVID, 'categoryIds': CATEGORY_SET}.get(kind, CITYSCAPES))
    found = truth.decode(row(*values), 'x')
    assert found.dtype == np.uint8 and found.tolist() == [list(ids)]
    assert truth.decode(row(*values, dtype=np.int32), 'x').tolist() == [list(ids)]


@pytest.mark.parametrize('kind, label_set, value', [
    ('trainIds', None, 19), ('labelIds', None, 34), ('camvid', None, 12), ('categoryIds', None, 8), ('ids', OWN, 0)])
def test_values_that_stand_for_nothing(kind, label_set, value):
    with pytest.raises(LabelError, match=r'the image holds the value {} in 2 pixels, which is no class of'.format(
            value)):
        ground_truth(kind, label_set).decode(row(255, value, value), 'the image')


@pytest.mark.parametrize('value', [-1, 256, 70000])
def test_values_out_of_range(value):
    with pytest.raises(LabelError, match='holds the value {} in 1 pixels'.format(value)):
        ground_truth('camvid').decode(row(0, value, 300, dtype=np.int32)[:, :2], 'x')


def bgr(*colors):
    return np.array([[color[::-1] for color in colors]], np.uint8)


def test_colors():
    truth = ground_truth('color', OWN)
    assert truth.decode(bgr((1, 2, 3), (200, 100, 50), (0, 0, 0)), 'x').tolist() == [[4, 9, 255]]
    with pytest.raises(LabelError, match=r'x holds the color \(R, G, B\) \(3, 2, 1\) in 2 pixels'):
        truth.decode(bgr((1, 2, 3), (3, 2, 1), (3, 2, 1)), 'x')
    with pytest.raises(LabelError, match='x holds values, but the labels of own are colors'):
        truth.decode(row(4), 'x')
    with pytest.raises(LabelError, match='x is a color image, but the labels of own are values'):
        ground_truth('ids', OWN).decode(bgr((1, 2, 3)), 'x')


def test_cityscapes_colors_include_those_that_are_not_evaluated():
    truth = ground_truth('color', CITYSCAPES)
    found = truth.decode(bgr(*(label.color for label in CITYSCAPES_LABELS)), 'x')[0]
    expected = [5 if label.name == 'polegroup' else label.train_id for label in CITYSCAPES_LABELS]  # a pole's color
    assert found.tolist() == expected and truth.label_set == CITYSCAPES


def test_classes_of_one_color_cannot_be_told_apart():
    same = LabelSet('same', (LabelClass(0, 'a', 0, (9, 9, 9)), LabelClass(1, 'b', 0, (9, 9, 9))))
    with pytest.raises(LabelError, match="classes of 'same' share a color; write a mapping file"):
        ground_truth('color', same)


@pytest.mark.parametrize('kind', ['ids', 'color'])
def test_some_kinds_need_a_label_set(kind):
    with pytest.raises(LabelError, match="ground truth '{}' needs a label set, one of camvid, categories, cityscapes"
                       .format(kind)):
        ground_truth(kind)


def test_label_table():
    assert label_table(OWN, OWN)[[4, 9, 0]].tolist() == [4, 9, 255]
    assert label_table(OWN, CATEGORY_SET)[[4, 9, 0, 255]].tolist() == [1, 255, 255, 255]
    assert label_table(CITYSCAPES, CAMVID)[[0, 10, 255]].tolist() == [3, 0, 255]
    with pytest.raises(LabelError, match="labels of the set 'camvid' cannot be converted to 'cityscapes'"):
        label_table(CAMVID, CITYSCAPES)


@pytest.fixture
def mapping(tmp_path):
    def write(text):
        path = tmp_path / 'map.yaml'
        path.write_text(text)
        return path
    return write


def test_a_mapping_file(mapping):
    truth = read_mapping(mapping(
        'label_set: camvid\nclasses: {Road: [3, 17], Sky: [[128, 128, 128], [1, 2, 3]]}\nunlabeled: [255, [0, 0, 0]]'))
    assert isinstance(truth, GroundTruth) and truth.label_set == CAMVID
    assert truth.decode(row(3, 17, 255), 'x').tolist() == [[3, 3, 255]]
    assert truth.decode(bgr((128, 128, 128), (1, 2, 3), (0, 0, 0)), 'x').tolist() == [[0, 0, 255]]
    for pixels in (row(0), bgr((3, 2, 1))):
        with pytest.raises(LabelError, match='is no class of camvid'):
            truth.decode(pixels, 'x')


def test_the_rest_may_be_unlabeled(mapping):
    path = mapping('label_set: camvid\nclasses: {Road: [3, [1, 2, 3]]}\nrest: unlabeled')
    truth = ground_truth(str(path))
    assert truth.decode(row(3, 4), 'x').tolist() == [[3, 255]]
    assert truth.decode(bgr((1, 2, 3), (9, 9, 9)), 'x').tolist() == [[3, 255]]
    assert ground_truth(str(path), CATEGORY_SET).decode(row(3, 4), 'x').tolist() == [[1, 255]]


def test_a_mapping_brings_its_own_label_set(mapping, tmp_path):
    (tmp_path / 'set.yaml').write_text('name: mine\nclasses: [{id: 5, name: x, category: sky, color: [1, 1, 1]}]')
    for text in ('set.yaml', '{name: mine, classes: [{id: 5, name: x, category: sky, color: [1, 1, 1]}]}'):
        truth = read_mapping(mapping('label_set: {}\nclasses: {{x: [77]}}'.format(text)))
        assert truth.label_set.name == 'mine' and truth.decode(row(77), 'x').tolist() == [[5]]


@pytest.mark.parametrize('text, sentence', [
    ('', 'must have the keys label_set and classes'),
    ('[1]', 'must have the keys label_set and classes'),
    ('label_set: camvid', 'must have the keys label_set and classes'),
    ('label_set: camvid\nclasses: {}\nother: 1', 'must have the keys label_set and classes'),
    ('label_set: camvid\nclasses: {}', 'lists no value and no color'),
    ('label_set: camvid\nclasses: [1]', 'classes maps class names to lists'),
    ('label_set: nothing\nclasses: {}', "no label set is called 'nothing'"),
    ('label_set: 3\nclasses: {}', 'label_set is a name, a YAML file or the set itself'),
    ('label_set: none.yaml\nclasses: {}', "cannot read the label set '.*none.yaml'"),
    ('label_set: camvid\nclasses: {road: [1]}', "camvid has no class 'road'; it has Sky, Building"),
    ('label_set: camvid\nclasses: {Road: 1}', r'Road takes a list, \[7\] or'),
    ('label_set: camvid\nclasses: {Road: [256]}', '256 is neither a value 0..255 nor a color'),
    ('label_set: camvid\nclasses: {Road: [true]}', 'True is neither'),
    ('label_set: camvid\nclasses: {Road: [[1, 2]]}', r'\[1, 2\] is neither'),
    ('label_set: camvid\nclasses: {Road: [1, 2], Sky: [2]}', '2 is listed twice'),
    ('label_set: camvid\nclasses: {Road: [[1, 2, 3]]}\nunlabeled: [[1, 2, 3]]', r'\[1, 2, 3\] is listed twice'),
    ('label_set: camvid\nclasses: {Road: [1]}\nunlabeled: 3', 'unlabeled takes a list'),
    ('label_set: camvid\nclasses: {Road: [1]}\nrest: error', 'rest can only be unlabeled'),
    ('a: [', 'is not YAML')])
def test_wrong_mapping_files(mapping, text, sentence):
    with pytest.raises(LabelError, match="the mapping file '.*map.yaml'|no label set|the label set") as caught:
        read_mapping(mapping(text))
    assert caught.match(sentence)
