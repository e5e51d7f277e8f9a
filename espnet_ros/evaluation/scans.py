"""Scans of a recording, scored by its depth or lidar."""
import math
import posixpath
import typing

import cv2
import numpy as np

from espnet_ros import models
from espnet_ros.bags.buffer import MessageBuffer
from espnet_ros.bags.library import SerdeError
from espnet_ros.bags.storage import TF_MESSAGE, deserialize
from espnet_ros.bags.streams import TRUTH_NAME
from espnet_ros.bags.survey import IMAGE_TYPES, stamp_of
from espnet_ros.errors import EspnetError, ImageError, ParameterError
from espnet_ros.evaluation.transforms import TF_STATIC, StaticTransforms
from espnet_ros.ground.cloud import cloud_to_points
from espnet_ros.ground.lens import info_to_lens
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import Beams, label_beams, lidar_ranges, scan_beams, summarize, true_ranges, wrong
from espnet_ros.ground.overlay import draw
from espnet_ros.ground.pose import CameraPose
from espnet_ros.ground.scan import CUT, OBSTACLE, Contacts, Scan, Scanner
from espnet_ros.ground.traversability import Traversability, ground_table
from espnet_ros.images.depth import image_to_depth
from espnet_ros.segmenter import resize_nearest

MOST_FRAMES = 5000
"""Frames that are scored, evenly spaced; Beams of 640 directions take 12 kB."""
SLOP = 50 * 10**6
"""ns by which the stamp of a lidar's cloud may differ from the image's; depth and scans have the same."""
LIMITS = 10.0, 15.0
BANDS = (0.0, 5.0), (5.0, 10.0), (10.0, 15.0)
"""Meters: rows of the table."""
TRUTH, RECORDED = 'true', 'recorded'
"""Names of the scans from the ground truth's labels, and of the one in the bag."""
WITHOUT_TRUTH = ('without ground truth, obstacles are what stands 0.2 to 0.5 m above the ground; a scan that ends at a '
                 'curb or at grass, as the traversability file says, counts as too near or as a phantom')
_INFO, _SCAN, _CLOUD = 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/LaserScan', 'sensor_msgs/msg/PointCloud2'
_RANGES, _BEAMS = range(2)


class Scored(typing.NamedTuple):
    """Scans of a bag.

    beams: Beams of each frame, by the name of the scan. truth: what they are compared with, in words. frames: how many
    were scored. skipped: how many were not, by reason. unknown: share of the directions without depth. note: what to
    know about the numbers, or ''. picture: BGR uint8 [H, W, 3] of the worst frame, that with the most
    wrong directions; worst: its stamp (ns) and the scan's name.
    """

    beams: dict[str, list[Beams]]
    truth: str
    frames: int
    skipped: dict[str, int]
    unknown: float
    note: str
    picture: np.ndarray
    worst: tuple[int, str]

    def rows(self):
        """Yield (scan, from, to, Accuracy) for each scan, to LIMITS and in BANDS (m)."""
        for name, beams in self.beams.items():
            for near, far in (*((0.0, limit) for limit in LIMITS), *BANDS):
                yield name, near, far, summarize(beams, far, near)

    def describe(self):
        """Return everything but the picture as plain data."""
        return {'truth': self.truth, 'frames': self.frames, 'skipped': self.skipped, 'unknown': self.unknown,
                'note': self.note, 'worst': {'stamp': self.worst[0] / 1e9, 'scan': self.worst[1]},
                'rows': [{'scan': name, 'from': near, 'to': far, **{
                    key: None if math.isnan(value) else value for key, value in accuracy._asdict().items()}}
                    for name, near, far, accuracy in self.rows()]}


class Topics(typing.NamedTuple):
    """Names of topics; None: the only one with depth, else the only lidar; camera_info beside the images; the ground
    node's scan."""

    depth: str | None = None
    camera_info: str | None = None
    scan: str | None = None


class ScanSettings(typing.NamedTuple):
    """How to score scans. pose: CameraPose, None for that of the camera in `base_frame` by the bag's /tf_static.

    rectified: whether the images are.
    """

    traversability: Traversability
    pose: CameraPose | None = None
    base_frame: str = 'base_link'
    topics: Topics = Topics()
    rectified: bool = False
    reach: float = 30.0
    most: int = MOST_FRAMES


