"""How right scans are, by depth: that of synthetic streets, which is exact, or of a recording."""
import math
import time
import typing

import cv2
import numpy as np

from espnet_ros.ground.cloud import CloudMaker
from espnet_ros.ground.grid import Grid
from espnet_ros.ground.lens import Lens
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.pose import mounted, turn
from espnet_ros.ground.scan import CUT, FREE, OBSTACLE, UNKNOWN, Scanner
from espnet_ros.ground.traversability import ground_table
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street

TALL = 0.5
"""Obstacles count in the truth from the ground up to this height (m): what wheels and bumpers meet."""
LOW = 0.2
"""Without labels, what is lower than this (m) is no obstacle: curbs, and errors of depth and pose."""
HOLES = 0.1
"""A direction with more than this share of ground pixels without depth has no truth."""
ASIDE = math.radians(0.2)
"""Each point of a lidar stands for the directions up to this far beside it."""


class Beams(typing.NamedTuple):
    """One frame, direction by direction, float64 or uint8 [directions].

    estimate: range (m), inf where free, nan where unknown. kind, label: as Contacts. truth: range of the nearest
    pixel of an obstacle no higher than TALL, inf where there is none, nan where depth does not tell.
    """

    estimate: np.ndarray
    kind: np.ndarray
    label: np.ndarray
    truth: np.ndarray


class Accuracy(typing.NamedTuple):
    """Shares are 0..1; errors are relative to the true range.

    median, p95: of obstacles nearer than the limit whose foot is in the picture, nan without any. bias: median of
    signed errors. missed: share of such beams seen free, or over 25 % too far. phantoms: share of the beams free to 10
    m that have an obstacle nearer than that, by over 25 %. cut: share of the beams to obstacles within the limit whose
    foot is below the picture. beams: how many were compared.
    """

    median: float
    p95: float
    bias: float
    missed: float
    phantoms: float
    cut: float
    beams: int


def street_lens(street, width, height):
    """Return the Lens of a Street's camera."""
    k = street.camera_matrix
    return Lens(width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2])


def true_ranges(view, depth, obstacles=None):
    """Return the range (m) of the nearest obstacle pixel in each direction of a view: float64, inf for none.

    Each pixel counts in all directions that it covers. view: LevelView with the true pose. depth: float32 [H, W],
    meters along the optical axis, of the lens's size: inf is far away, nan, 0 and below are unknown. obstacles: bool
    [H, W]; None for what stands between LOW and TALL. Directions with too many HOLES are nan.
    """
    lens, pose = view.lens, view.pose
    known = depth > 0
    candidates = known & (depth < 2 * view.reach)
    v, u = np.nonzero(candidates if obstacles is None else candidates & obstacles)
    z = depth[v, u].astype(np.float64)
    rays = lens.rays(np.stack((u, v), 1)) if len(u) else np.zeros((0, 2))
    points = np.column_stack((rays * z[:, None], z)).dot(pose.level_rotation().T)
    height = points[:, 2] + pose.height
    points = points[(height <= TALL) & (points[:, 0] > 0.1) & ((obstacles is not None) | (height >= LOW))]
    result = _nearest(view, points, (-0.49, 0.0, 0.49))
    seen = view.look(known.view(np.uint8))  # 255 outside the picture
    result[(seen == 0).sum(1) > HOLES * (seen < 255).sum(1)] = np.nan
    return result


