"""Small bags of every kind, written by rosbags and by the package mcap."""
import json
import pathlib
import sqlite3

import cv2
import numpy as np
from rosbags import rosbag1, rosbag2
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.typesys import Stores, get_typestore

from espnet_ros.labels import CAMVID, CATEGORIES

SECOND = 10**9
START = 1_700_000_000 * SECOND
IMAGE, COMPRESSED, TEXT = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage', 'std_msgs/msg/String'
LABEL_MAP = json.dumps({'label_set': 'camvid', 'unlabeled': 255, 'threshold': 0.0, 'classes': [
    {'id': c.id, 'name': c.name, 'category': CATEGORIES[c.category], 'category_id': c.category, 'color': list(c.color)}
    for c in CAMVID.classes]})


def picture(number, width=32, height=24):
    """An image that no other number has, of noise: nothing compresses it."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def labels(number, width=32, height=24):
    """CamVid ids and 255 that no other number has."""
    ids = np.random.default_rng(1000 + number).integers(0, 12, (height, width), dtype=np.uint8)
    return np.where(ids == 11, 255, ids).astype(np.uint8)


def stamp_of(number):
    return START + number * SECOND // 10


class BagMaker:
    """Writes one rosbag2 folder or, with ros1, a ROS 1 bag file; use as a context manager."""

    def __init__(self, path, storage='mcap', compression=CompressionMode.NONE, ros1=None):
        self.path, self._ros1, self._connections = pathlib.Path(path), ros1, {}
        self.store = get_typestore(Stores.ROS1_NOETIC if ros1 is not None else Stores.ROS2_JAZZY)
        if ros1 is not None:
            self.writer = rosbag1.Writer(self.path)
            if ros1:
                self.writer.set_compression(rosbag1.Writer.CompressionFormat[ros1])
        else:
            self.writer = rosbag2.Writer(self.path, version=9, storage_plugin=StoragePlugin[storage.upper()])
            self.writer.set_compression(compression, CompressionFormat.ZSTD)

    def __enter__(self):
        self.writer.open()
        return self

    def __exit__(self, *_):
        self.writer.close()

    def image(self, topic, stamp, pixels, encoding=None, time=None, frame_id='front'):
        encoding = encoding or ('bgr8' if pixels.ndim == 3 else 'mono8')
        self.write(topic, IMAGE, stamp if time is None else time, header=self._header(stamp, frame_id),
                   height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=0,
                   step=pixels.strides[0], data=np.ascontiguousarray(pixels).view(np.uint8).ravel())

    def compressed(self, topic, stamp, pixels, suffix='.png', time=None):
        data = pixels if isinstance(pixels, bytes) else cv2.imencode(suffix, pixels)[1].tobytes()
        self.write(topic, COMPRESSED, stamp if time is None else time, header=self._header(stamp, 'front'),
                   format='bgr8; {} compressed bgr8'.format(suffix[1:]), data=np.frombuffer(data, np.uint8))

    def text(self, topic, text, time=START):
        self.write(topic, TEXT, time, data=text)

    def write(self, topic, kind, time, **fields):
        message = self.store.types[kind](**fields)
        serialize = self.store.serialize_ros1 if self._ros1 is not None else self.store.serialize_cdr
        self.raw(topic, kind, time, serialize(message, kind))

    def raw(self, topic, kind, time, data):
        if topic not in self._connections:
            self._connections[topic] = self.writer.add_connection(topic, kind, typestore=self.store)
        self.writer.write(self._connections[topic], time, bytes(data))

    def frame(self, number, namespace='/camera', truth=True):
        """Image and ground truth of a number."""
        self.image(namespace + '/image_raw', stamp_of(number), picture(number))
        if truth:
            self.image(namespace + '/ground_truth', stamp_of(number), labels(number))

    def _header(self, stamp, frame_id):
        time = self.store.types['builtin_interfaces/msg/Time'](*divmod(stamp, SECOND))
        extra = {} if self._ros1 is None else {'seq': 0}
        return self.store.types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id, **extra)


def make(path, count=5, **settings):
    """A bag of `count` labeled frames; returns its path."""
    with BagMaker(path, **settings) as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(count):
            bag.frame(number)
    return bag.path


def check_frames(frames, numbers):
    """Assert that these are the frames of `make` with these numbers, pixel for pixel."""
    frames = list(frames)
    assert [frame.stamp for frame in frames] == [stamp_of(number) for number in numbers]
    for frame, number in zip(frames, numbers):
        assert (frame.topic, frame.frame_id) == ('/camera/image_raw', 'front')
        assert frame.image.dtype == np.uint8 and frame.image.flags.writeable
        np.testing.assert_array_equal(frame.image, picture(number))
        np.testing.assert_array_equal(frame.truth, labels(number))


def mcap_with(source, target, compression, chunked=True, chunk_size=4096, crc=True):
    """Write the messages of a rosbag2 folder anew by the package mcap; compression: its CompressionType's name."""
    from mcap.writer import CompressionType, Writer
    with rosbag2.Reader(source) as reader, open(target, 'wb') as stream:
        writer = Writer(stream, compression=CompressionType[compression], use_chunking=chunked, chunk_size=chunk_size,
                        enable_crcs=crc)
        writer.start('ros2')
        channels = {}
        for connection, time, data in reader.messages():
            if connection.topic not in channels:
                schema = writer.register_schema(connection.msgtype, 'ros2msg', b'')
                channels[connection.topic] = writer.register_channel(connection.topic, 'cdr', schema)
            writer.add_message(channels[connection.topic], time, bytes(data), time)
        writer.finish()
    return target


def only_file(folder):
    """The one storage file of a rosbag2 folder."""
    path, = (p for p in folder.iterdir() if p.name != 'metadata.yaml')
    return path


def truncate(path, size):
    """Cut a file off."""
    with open(path, 'r+b') as stream:
        stream.truncate(size)


def page_size(path):
    with sqlite3.connect(path) as database:
        return database.execute('PRAGMA page_size').fetchone()[0]
