"""Evaluation bags: what goes in comes out, and rosbags finds it where ROS expects it."""
import json

import numpy as np
import pytest
from bag_maker import labels, only_file, picture
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Dataset, Drive, LabeledImage, Streets
from espnet_ros.errors import LabelError, ParameterError
from espnet_ros.labels import CAMVID, CATEGORY_SET, LABEL_SETS
from espnet_ros.labels.label_map import label_map_to_set, set_to_label_map


class Numbers(Dataset):
    """Pictures of noise, wider from one to the next."""

    def __init__(self, count, label_set=CAMVID, fault=0):
        super().__init__('numbers', label_set)
        self.count, self.fault = count, fault

    def __len__(self):
        return self.count

    def _read(self, i):
        return LabeledImage(str(i), picture(i, 32 + i), labels(i, 32 + i) + np.uint8(self.fault))


@pytest.mark.parametrize('settings', [
    BagSettings(), BagSettings(storage='sqlite3'), BagSettings(compression='none'), BagSettings(compression='message'),
    BagSettings(images='png', compression='file'),
    BagSettings('/left/', 'left_optical', 2.5, 'png', 'sqlite3', 'file')])
def test_what_is_written_is_read(tmp_path, settings):
    seen = []

    def progress(items):
        for item in items:
            seen.append(item)
            yield item
    assert write_bag(tmp_path / 'new' / 'bag', [Numbers(3), Numbers(2)], settings, progress) == 5 == len(seen)
    assert sorted(p.name for p in (tmp_path / 'new').iterdir()) == ['bag']
    with open_bag(tmp_path / 'new' / 'bag') as bag:
        frames = list(bag)
        assert bag.problems == () and bag.label_set == CAMVID
        assert [f.stamp for f in frames] == [10**18 + round(i * 1e9 / settings.rate) for i in range(5)]
        for i, frame in enumerate(frames):
            number = i if i < 3 else i - 3
            np.testing.assert_array_equal(frame.image, picture(number, 32 + number))
            np.testing.assert_array_equal(frame.truth, labels(number, 32 + number))
            assert frame.frame_id == settings.frame_id
            assert frame.topic == settings.camera.rstrip('/') + '/image_raw' + (
                '' if settings.images == 'raw' else '/compressed')


def test_jpeg_is_close(tmp_path):
    write_bag(tmp_path / 'bag', [Streets(1, 96, 64)], BagSettings(images='jpeg'))
    with open_bag(tmp_path / 'bag') as bag:
        frame, = bag
        difference = np.abs(frame.image.astype(int) - Streets(1, 96, 64)[0].image)
        assert 0 < difference.mean() < 8