def lidar_ranges(view, points, obstacles=None):
    """Return the same from points of a lidar, float [N, 3] in the optical frame, for obstacles at least LOW high.

    Directions without points are nan, and those where a lower obstacle begins nearer: rings are too far apart to tell
    where. obstacles: as for `true_ranges`.
    """
    lens, pose = view.lens, view.pose
    points = np.asarray(points, np.float64)
    points = points[np.isfinite(points).all(1) & (points[:, 2] > 0.1)]
    u, v = lens.project(points[:, 0] / points[:, 2], points[:, 1] / points[:, 2])
    with np.errstate(invalid='ignore'):
        inside = (u > -0.5) & (v > -0.5) & (u < lens.width - 0.5) & (v < lens.height - 0.5)
    level = points[inside].dot(pose.level_rotation().T)
    height = level[:, 2] + pose.height
    blocks = np.ones(len(level), bool) if obstacles is None else obstacles[
        np.rint(v[inside]).astype(int), np.rint(u[inside]).astype(int)]
    half = abs(float(view.column(math.tan(ASIDE)) - view.column(0.0)))
    shifts = np.linspace(-half, half, 2 * int(math.ceil(half)) + 1)
    low = (height <= TALL) & (level[:, 0] > 0.1)
    result = _nearest(view, level[low & blocks & (height >= LOW)], shifts)
    result[np.isinf(_nearest(view, level[low], shifts))] = np.nan
    if obstacles is not None:
        with np.errstate(invalid='ignore'):
            result[_nearest(view, level[low & blocks & (height < LOW)], shifts) < 0.95 * result] = np.nan
    return result


def _nearest(view, points, shifts):
    """Return the range (m) of the nearest of points [N, 3] in the view's frame in each direction, inf without any.

    shifts: columns beside a point that it covers too.
    """
    column = view.column(points[:, 1] / points[:, 0])
    ranges = np.hypot(points[:, 0], points[:, 1])
    result = np.full(len(view.tangents), np.inf)
    for shift in shifts:
        index = np.rint(column + shift).astype(int)
        kept = (index >= 0) & (index < len(result))
        np.minimum.at(result, index[kept], ranges[kept])
    return result


def label_beams(scanner, labels, true_view, truth):
    """Return the Beams of the scan of labels uint8 [H, W] against `true_ranges` of `true_view`."""
    view = scanner.view
    contacts = scanner.contacts(scanner.look(labels))
    # The told view may have other directions: each true direction asks the nearest told one.
    near = np.clip(np.rint(view.column(true_view.tangents)).astype(int), 0, len(view.tangents) - 1)
    return _beams(contacts.kind[near], contacts.ranges[near], contacts.label[near], view.reach, truth)


def scan_beams(scan, view, truth):
    """Return the Beams of a Scan in the view's frame (x below the optical axis) against `true_ranges` of `view`.

    A range no farther than the nearest ground in the picture counts as CUT, as the scan's own do; beyond its range_max
    the scan knows nothing. label is 255.
    """
    angles = np.arctan(view.tangents)
    index = np.rint((angles - scan.angle_min) / scan.angle_increment).astype(int)
    inside = (index >= 0) & (index < len(scan.ranges))
    ranges = np.where(inside, np.asarray(scan.ranges, np.float64)[index.clip(0, len(scan.ranges) - 1)], np.nan)
    with np.errstate(invalid='ignore'):
        ranges[~(ranges > 0) | np.isinf(ranges) & (truth > scan.range_max)] = np.nan
        cut = ranges <= 1.001 * view.distance(view.first) / view.cosines
    kind = np.where(np.isnan(ranges), UNKNOWN, np.where(cut, CUT, np.where(np.isinf(ranges), FREE, OBSTACLE)))
    return _beams(kind.astype(np.uint8), ranges, np.full(len(ranges), 255, np.uint8), view.reach, truth)


def _beams(kind, ranges, label, reach, truth):
    ranges = np.where((kind == OBSTACLE) | (kind == CUT), ranges, np.where(kind == UNKNOWN, np.nan, np.inf))
    ranges[ranges > reach] = np.inf
    return Beams(ranges, kind, label, truth)


