"""The labeled frames of bags as a dataset."""
import pickle

import numpy as np
import pytest
from small_samples import blocks, dataset

from espnet_ros.bags.library import Stores, get_typestore, rosbag2
from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Dataset, LabeledImage, open_dataset
from espnet_ros.datasets.recordings import BagDataset
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels import CAMVID


@pytest.mark.parametrize('settings', [
    BagSettings(images='raw', compression='none'), BagSettings(images='png'),
    BagSettings(images='png', storage='sqlite3', compression='file')])
def test_the_labeled_frames_of_a_bag(tmp_path, settings):
    write_bag(tmp_path / 'bag', [dataset(count=4)], settings)
    found = open_dataset('bag:{}'.format(tmp_path / 'bag'))
    assert (found.name, found.label_set, len(found)) == (
        "bag '{}'".format(tmp_path / 'bag'), CAMVID._replace(name=found.label_set.name), 4)
    copy = pickle.loads(pickle.dumps(found))
    for i in (3, 0, 2, 1):
        for one in (found[i], copy[i]):
            np.testing.assert_array_equal(one.image, blocks(i).image)
            np.testing.assert_array_equal(one.labels, blocks(i).labels)
        assert found[i].name == 'frame 1000000000.{}00000000'.format(i)
    assert len({item.name for item in found}) == 4


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


def test_frames_without_ground_truth_are_skipped(tmp_path, bag):
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
