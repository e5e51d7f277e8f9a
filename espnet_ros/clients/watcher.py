"""A node that watches a segmentation node from outside: rates, latency, accuracy and pictures."""
import collections
import math
import threading
import typing

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String

from espnet_ros.clients.background import spinning
from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.latency import RateMeter
from espnet_ros.diagnostics.status import ERROR
from espnet_ros.ground.overlay import from_above
from espnet_ros.ground.pose import quaternion_to_matrix
from espnet_ros.images import render
from espnet_ros.images.resize import resize_for_viewing
from espnet_ros.labels import CAMVID, CATEGORIES, CATEGORY_SET, CITYSCAPES, cityscapes_to_camvid
from espnet_ros.labels.label_map import LABEL_MAP, label_map_to_set
from espnet_ros.metrics.confusion import confusion_matrix, mean_iou
from espnet_ros.nodes.common.diagnostic_messages import message_to_statuses
from espnet_ros.nodes.common.messages import image_to_bgr, stamp_to_seconds
from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS

_KEPT = 100
"""Frames whose other half may still come."""


class View(typing.NamedTuple):
    """What has been seen so far.

    latency: median seconds from stamp to arrival. dropped: images since the first answer. miou: category mIOU 0..1, NaN
    without ground truth. engine: what diagnostics says of the engine; failed: whether that is in error. pictures:
    drawn so far.
    """

    frames: int
    rate: float
    latency: float
    dropped: int
    miou: float
    engine: str
    failed: bool
    pictures: int