def read(path):
    store = get_typestore(Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        connections = {c.topic: c for c in reader.connections}
        found = [(c.topic, time, store.deserialize_cdr(data, c.msgtype)) for c, time, data in reader.messages()]
    return connections, found


def test_the_bag_as_ros_sees_it(tmp_path):
    drive = Drive(2, 96, 64)
    write_bag(tmp_path / 'bag', [drive], BagSettings(rate=30))
    connections, messages = read(tmp_path / 'bag')
    assert {name: c.msgtype for name, c in connections.items()} == {
        '/camera/image_raw': 'sensor_msgs/msg/Image', '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/camera/ground_truth': 'sensor_msgs/msg/Image', '/camera/ground_truth/label_map': 'std_msgs/msg/String'}
    latched = {name: c.ext.offered_qos_profiles[0].durability == QosDurability.TRANSIENT_LOCAL
               for name, c in connections.items()}
    assert [name for name, is_latched in latched.items() if is_latched] == ['/camera/ground_truth/label_map']
    topic, time, first = messages[0]
    assert (topic, time) == ('/camera/ground_truth/label_map', 10**18)
    assert json.loads(first.data)['classes'][0] == {
        'id': 0, 'name': 'road', 'category': 'flat', 'category_id': 1, 'color': [128, 64, 128]}
    for topic, time, message in messages[1:]:
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == time
        assert (message.width, message.height) == (96, 64)
        if topic.endswith('camera_info'):
            np.testing.assert_array_equal(message.k.reshape(3, 3), drive.camera_matrix)
            np.testing.assert_array_equal(message.p.reshape(3, 4)[:, :3], drive.camera_matrix)
            assert message.distortion_model == 'plumb_bob' and message.d.tolist() == [0] * 5
    assert len(messages) == 7


def test_an_unknown_camera_is_uncalibrated(tmp_path):
    write_bag(tmp_path / 'bag', [Numbers(1)])
    info, = (message for topic, _, message in read(tmp_path / 'bag')[1] if topic.endswith('camera_info'))
    assert not info.k.any() and not info.p.any() and info.distortion_model == '' and info.width == 32


def test_the_same_dataset_gives_the_same_bag(tmp_path):
    for name in ('one', 'two'):
        write_bag(tmp_path / name / 'bag', [Numbers(3)])
    one, two = (only_file(tmp_path / name / 'bag').read_bytes() for name in ('one', 'two'))
    assert one == two


@pytest.mark.parametrize('name', sorted(LABEL_SETS))
def test_label_maps_are_read_back(name):
    assert label_map_to_set(set_to_label_map(LABEL_SETS[name]), 'x') == LABEL_SETS[name]


@pytest.mark.parametrize('datasets, settings, error, sentence', [
    ([Numbers(1), Numbers(1, CATEGORY_SET)], {}, LabelError, "'numbers' has labels of camvid and .* a bag has one"),
    ([Numbers(1, fault=20)], {}, LabelError, "the labels of '0' hold ids that are none of camvid"),
    ([Numbers(1)], {'rate': 0}, ParameterError, 'rate 0 must be above 0'),
    ([Numbers(1)], {'rate': float('nan')}, ParameterError, 'rate nan must be above 0'),
    ([Numbers(1)], {'storage': 'sqlite3', 'compression': 'chunk'}, ParameterError, 'sqlite3 has no chunks')])
def test_what_cannot_be_written_leaves_nothing(tmp_path, datasets, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        write_bag(tmp_path / 'bag', datasets, BagSettings(**settings))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / 'bag').write_text('mine')
    with pytest.raises(ParameterError, match="'.*bag' already exists"):
        write_bag(tmp_path / 'bag', [Numbers(1)])
    with pytest.raises(ParameterError, match="cannot write '.*bag/inside'"):
        write_bag(tmp_path / 'bag' / 'inside', [Numbers(1)])
    assert (tmp_path / 'bag').read_text() == 'mine'


def test_camvid_val_survives(shared, tmp_path):
    from espnet_ros.datasets import camvid
    dataset = camvid(shared / 'data' / 'camvid', 'val')
    assert write_bag(tmp_path / 'bag', [dataset]) == 101
    with open_bag(tmp_path / 'bag') as bag:
        for i, frame in enumerate(bag):
            if i % 10 == 0:
                np.testing.assert_array_equal(frame.image, dataset[i].image)
                np.testing.assert_array_equal(frame.truth, dataset[i].labels)
        assert i == 100 and bag.problems == ()


@pytest.mark.parametrize('camera', ['left cam', 'left', '//', '/1', '/a//b', '/a?'])
def test_a_camera_that_is_no_namespace_is_refused(tmp_path, camera):
    with pytest.raises(ParameterError, match='is not a topic namespace such as /camera'):
        write_bag(tmp_path / 'bag', [Numbers(1)], BagSettings(camera))
    assert not (tmp_path / 'bag').exists()


class Objects(Numbers):
    """Every second picture has instances."""

    def _read(self, i):
        item = super()._read(i)
        return item._replace(instances=objects(i, item.labels.shape)) if i % 2 else item


def objects(number, shape):
    return np.random.default_rng(number).integers(24000, 34000, shape).astype(np.uint16)


@pytest.mark.parametrize('settings', [BagSettings(), BagSettings(images='png', storage='sqlite3')])
def test_instances_are_a_topic_of_their_own(tmp_path, settings):
    write_bag(tmp_path / 'bag', [Objects(5)], settings)
    with open_bag(tmp_path / 'bag') as bag:
        assert bag.problems == () and bag.streams[0][2:] == (5, 5, 2)
        for i, frame in enumerate(bag):
            np.testing.assert_array_equal(frame.truth, labels(i, 32 + i))
            if i % 2:
                assert frame.instances.dtype == np.uint16
                np.testing.assert_array_equal(frame.instances, objects(i, frame.truth.shape))
            else:
                assert frame.instances is None
        assert [f.stamp for f in bag.frames(3, 4)] == [10**18 + 3 * 10**8]
    with Reader(tmp_path / 'bag') as reader:
        topic, = (c for c in reader.connections if c.topic == '/camera/ground_truth/instances')
        store = get_typestore(Stores.ROS2_JAZZY)
        message = store.deserialize_cdr(next(data for _, _, data in reader.messages([topic])), topic.msgtype)
        assert (message.encoding, message.step, message.is_bigendian) == ('mono16', 2 * 33, 0)
