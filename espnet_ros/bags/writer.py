"""Evaluation bags from labeled datasets: images, camera_info, and ground truth of the same stamps."""
import os
import pathlib
import re
import tempfile

import cv2
import numpy as np

from espnet_ros.bags.library import Stores, get_typestore, interfaces, rosbag2
from espnet_ros.bags.settings import BagSettings
from espnet_ros.bags.streams import INSTANCES
from espnet_ros.errors import LabelError, ParameterError
from espnet_ros.labels import UNLABELED
from espnet_ros.labels.label_map import LABEL_MAP, set_to_label_map
from espnet_ros.labels.truth import label_table

FIRST_STAMP = 1_000_000_000
"""Seconds; fixed, so that the same dataset gives the same bag. Zero would mean that a message has no stamp."""

_STORAGES = {'mcap': rosbag2.StoragePlugin.MCAP, 'sqlite3': rosbag2.StoragePlugin.SQLITE3}
_COMPRESSIONS = {'none': rosbag2.CompressionMode.NONE, 'chunk': rosbag2.CompressionMode.STORAGE,
                 'message': rosbag2.CompressionMode.MESSAGE, 'file': rosbag2.CompressionMode.FILE}
_IMAGE_OPTIONS = {'png': [], 'jpeg': [cv2.IMWRITE_JPEG_QUALITY, 95]}