def measure_frame(street, frame, labels, traversability, names, reach=30.0, pitch_error=0.0, measured=None):
    """Return the Beams of one StreetFrame with depth.

    labels: uint8 [H, W], the frame's own or a model's; names: mapping from their ids to class names. pitch_error:
    radians that the camera looks farther down than it is told. measured: what an IMU tells of them, None without one.
    """
    height, width = labels.shape
    lens = street_lens(street, width, height)
    true_view = LevelView(lens, mounted(street.mount), reach)
    told = mounted(street.mount).tilted(turn(0.0, -pitch_error, 0.0))
    if measured is not None:
        told = told.tilted(turn(0.0, measured, 0.0))
    view = LevelView(lens, told._replace(position=np.array([0.0, 0.0, street.mount])), reach)
    blocks = ground_table(traversability, {c.id: c.name for c in CITYSCAPES.classes}).blocks
    return label_beams(Scanner(view, ground_table(traversability, names)), labels, true_view,
                       true_ranges(true_view, frame.depth, blocks[frame.labels] > 0))


def summarize(frames, limit=15.0, nearest=0.0):
    """Return the Accuracy of a list of Beams for obstacles `nearest` to `limit` meters away; phantoms are of all."""
    estimate, kind, _, truth = (np.concatenate([getattr(f, name) for f in frames]) for name in Beams._fields)
    with np.errstate(invalid='ignore', divide='ignore'):
        near = (truth >= nearest) & (truth < limit)
        compared = near & (kind == OBSTACLE)
        missed = near & np.concatenate([_missed(f, limit) for f in frames])
        found = compared & np.isfinite(estimate)
        error = (estimate[found] - truth[found]) / truth[found]
        clear = np.isfinite(estimate) & (estimate < 10.0) & (truth > 1.25 * estimate)
        free = truth > 10.0
    if not len(error):
        error = np.array([np.nan])
    return Accuracy(
        float(np.median(np.abs(error))), float(np.percentile(np.abs(error), 95)), float(np.median(error)),
        float(missed.sum() / max((near & (kind != CUT)).sum(), 1)),
        float((clear & free).sum() / max(free.sum(), 1)), float((near & (kind == CUT)).sum() / max(near.sum(), 1)),
        int(found.sum()))


def wrong(beams, limit=15.0):
    """Directions of Beams that miss an obstacle, see one where none is, or are over 25 % off: bool."""
    with np.errstate(invalid='ignore', divide='ignore'):
        known = (beams.kind == OBSTACLE) & np.isfinite(beams.estimate) & (beams.estimate < limit)
        return _missed(beams, limit) | known & (np.abs(beams.estimate / beams.truth - 1.0) > 0.25)


def streets(count, seed, width, height):
    """Yield (Street, StreetFrame with depth) of `count` streets, each one picture at another time."""
    for i in range(count):
        street = Street(width, height, seed + i)
        yield street, street.frame(3.7 * (i % 23), depth=True)


def measure(count, traversability, seed=900000, width=640, height=480, limits=(10.0, 15.0), pitch_errors=(0.0,),
            predict=None, names=None, imu=None):
    """Return {(pitch error in degrees, limit in meters): Accuracy} over `count` streets.

    imu: standard error in degrees of a simulated IMU that tells the pitch, None without one. predict(image)
    gives labels whose ids `names` maps to class names; None: the true ones.
    """
    names = names or {c.id: c.name for c in CITYSCAPES.classes}
    frames = {error: [] for error in pitch_errors}
    noise = np.random.default_rng(seed).standard_normal(count)
    for (street, frame), deviation in zip(streets(count, seed, width, height), noise):
        labels = frame.labels if predict is None else predict(frame.image)
        for error in pitch_errors:
            measured = None if imu is None else math.radians(error + imu * deviation)
            frames[error].append(measure_frame(street, frame, labels, traversability, names, 2 * max(limits),
                                               math.radians(error), measured))
    return {(error, limit): summarize(frames[error], limit) for error in pitch_errors for limit in limits}