def ranging_topics(bag, topics=Topics()):
    """Return the topics of a Bag that may tell ranges: depth images, without any the clouds."""
    if topics.depth:
        return [topics.depth]
    found = bag.summary().topics
    images = {stream.image_topic for stream in bag.streams}
    return [t.name for t in found if t.type == IMAGE_TYPES[0] and t.coding in ('32FC1', '16UC1')
            and t.name not in images and TRUTH_NAME not in t.name.split('/')] or [
                t.name for t in found if t.type == _CLOUD]


def score_bag(bag, settings, model=None):
    """Return the Scored of a Bag by its depth or lidar.

    model: (name, function from Frames to labels, class names of their ids); None to score the ground truth's labels
    and the recorded scan alone. Obstacles are those of the ground truth's classes; without ground truth, what stands
    measure.LOW to measure.TALL above the ground. At most `settings.most` frames are scored. Raises EspnetError.
    """
    if bag.cameras != 1:
        raise ParameterError('the bag has {} cameras with ground truth: choose one with --image-topic'.format(
            bag.cameras) if bag.cameras else 'the bag holds no images')
    index = _Index(bag, settings)
    lens = info_to_lens(index.info, settings.rectified)
    view = LevelView(lens, index.pose, settings.reach)
    truth_table = bag.label_set and ground_table(
        settings.traversability, {c.id: c.name for c in bag.label_set.classes})
    scanners = {}
    if bag.labeled:
        if not truth_table.blocks.any():
            raise ParameterError('no class of the ground truth ({}) is an obstacle in the traversability file: name '
                                 'them there, --traversability'.format(bag.label_set.name))
        scanners[TRUTH] = Scanner(view, truth_table), None
    if model:
        scanners[model[0]] = Scanner(view, ground_table(settings.traversability, model[2])), model[1]
    names = [*scanners, *([RECORDED] if index.scan else [])]
    if not names:
        raise ParameterError('the bag has neither ground truth nor a scan on {}: give --model, or --scan-topic'.format(
            settings.topics.scan or '/ground/scan'))
    beams: dict[str, list[Beams]] = {name: [] for name in names}
    skipped: dict[str, int] = {}
    worst, most, frames = None, -1, 0
    for number, (frame, ranging, recorded) in enumerate(index.frames()):
        if number % math.ceil(len(bag) / settings.most):
            continue
        try:
            obstacles = None
            if frame.truth is not None:
                labels = resize_nearest(frame.truth, lens.width, lens.height)
                obstacles = truth_table.blocks[labels] > 0
            elif bag.labeled:
                raise ImageError('no ground truth of the same stamp')
            truth = index.ranges(view, ranging, frame.image, obstacles)
            found = {name: label_beams(scanner, resize_nearest(
                predict(frame), lens.width, lens.height) if predict else labels, view, truth)
                     for name, (scanner, predict) in scanners.items()}
            if index.scan:
                found[RECORDED] = scan_beams(_scan(recorded), view, truth)
        except ImageError as error:
            skipped[str(error)] = skipped.get(str(error), 0) + 1
            continue
        frames += 1
        for name, of_frame in found.items():
            beams[name].append(of_frame)
            count = int(wrong(of_frame).sum())
            if count > most:
                most, worst = count, (frame.stamp, name, frame.image, of_frame)
    if worst is None:
        raise ParameterError('no frame can be scored: {}'.format('; '.join(skipped) or '; '.join(bag.problems)))
    unknown = float(np.mean([np.isnan(b.truth).mean() for b in beams[names[0]]]))
    return Scored(beams, index.truth, frames, skipped, unknown, '' if bag.labeled else WITHOUT_TRUTH,
                  _picture(view, *worst[2:]), worst[:2])


def score_source(setup, number, segment):
    """Return the Scored of a source of an offline.Setup, or the sentence why there is none.

    segment: function from Frames to labels.
    """
    card = models.find(setup.model).card
    try:
        return score_bag(setup.sources[number].fresh_copy(), setup.scans,
                         (card.name, segment, {c.id: c.name for c in card.label_set.classes}))
    except EspnetError as error:
        return str(error)


