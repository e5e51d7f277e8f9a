"""Scans of a recording, scored by the depth in it."""
import math
import posixpath
import typing

import cv2
import numpy as np

from espnet_ros.bags.buffer import MessageBuffer
from espnet_ros.bags.library import SerdeError
from espnet_ros.bags.storage import deserialize
from espnet_ros.bags.streams import TRUTH_NAME
from espnet_ros.bags.survey import IMAGE_TYPES, stamp_of
from espnet_ros.errors import ImageError, ParameterError
from espnet_ros.ground.lens import make_lens
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import Beams, label_beams, scan_beams, true_ranges, wrong
from espnet_ros.ground.overlay import draw
from espnet_ros.ground.scan import CUT, OBSTACLE, Contacts, Scan, Scanner
from espnet_ros.ground.traversability import ground_table
from espnet_ros.images.depth import image_to_depth
from espnet_ros.segmenter import resize_nearest

MOST_FRAMES = 5000
"""Frames that are scored, evenly spaced; Beams of 640 directions take 12 kB."""
TRUTH, RECORDED = 'true', 'recorded'
"""Names of the scans from the ground truth's labels, and of the one in the bag."""
_INFO, _SCAN = 'sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/LaserScan'
_DEPTH, _BEAMS = range(2)


class Scored(typing.NamedTuple):
    """Scans of a bag.

    beams: Beams of each frame, by the name of the scan. frames: how many were scored. skipped: how many were not, by
    reason. unknown: share of the directions without depth. picture: BGR uint8 [H, W, 3] of the worst frame, that with
    the most wrong directions; worst: its stamp (ns) and the scan's name.
    """

    beams: dict[str, list[Beams]]
    frames: int
    skipped: dict[str, int]
    unknown: float
    picture: np.ndarray
    worst: tuple[int, str]


class Topics(typing.NamedTuple):
    """Names of topics; None: the only one with depth, camera_info beside the images, the ground node's scan."""

    depth: str | None = None
    camera_info: str | None = None
    scan: str | None = None