def write_bag(path, datasets, settings=BagSettings(), progress=iter):
    """Write the datasets, one after the other, as a rosbag2 folder; it appears when it is complete.

    datasets: espnet_ros.datasets.Dataset of one label set. progress: wraps the iterator over all LabeledImages, such as
    rich.progress.track. Returns the number of frames. Raises EspnetError.
    """
    path = pathlib.Path(path)
    label_set = datasets[0].label_set
    for dataset in datasets:
        if dataset.label_set != label_set:
            raise LabelError("'{}' has labels of {} and '{}' of {}; a bag has one label set".format(
                datasets[0].name, label_set.name, dataset.name, dataset.label_set.name))
    compression = settings.compression or ('chunk' if settings.storage == 'mcap' else 'none')
    if (settings.storage, compression) == ('sqlite3', 'chunk'):
        raise ParameterError('sqlite3 has no chunks to compress; choose message, file or none, or mcap')
    if not re.fullmatch('(/[A-Za-z_][A-Za-z0-9_]*)*/?', settings.camera):
        raise ParameterError("camera '{}' is not a topic namespace such as /camera".format(settings.camera))
    if not 0 < settings.rate <= 1000:
        raise ParameterError('rate {} must be above 0 and at most 1000 Hz'.format(settings.rate))
    if path.exists():
        raise ParameterError("'{}' already exists; remove it or choose another name".format(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.{}-'.format(path.name), dir=path.parent) as folder:
            writer = rosbag2.Writer(pathlib.Path(folder) / path.name, version=9,
                                    storage_plugin=_STORAGES[settings.storage])
            writer.set_compression(_COMPRESSIONS[compression], rosbag2.CompressionFormat.ZSTD)
            with writer:
                count = _Messages(writer, settings, label_set).write_all(datasets, progress)
            os.replace(pathlib.Path(folder) / path.name, path)
    except OSError as error:
        raise ParameterError("cannot write '{}': {}".format(path, error.strerror or error))
    return count


class _Messages:
    """Writes the messages of a bag."""

    def __init__(self, writer, settings, label_set):
        self._writer, self._settings, self._label_set = writer, settings, label_set
        self._store = get_typestore(Stores.ROS2_JAZZY)
        camera = settings.camera.rstrip('/')
        self._image = self._topic(camera + '/image_raw', 'sensor_msgs/msg/Image') if settings.images == 'raw' else \
            self._topic(camera + '/image_raw/compressed', 'sensor_msgs/msg/CompressedImage')
        self._info = self._topic(camera + '/camera_info', 'sensor_msgs/msg/CameraInfo')
        self._truth = self._topic(camera + '/ground_truth', 'sensor_msgs/msg/Image')
        self._instances = None
        self._label_map = self._topic(camera + '/ground_truth' + LABEL_MAP, 'std_msgs/msg/String', latched=True)

    def write_all(self, datasets, progress):
        """Write the label map and the frames; return the number of frames."""
        self._write(self._label_map, FIRST_STAMP * 10**9, data=set_to_label_map(self._label_set))
        known = label_table(self._label_set, self._label_set) != UNLABELED
        known[UNLABELED] = True
        number = 0
        items = ((item, dataset.camera_matrix) for dataset in datasets for item in dataset)
        for item, matrix in progress(items):
            if not known[item.labels].all():
                raise LabelError("the labels of '{}' hold ids that are none of {}".format(
                    item.name, self._label_set.name))
            stamp = FIRST_STAMP * 10**9 + round(number * 1e9 / self._settings.rate)
            self._write_frame(stamp, item, matrix)
            number += 1
        return number

    def _write_frame(self, stamp, item, matrix):
        types = self._store.types
        header = types['std_msgs/msg/Header'](
            types['builtin_interfaces/msg/Time'](*divmod(stamp, 10**9)), self._settings.frame_id)
        height, width = item.labels.shape
        if self._settings.images == 'raw':
            self._write(self._image, stamp, header=header, height=height, width=width, encoding='bgr8', is_bigendian=0,
                        step=3 * width, data=np.ascontiguousarray(item.image).ravel())
        else:
            _, data = cv2.imencode('.' + self._settings.images, item.image, _IMAGE_OPTIONS[self._settings.images])
            self._write(self._image, stamp, header=header, data=data,
                        format='bgr8; {} compressed bgr8'.format(self._settings.images))
        self._write(self._info, stamp, **_camera_info(types, header, width, height, matrix))
        self._write(self._truth, stamp, header=header, height=height, width=width, encoding='mono8', is_bigendian=0,
                    step=width, data=np.ascontiguousarray(item.labels).ravel())
        if item.instances is not None:
            if self._instances is None:
                self._instances = self._topic(self._truth.topic + INSTANCES, 'sensor_msgs/msg/Image')
            self._write(self._instances, stamp, header=header, height=height, width=width, encoding='mono16',
                        is_bigendian=0, step=2 * width,
                        data=np.ascontiguousarray(item.instances, '<u2').view(np.uint8).ravel())

    def _topic(self, name, kind, latched=False):
        return self._writer.add_connection(name, kind, typestore=self._store,
                                           offered_qos_profiles=[_LATCHED if latched else _RELIABLE])

    def _write(self, connection, stamp, **fields):
        message = self._store.types[connection.msgtype](**fields)
        self._writer.write(connection, stamp, self._store.serialize_cdr(message, connection.msgtype))


_NO_TIME = interfaces.QosTime(0, 0)
_RELIABLE = interfaces.Qos(
    interfaces.QosHistory.KEEP_LAST, 5, interfaces.QosReliability.RELIABLE, interfaces.QosDurability.VOLATILE,
    _NO_TIME, _NO_TIME, interfaces.QosLiveliness.AUTOMATIC, _NO_TIME, False)
_LATCHED = _RELIABLE._replace(depth=1, durability=interfaces.QosDurability.TRANSIENT_LOCAL)


def _camera_info(types, header, width, height, matrix):
    """Fields of a CameraInfo: that of a lens without distortion, or, without a matrix, of an uncalibrated camera."""
    k = np.zeros((3, 3)) if matrix is None else np.asarray(matrix, np.float64)
    return {
        'header': header, 'height': height, 'width': width, 'k': k.ravel(),
        'distortion_model': '' if matrix is None else 'plumb_bob', 'd': np.zeros(0 if matrix is None else 5),
        'r': np.zeros(9) if matrix is None else np.eye(3).ravel(), 'p': np.hstack([k, np.zeros((3, 1))]).ravel(),
        'binning_x': 0, 'binning_y': 0, 'roi': types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)}