class _Index:
    """What a bag has beside its images: pose of the camera, camera_info, and the stamps of depth or clouds, and scans.

    These topics are read once; `frames` reads them again, message by message.
    """

    def __init__(self, bag, settings):
        self._bag, self._base, topics = bag, settings.base_frame, settings.topics
        images, = bag.streams
        kinds = {t.name: t.type for t in bag.summary().topics}
        info = topics.camera_info or posixpath.join(
            posixpath.dirname(images.image_topic.removesuffix('/compressed')), 'camera_info')
        self.scan = topics.scan or '/ground/scan'
        for name, kind, option in ((info, _INFO, 'camera-info'), (self.scan, _SCAN, 'scan')):
            if kinds.get(name) != kind and (option != 'scan' or topics.scan):
                raise ParameterError('the bag has no {} on {}: {}'.format(
                    kind.split('/')[-1], name, _choice((n for n in kinds if kinds[n] == kind), option)))
        if kinds.get(self.scan) != _SCAN:
            self.scan = ''
        if topics.depth and kinds.get(topics.depth) not in (IMAGE_TYPES[0], _CLOUD):
            raise ParameterError('the bag has neither depth images nor points on {}: {}'.format(
                topics.depth, _choice(ranging_topics(bag), 'depth')))
        if settings.pose is None and kinds.get(TF_STATIC) != TF_MESSAGE:
            raise ParameterError('the pose of the camera is not known, for the bag has no {}: give --camera-height, '
                                 'and --camera-pitch and --camera-roll where they are not 0'.format(TF_STATIC))
        found = ranging_topics(bag, topics)
        self.info = None
        self._kinds = kinds
        self._transforms = StaticTransforms()
        self._stamps: dict[str, set[int]] = {}
        for message, content in self._messages({info, self.scan, TF_STATIC, *found}):
            if message.topic == info:
                self.info = self.info or content
            elif message.type == TF_MESSAGE:
                self._transforms.add(content)
            elif message.type != _CLOUD or message.topic == topics.depth or not any(
                    field.name == 'label' for field in content.fields):  # that is the ground node's
                self._stamps.setdefault(message.topic, set()).add(stamp_of(content, message))
        if self.info is None:
            raise ParameterError('no message on {} can be read'.format(info))
        self.pose = settings.pose
        if self.pose is None:
            try:
                self.pose = self._transforms.camera(self._base, self.info.header.frame_id)
            except ParameterError as error:
                raise ParameterError('{}; give --camera-height instead, or another --base-frame'.format(error))
        found = sorted(set(self._stamps) - {self.scan})
        if not found:
            raise ParameterError('the bag has neither depth (32FC1 or 16UC1) nor points{}: record depth that is '
                                 'aligned to the images'.format(' on ' + topics.depth if topics.depth else ''))
        if len(found) > 1:
            raise ParameterError('the bag has depth or points on several topics: ' + _choice(found, 'depth'))
        self._topic, = found
        self._is_cloud = kinds[self._topic] == _CLOUD
        self.truth = '{} on {}'.format('points' if self._is_cloud else 'depth', self._topic)

    def _messages(self, topics):
        for message in self._bag.messages(topics):
            try:
                if message.type == self._kinds[message.topic]:
                    yield message, deserialize(message)
            except SerdeError:
                continue  # counted by the survey

    def frames(self):
        """Yield (Frame, depth or cloud, scan) of all frames, the messages' contents; None where a frame has none."""
        kinds = {self._topic: _RANGES, self.scan: _BEAMS}
        partners = {kind: _partners(self._bag.stamps, self._stamps.get(topic, ()),
                                    SLOP if self._is_cloud and kind == _RANGES else 0)
                    for topic, kind in kinds.items()}
        wanted = {(stamp, kind) for kind, of in partners.items() for stamp in of.values()}
        with MessageBuffer() as buffer:
            messages = self._messages(set(kinds))
            for frame in self._bag:
                found = []
                for kind in (_RANGES, _BEAMS):
                    key = partners[kind].get(frame.stamp), kind
                    while key in wanted and key not in buffer:
                        message, content = next(messages, (None, None))
                        if message is None:
                            wanted.discard(key)
                            break
                        other = stamp_of(content, message), kinds[message.topic]
                        if other in wanted and other not in buffer:
                            buffer.put(other, message)
                    found.append(deserialize(buffer.take(key)) if key in wanted else None)
                    wanted.discard(key)
                yield frame, found[_RANGES], found[_BEAMS]

    def ranges(self, view, message, image, obstacles):
        """Return the true ranges of a frame by its depth or cloud. Raises EspnetError."""
        if message is None:
            raise ImageError('no cloud within {:g} s'.format(SLOP / 1e9) if self._is_cloud else
                             'no depth of the same stamp')
        if not self._is_cloud:
            return true_ranges(view, _meters(message, image, view.lens), obstacles)
        _check_sizes(view.lens, {'the image is': image.shape[:2]})
        rotation, translation = self._to_camera(message.header.frame_id)
        return lidar_ranges(view, cloud_to_points(message).dot(rotation.T) + translation, obstacles)

    def _to_camera(self, frame):
        """Return rotation and translation from a frame to the optical one. Raises ParameterError."""
        if frame.lstrip('/') == self._base.lstrip('/'):
            return self.pose.rotation.T, -self.pose.rotation.T.dot(self.pose.position)
        try:
            return self._transforms.between(self.info.header.frame_id, frame)
        except ParameterError as error:
            raise ParameterError('{}; record {}, or points in {}'.format(error, TF_STATIC, self._base))