def longest_miss(count, frames, traversability, seed=900000, width=640, height=480, limit=15.0, rate=10.0,
                 predict=None, names=None):
    """Return in how many consecutive frames at most the same obstacle within `limit` meters was missed.

    count: streets, each driven for `frames` frames at `rate` Hz. An obstacle is missed where half a degree of
    neighboring directions sees free ground in its place.
    """
    names = names or {c.id: c.name for c in CITYSCAPES.classes}
    longest = 0
    for i in range(count):
        street = Street(width, height, seed + i)
        run = None
        for k in range(frames):
            frame = street.frame(2.0 * i + k / rate, depth=True)
            labels = frame.labels if predict is None else predict(frame.image)
            beams = measure_frame(street, frame, labels, traversability, names, 2 * limit)
            missed = _missed(beams, limit).astype(np.uint8)
            width_needed = max(int(math.radians(0.5) * street.camera_matrix[0, 0]), 1)
            missed = cv2.morphologyEx(missed[None], cv2.MORPH_OPEN, np.ones((1, width_needed), np.uint8))[0]
            run = missed.astype(int) if run is None else np.where(missed > 0, run + 1, 0)
            longest = max(longest, int(run.max()))
    return longest


def _missed(beams, limit):
    """Directions with an obstacle nearer than `limit` that are seen free, or over 25 % too far: bool."""
    with np.errstate(invalid='ignore'):
        return (beams.truth < limit) & (beams.kind != CUT) & (beams.kind != UNKNOWN) & (
            np.isinf(beams.estimate) | (beams.estimate > 1.25 * beams.truth))


def costs(traversability, width=640, height=480, repeats=30):
    """Return {what: median milliseconds of CPU time on one core}: scan and grid of one image, a cloud from depth.

    Beside them what a plain loop over the same pixels in NumPy arrays takes.
    """
    cv2.setNumThreads(1)
    street = Street(width, height, 900039)
    frame = street.frame(3.7 * 16, depth=True)
    lens = street_lens(street, width, height)
    view = LevelView(lens, mounted(street.mount), 20.0)
    scanner = Scanner(view, ground_table(traversability, {c.id: c.name for c in CITYSCAPES.classes}))
    grid, maker = Grid(30.0, 0.1, 5.0), CloudMaker(lens)
    steps = iter(range(10 ** 9))

    def scan():
        level = scanner.look(frame.labels)
        contacts = scanner.contacts(level)
        return scanner.scan(contacts), level, contacts

    def scan_and_grid():
        _, level, contacts = scan()
        k = next(steps)
        grid.update(scanner, level, contacts, (0.05 * k, 0.0, 0.1), 0.1 * k)
        return grid.occupancy()

    results = {}
    for name, work, count in (
            ('scan', scan, repeats), ('scan and grid', scan_and_grid, repeats),
            ('cloud from depth', lambda: maker.from_depth(frame.depth, frame.labels, frame.image), repeats),
            ('view of a new pose', lambda: LevelView(lens, mounted(street.mount), 20.0), repeats),
            ('scan, plain loop', lambda: _plain_scan(frame.labels, lens, street.mount, scanner), 3),
            ('cloud, plain loop', lambda: _plain_cloud(frame.depth, frame.labels, lens), 1)):
        times = []
        for _ in range(count + 1):
            start = time.process_time()
            work()
            times.append(1000.0 * (time.process_time() - start))
        results[name] = float(np.median(times[1:]))
    return results


def _plain_scan(labels, lens, mount, scanner):
    """The obvious scan of a level camera: each column from below up to the first obstacle, no joining."""
    cost = scanner.cost
    ranges = []
    for u in range(lens.width):
        x = (u - lens.cx) / lens.fx
        found = math.inf
        for v in range(lens.height - 1, int(lens.cy) + 1, -1):
            if cost[labels[v, u]] >= 65:
                ahead = lens.fy * mount / (v + 0.5 - lens.cy)
                found = ahead * math.hypot(1.0, x)
                break
        ranges.append(found)
    return ranges


def _plain_cloud(depth, labels, lens):
    """The obvious cloud: pixel by pixel."""
    points = np.zeros(depth.shape + (4,), np.float32)
    for v in range(lens.height):
        for u in range(lens.width):
            z = depth[v, u]
            points[v, u] = (u - lens.cx) / lens.fx * z, (v - lens.cy) / lens.fy * z, z, labels[v, u]
    return points