class Watcher(Node):
    """Matches images, labels and ground truth of one segmentation node by their stamps.

    target: the segmentation node's full name, such as '/espnet'. on_picture(seconds, picture): called in the
    executor's thread with an overlay, BGR uint8 [H, W, 3] with a legend, and its stamp, at most `picture_rate` times a
    second of stamps. on_truth(image, labels): likewise with each camera image that has ground truth, BGR uint8
    [H, W, 3] and trainIds uint8 [H, W].
    ground: full name of a ground node beside it, None without: pictures then are those that it looks at too, and have
    its overlay and its grid from above in a second row; this needs odometry with the stamps of the images.
    """

    def __init__(self, target, on_picture, picture_rate, on_truth, ground=None):
        super().__init__('watcher')
        self.error = None
        self._target = target
        self._on_picture = on_picture
        self._interval = 0.9 / picture_rate  # stamps jitter
        self._last_picture = -float('inf')
        self._on_truth = on_truth
        self._lock = threading.Lock()
        self._rate = RateMeter()
        self._latencies = collections.deque(maxlen=300)
        self._frames = self._dropped = self._dropped_before = self._pictures = 0
        self._engine, self._failed = 'starting', False
        self._confusion = np.zeros((len(CATEGORIES) - 1, len(CATEGORIES)), np.int64)
        self._halves = {name: collections.OrderedDict() for name in (
            'labels', 'image', 'categories', 'truth', 'image of truth', 'truth of image', 'ground', 'grid', 'odometry')}
        self._parts = ['labels', 'image'] + (['ground', 'grid', 'odometry'] if ground else [])
        self._label_set = None
        qos = QoSProfile(depth=10)
        topics = [(Image, target + '/labels', ['labels']), (Image, target + '/categories', ['categories']),
                  (Image, 'image_raw', ['image', 'image of truth']),
                  (Image, 'ground_truth', ['truth', 'truth of image'])]
        if ground:
            topics += [(Image, ground + '/overlay', ['ground']), (OccupancyGrid, ground + '/grid', ['grid']),
                       (Odometry, 'odom', ['odometry'])]
        for kind, topic, names in topics:
            self.create_subscription(kind, topic, self._on(names), qos)
        self.create_subscription(String, target + '/label_map', self._on_label_map, LATCHED_QOS)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def view(self):
        """Return a View; raise what a callback has raised."""
        if self.error is not None:
            raise self.error
        with self._lock:
            return View(self._frames, self._rate.rate(self._now()),
                        float(np.median(self._latencies)) if self._latencies else float('nan'),
                        self._dropped - self._dropped_before, mean_iou(self._confusion), self._engine, self._failed,
                        self._pictures)

    def _now(self):
        return self.get_clock().now().nanoseconds * 1e-9

    def _on(self, names):
        def callback(message):
            key = message.header.stamp.sec, message.header.stamp.nanosec
            with self._lock:
                for half in (self._halves[name] for name in names):
                    half[key] = message
                    while len(half) > _KEPT:
                        half.popitem(last=False)
                if 'categories' in names:
                    self._frames += 1
                    self._rate.add(self._now())
                    self._latencies.append(self._now() - stamp_to_seconds(message.header.stamp))
                self._match_truth(key)
            self._match_picture(key)
            self._match_image(key)
        return callback

    def _take(self, key, *names):
        """Return the messages of that stamp by all of these names, and forget them; None while one is missing."""
        if all(key in self._halves[name] for name in names):
            found = [self._halves[name].pop(key) for name in names]
            for half in (self._halves[name] for name in names):
                while half and next(iter(half)) < key:  # messages come in order: its other halves will not
                    half.popitem(last=False)
            return found
        return None

    def _match_truth(self, key):
        """Add a frame whose categories and truth are both there to the confusion matrix."""
        found = None if self._label_set is None else self._take(key, 'categories', 'truth')
        if found is None:
            return
        categories, truth = map(_plane, found)
        if truth.shape == categories.shape:
            # CamVid counts a rider's bicycle as human, Cityscapes as vehicle: the truth follows the model.
            table = CITYSCAPES.category_table()
            if self._label_set.name == CAMVID.name:
                table = cv2.LUT(cityscapes_to_camvid(), CAMVID.category_table()).ravel()
            # Void has no column of its own; 255 leaves it out.
            table = np.where(table == 0, 255, table - 1).astype(np.uint8)
            self._confusion += confusion_matrix(cv2.LUT(truth, table), categories.astype(np.int64) - 1,
                                                len(CATEGORY_SET.classes))

    def _match_picture(self, key):
        found = None if self._label_set is None else self._take(key, *self._parts)
        if found is None or stamp_to_seconds(found[0].header.stamp) < self._last_picture + self._interval:
            return
        # Drawn here: overlays of all frames would cost the node more than these few.
        labels = _plane(found[0])
        image = resize_for_viewing(image_to_bgr(found[1]), labels.shape[1], labels.shape[0])
        self._last_picture = stamp_to_seconds(found[0].header.stamp)
        overlay = render.overlay(image, render.colorize(labels, self._label_set.palette()[:, ::-1]), 0.5, labels)
        picture = render.add_legend(overlay, self._label_set)
        self._on_picture(self._last_picture, _with_ground(picture, *found[2:]) if found[2:] else picture)
        self._pictures += 1

    def _match_image(self, key):
        found = self._take(key, 'image of truth', 'truth of image')
        if found is not None:
            self._on_truth(image_to_bgr(found[0]), _plane(found[1]))

    def _on_label_map(self, message):
        self._label_set = label_map_to_set(message.data, self._target + LABEL_MAP)

    def _on_diagnostics(self, message):
        parts = keys.parts_of(message_to_statuses(message), self._target)
        if keys.INPUT in parts:
            self._dropped = sum(keys.count_of(parts, counter) for counter in (keys.DROPPED, keys.LOST))
            if not self._frames:
                self._dropped_before = self._dropped
        if keys.ENGINE in parts:
            self._engine = parts[keys.ENGINE].message
            self._failed = parts[keys.ENGINE].level == ERROR


def watching(*arguments):
    """Run a Watcher in a thread of its own (see background.spinning); yields it."""
    return spinning(lambda: Watcher(*arguments))


def _with_ground(picture, overlay, grid, odometry):
    """Return the picture above the ground node's overlay and its grid from above, on which the robot drives upward."""
    below = image_to_bgr(overlay)
    height = below.shape[0]
    p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
    rotation = quaternion_to_matrix(q.x, q.y, q.z, q.w)
    info = grid.info
    data = np.asarray(grid.data, np.int8).reshape(info.height, info.width)
    above = from_above(data, info.resolution, (info.origin.position.x, info.origin.position.y),
                       (p.x, p.y, math.atan2(rotation[1, 0], rotation[0, 0])), (height * 2 // 3, height))
    below = np.hstack((below, above))
    width = max(picture.shape[1], below.shape[1])
    return np.vstack([cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=(32, 32, 32))
                      for row in (picture, below)])


def _plane(message):
    """Return a mono8 message's values, uint8 [H, W], without a copy where its memory allows."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, :message.width]