def score_bag(bag, pose, traversability, topics=Topics(), model=None, reach=30.0):
    """Return the Scored of a Bag whose camera has the CameraPose `pose`.

    model: (name, function from BGR images to labels, class names of their ids); None to score the ground truth's labels
    and the recorded scan alone. Obstacles are those of the ground truth's classes; without ground truth, what stands
    measure.LOW to measure.TALL above the ground. At most MOST_FRAMES are scored. Raises EspnetError.
    """
    if bag.cameras != 1:
        raise ParameterError('the bag has {} cameras with ground truth: choose one with --image-topic'.format(
            bag.cameras) if bag.cameras else 'the bag holds no images')
    index = _Index(bag, topics)
    lens = make_lens(index.info.width, index.info.height, *_calibration(index.info))
    view = LevelView(lens, pose, reach)
    truth_table = bag.label_set and ground_table(traversability, {c.id: c.name for c in bag.label_set.classes})
    scanners = {}
    if bag.labeled:
        if not truth_table.blocks.any():
            raise ParameterError('no class of the ground truth ({}) is an obstacle in the traversability file: name '
                                 'them there, --traversability'.format(bag.label_set.name))
        scanners[TRUTH] = Scanner(view, truth_table), None
    if model:
        scanners[model[0]] = Scanner(view, ground_table(traversability, model[2])), model[1]
    names = [*scanners, *([RECORDED] if index.scan else [])]
    if not names:
        raise ParameterError('the bag has neither ground truth nor a scan on {}: give --model, or --scan-topic'.format(
            topics.scan or '/ground/scan'))
    beams: dict[str, list[Beams]] = {name: [] for name in names}
    skipped: dict[str, int] = {}
    worst, most, frames = None, -1, 0
    for number, (frame, depth, recorded) in enumerate(index.frames()):
        if number % math.ceil(len(bag) / MOST_FRAMES):
            continue
        try:
            depth = _meters(depth, frame.image, lens)
            obstacles = None
            if frame.truth is not None:
                labels = resize_nearest(frame.truth, lens.width, lens.height)
                obstacles = truth_table.blocks[labels] > 0
            elif bag.labeled:
                raise ImageError('no ground truth of the same stamp')
            truth = true_ranges(view, depth, obstacles)
            found = {name: label_beams(scanner, predict(frame.image) if predict else labels, view, truth)
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
    return Scored(beams, frames, skipped, unknown, _picture(view, *worst[2:]), worst[:2])


class _Index:
    """Depth, scans and camera_info of a bag: which stamps they have, from reading these topics once."""

    def __init__(self, bag, topics):
        self._bag = bag
        images, = bag.streams
        kinds = {t.name: t.type for t in bag.summary().topics}
        info = topics.camera_info or posixpath.join(
            posixpath.dirname(images.image_topic.removesuffix('/compressed')), 'camera_info')
        self.scan = topics.scan or '/ground/scan'
        for name, kind, option in ((info, _INFO, 'camera-info'), (self.scan, _SCAN, 'scan')):
            if kinds.get(name) != kind and (option != 'scan' or topics.scan):
                raise ParameterError('the bag has no {} on {}: choose one of {} with --{}-topic'.format(
                    kind.split('/')[-1], name, ', '.join(n for n in kinds if kinds[n] == kind) or 'none', option))
        if kinds.get(self.scan) != _SCAN:
            self.scan = ''
        depth = [topics.depth] if topics.depth else [
            name for name, kind in kinds.items() if kind == IMAGE_TYPES[0] and name != images.image_topic
            and TRUTH_NAME not in name.split('/')]
        self.info = None
        self._stamps: dict[str, set[int]] = {}
        for message, content in self._messages({info, self.scan, *depth}):
            if message.topic == info:
                self.info = self.info or content
            elif message.topic == self.scan or topics.depth or content.encoding in ('32FC1', '16UC1'):
                self._stamps.setdefault(message.topic, set()).add(stamp_of(content, message))
        if self.info is None:
            raise ParameterError('no message on {} can be read'.format(info))
        found = sorted(set(self._stamps) - {self.scan})
        if len(found) != 1:
            raise ParameterError('the bag has depth (32FC1 or 16UC1) on {}: {}'.format(
                ', '.join(found) or (topics.depth or 'no topic'), 'choose with --depth-topic' if found else
                'record one that is aligned to the images'))
        self._depth, = found

    def _messages(self, topics):
        for message in self._bag.messages(topics):
            try:
                yield message, deserialize(message)
            except SerdeError:
                continue  # counted by the survey

    def frames(self):
        """Yield (Frame, depth, scan) of all frames, the messages' contents; None where none has the frame's stamp."""
        kinds = {self._depth: _DEPTH, self.scan: _BEAMS}
        wanted = {(stamp, kind) for topic, kind in kinds.items() for stamp in self._stamps.get(topic, ())}
        wanted &= {(stamp, kind) for stamp in self._bag.stamps for kind in kinds.values()}
        with MessageBuffer() as buffer:
            messages = self._messages(set(kinds))
            for frame in self._bag:
                found = []
                for key in ((frame.stamp, _DEPTH), (frame.stamp, _BEAMS)):
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
                yield frame, found[_DEPTH], found[_BEAMS]


def _calibration(info):
    """K, D and the distortion model of a CameraInfo of ROS 1 or 2."""
    return (*(getattr(info, name) if hasattr(info, name) else getattr(info, name.upper()) for name in 'kd'),
            info.distortion_model)


def _meters(message, image, lens):
    """Return the depth of a message as float32 meters [H, W], nan or 0 where it is unknown. Raises ImageError."""
    if message is None:
        raise ImageError('no depth of the same stamp')
    depth = image_to_depth(message)
    if depth.dtype.kind == 'u':
        depth = depth.astype(np.float32) / 1000.0
    sizes = (depth.shape, image.shape[:2], (lens.height, lens.width))
    if len(set(sizes)) > 1:
        raise ImageError('depth is {1}x{0}, the image {3}x{2} and camera_info {5}x{4}: record depth that is aligned to '
                         'the images'.format(*(side for size in sizes for side in size)))
    if not (depth > 0).any():
        raise ImageError('depth has no valid pixel')
    return depth


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
