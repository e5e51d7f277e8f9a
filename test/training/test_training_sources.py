"""Datasets as they are written on a command line, and the labeled frames of bags among them."""
import pickle

import numpy as np
import pytest
from small_samples import SIZE, blocks, camvid_files, dataset

from espnet_ros.bags.library import Stores, get_typestore, rosbag2
from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Dataset, LabeledImage, Streets
from espnet_ros.errors import LabelError, ParameterError, SourceError
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.training.mixture import read_all
from espnet_ros.training.samples import Prepared
from espnet_ros.training.sources import SOURCES, BagDataset, open_source


@pytest.mark.parametrize('text, weight', [
    ('street:3:96x64:5', 1.0), ('street:3:96x64:5@0.5', 0.5), ('street:3:96x64:5@3', 3.0),
    ('street:3:96x64:5@1e3', 1000.0)])
def test_a_weight_stands_behind_a_dataset(text, weight):
    found, given = open_source(text)
    assert isinstance(found, Streets) and (found.name, len(found), given) == ('street seed 5', 3, weight)


def test_an_at_sign_may_be_part_of_a_path(tmp_path):
    camvid_files(tmp_path / 'a@b')
    for suffix, weight in (('', 1.0), ('@2', 2.0)):
        found, given = open_source('camvid:{}:train{}'.format(tmp_path / 'a@b', suffix))
        assert (len(found), found.label_set, given) == (3, CAMVID, weight)


@pytest.mark.parametrize('text, error, message', [
    ('street:3@0', ParameterError, "the weight in 'street:3@0' must be above 0 and at most 1000"),
    ('street:3@-1', ParameterError, 'must be above 0'), ('street:3@1001', ParameterError, 'at most 1000'),
    ('street:3@nan', SourceError, "'3@nan:1024x512:0' is not COUNT"), ('street:3@', SourceError, 'is not COUNT'),
    ('', SourceError, "'' names no dataset"), ('@2', SourceError, "'' names no dataset"),
    ('camvid:nowhere:train@2', SourceError, "there is no folder 'nowhere/train'"),
    ('bag:', SourceError, 'is no bag|holds no bag files'), ('bag:nowhere', SourceError, "'nowhere' is no bag")])
def test_a_wrong_dataset_is_named(text, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        open_source(text)


def test_every_form_is_explained():
    assert {line.split(':')[0] for line in SOURCES.splitlines()} == {
        'camvid', 'cityscapes', 'mapillary', 'voc', 'folder', 'street', 'drive', 'bag'}


@pytest.mark.slow
@pytest.mark.parametrize('settings', [
    BagSettings(images='raw', compression='none'), BagSettings(images='png'),
    BagSettings(images='png', storage='sqlite3', compression='file')])
def test_the_labeled_frames_of_a_bag(tmp_path, settings):
    write_bag(tmp_path / 'bag', [dataset(count=4)], settings)
    found, weight = open_source('bag:{}@2'.format(tmp_path / 'bag'))
    assert (found.name, found.label_set, len(found), weight) == (
        "bag '{}'".format(tmp_path / 'bag'), CAMVID._replace(name=found.label_set.name), 4, 2.0)
    copy = pickle.loads(pickle.dumps(found))
    for i in (3, 0, 2, 1):
        for one in (found[i], copy[i]):
            np.testing.assert_array_equal(one.image, blocks(i).image)
            np.testing.assert_array_equal(one.labels, blocks(i).labels)
        assert found[i].name == 'frame 1000000000.{}00000000'.format(i)
    assert len({item.name for item in found}) == 4
    names = [sample.name for sample in read_all(Prepared(found, found.label_set, SIZE), workers=2)]
    assert names == ['{} of {}'.format(item.name, found.name) for item in found]


def test_bags_of_cityscapes_become_camvid(tmp_path):
    write_bag(tmp_path / 'bag', [Streets(2, 96, 64)])
    samples = Prepared(open_source('bag:{}'.format(tmp_path / 'bag'))[0], CAMVID, SIZE)
    assert samples.dataset.label_set == CITYSCAPES
    np.testing.assert_array_equal(samples[1].labels, Prepared(Streets(2, 96, 64), CAMVID, SIZE)[1].labels)


def filtered(source, target, change):
    """Write a bag anew; `change` takes (topic, number of the message on it, message) and returns a message or None."""
    store, numbers = get_typestore(Stores.ROS2_JAZZY), {}
    with rosbag2.Reader(source) as reader, rosbag2.Writer(target, version=9) as writer:
        connections = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=store) for c in reader.connections}
        for connection, time, data in reader.messages():
            number = numbers[connection.topic] = numbers.get(connection.topic, -1) + 1
            message = change(connection.topic, number, store.deserialize_cdr(data, connection.msgtype))
            if message is not None:
                writer.write(connections[connection.id], time, store.serialize_cdr(message, connection.msgtype))
    return target


@pytest.fixture
def bag(tmp_path):
    write_bag(tmp_path / 'bag', [dataset(count=4)], BagSettings(images='png'))
    return tmp_path / 'bag'


def test_frames_without_ground_truth_are_passed_over(tmp_path, bag):
    found = BagDataset(filtered(bag, tmp_path / 'other', lambda topic, number, message: (
        None if (topic, number) == ('/camera/ground_truth', 1) else message)))
    assert len(found) == 3
    for item, i in zip(found, (0, 2, 3)):
        np.testing.assert_array_equal(item.labels, blocks(i).labels)


@pytest.mark.parametrize('topic', ['/camera/ground_truth', '/camera/ground_truth/label_map'])
def test_a_bag_without_ground_truth(tmp_path, bag, topic):
    other = filtered(bag, tmp_path / 'other', lambda t, _, message: None if t == topic else message)
    with pytest.raises(SourceError, match="^'.*other' has no image with ground truth"):
        BagDataset(other)


def test_a_broken_frame_is_named_and_alone(tmp_path, bag):
    def change(topic, number, message):
        if (topic, number) == ('/camera/image_raw/compressed', 2):
            message.data = message.data[:40].copy()
        if (topic, number) == ('/camera/ground_truth', 1):
            message.data = np.full_like(message.data, 77)
        return message

    found = BagDataset(filtered(bag, tmp_path / 'other', change))
    assert len(found) == 4
    for _ in range(2):  # what one frame has met is not said of another one
        with pytest.raises(LabelError, match="^bag '.*other': 1 ground truth images on /camera/ground_truth cannot be "
                                             'used; the first, of stamp 1000000000.100000000: it holds the value 77'):
            found[1]
        with pytest.raises(LabelError, match="^bag '.*other': 1 images on /camera/image_raw/compressed cannot be dec"):
            found[2]
        np.testing.assert_array_equal(found[3].labels, blocks(3).labels)


def test_ground_truth_of_another_size_is_resized(tmp_path, bag):
    def change(topic, _, message):
        if topic == '/camera/ground_truth':
            message.height, message.width, message.step = 32, 48, 48
            message.data = np.ascontiguousarray(message.data.reshape(64, 96)[1::2, 1::2]).ravel()
        return message

    item = BagDataset(filtered(bag, tmp_path / 'other', change))[1]
    assert isinstance(item, LabeledImage) and item.labels.shape == item.image.shape[:2] == (64, 96)
    np.testing.assert_array_equal(item.labels, blocks(1).labels[1::2, 1::2].repeat(2, 0).repeat(2, 1))


def test_a_bag_is_a_dataset(bag):
    found = BagDataset(bag)
    assert isinstance(found, Dataset) and found.camera_matrix is None
    with pytest.raises(IndexError):
        found[4]