def _choice(topics, option):
    topics = ', '.join(topics)
    return 'choose one of {} with --{}-topic'.format(topics, option) if topics else 'nor is there another one'


def _partners(frames, stamps, slop):
    """Return {stamp of a frame: the nearest of `stamps`, at most `slop` ns away}; each stamp has one frame at most."""
    found: dict[int, int] = {}
    for stamp in sorted(stamps if len(frames) else ()):
        after = int(np.searchsorted(frames, stamp))
        near = min(frames[max(after - 1, 0):after + 1].tolist(), key=lambda frame: abs(frame - stamp))
        if abs(near - stamp) <= slop and (near not in found or abs(near - stamp) < abs(near - found[near])):
            found[near] = stamp
    return found


def _meters(message, image, lens):
    """Return the depth of a message as float32 meters [H, W], nan or 0 where it is unknown. Raises ImageError."""
    depth = image_to_depth(message)
    if depth.dtype.kind == 'u':
        depth = depth.astype(np.float32) / 1000.0
    _check_sizes(lens, {'depth is': depth.shape, 'image': image.shape[:2]})
    if not (depth > 0).any():
        raise ImageError('depth has no valid pixel')
    return depth


def _check_sizes(lens, sizes):
    if set(sizes.values()) != {(lens.height, lens.width)}:
        raise ImageError('{} and camera_info {}x{}: record depth that is aligned to the images'.format(', the '.join(
            '{} {}x{}'.format(name, *size[::-1]) for name, size in sizes.items()), lens.width, lens.height))


def _scan(message):
    """Return the Scan of a LaserScan. Raises ImageError."""
    if message is None:
        raise ImageError('no scan of the same stamp')
    if not len(message.ranges) or not (math.isfinite(message.angle_min) and message.angle_increment > 1e-6):
        raise ImageError('the scan has {} ranges and an angle_increment of {}'.format(
            len(message.ranges), message.angle_increment))
    return Scan(message.angle_min, message.angle_increment, message.range_min, message.range_max, message.ranges)


TRUE_COLOR, SEEN_COLOR = (60, 200, 60), (40, 40, 235)
"""BGR."""


def _picture(view, image, beams, reach=15.0):
    """Return the picture with free ground and contacts beside the same from above, where true ranges are green."""
    hit = (beams.kind == OBSTACLE) | (beams.kind == CUT)
    with np.errstate(invalid='ignore'):
        row = np.where(hit & np.isfinite(beams.estimate), view.row(beams.estimate * view.cosines), len(view.inverse))
    left = draw(image, view, Contacts(beams.kind, row, beams.label, beams.estimate))
    size = max(left.shape[0], 240)
    left = cv2.copyMakeBorder(left, 0, size - left.shape[0], 0, 0, cv2.BORDER_CONSTANT)
    top = np.full((size, size, 3), 255, np.uint8)
    scale = (size - 20) / reach
    foot = np.array([size / 2, size - 10])
    for meters in range(5, int(reach) + 1, 5):
        cv2.circle(top, (int(foot[0]), int(foot[1])), int(meters * scale), (200, 200, 200), 1, cv2.LINE_AA)
        cv2.putText(top, '{} m'.format(meters), (int(foot[0]) + 3, int(foot[1] - meters * scale) + 12),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.4, (120, 120, 120), 1, cv2.LINE_AA)
    for ranges, color, radius in ((beams.truth, TRUE_COLOR, 3), (beams.estimate, SEEN_COLOR, 1)):
        kept = np.isfinite(ranges) & (ranges < reach)
        ahead = ranges[kept] * view.cosines[kept]
        points = foot + scale * np.stack((-ahead * view.tangents[kept], -ahead), 1)
        for x, y in np.rint(points).astype(int).tolist():
            cv2.circle(top, (x, y), radius, color, -1, cv2.LINE_AA)
    for text, color, y in (('depth', TRUE_COLOR, 16), ('scan', SEEN_COLOR, 32)):
        cv2.putText(top, text, (6, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)
    return np.hstack((left, top))
