"""Labeled point clouds from depth images and lidars."""
import typing

import cv2
import numpy as np

from espnet_ros.errors import ImageError, quoted
from espnet_ros.limits import MESSAGE_BYTES

POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<u4'), ('label', '<u4'), ('confidence', '<f4')])
"""A labeled point: meters, 0x00RRGGBB, class id (255 unlabeled), 0..1."""
GROUND_BAND = 0.3
"""Points of a drivable class within this height (m) of the plane are ground."""
HIGHEST = 2.5
"""Points of obstacles higher than this (m) above the plane are nothing to run into."""
_FLOAT32, _FLOAT64 = 7, 8
"""Of sensor_msgs/PointField."""


class CloudMaker:
    """Clouds of one lens and size; sizes are those of the cloud, depth and labels are sampled at pixel centers."""

    def __init__(self, lens, width=0, height=0):
        """width, height: of the cloud, 0 for the lens's own."""
        self.lens = lens
        self.width, self.height = width or lens.width, height or lens.height
        u = (np.arange(self.width) + 0.5) * lens.width / self.width - 0.5
        v = (np.arange(self.height) + 0.5) * lens.height / self.height - 0.5
        grid = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
        rays = lens.rays(grid).astype(np.float32).reshape(self.height, self.width, 2)
        self._x, self._y = np.ascontiguousarray(rays[..., 0]), np.ascontiguousarray(rays[..., 1])
        self._no_color = np.zeros((self.height, self.width), np.float32)
        self._sure = np.ones((self.height, self.width), np.float32)

    def from_depth(self, depth, labels, image=None, confidence=None):
        """Return the organized cloud of a depth image: POINT [height, width], in the optical frame.

        depth: float32 meters or uint16 millimeters [H, W]; labels: uint8; image: BGR uint8 or None; confidence: uint8
        or None; all of any sizes. Pixels without depth (0, nan, inf, negative) give nan points.
        """
        z = depth_to_meters(self._fit(depth))
        color = self._no_color
        if image is not None:
            color = cv2.cvtColor(self._fit(image), cv2.COLOR_BGR2BGRA).view('<u4')[..., 0]
            color = (color & 0x00ffffff).view(np.float32)
        sure = self._sure if confidence is None else self._fit(confidence).astype(np.float32) * np.float32(1 / 255.0)
        label = self._fit(labels).astype('<u4').view(np.float32)
        merged = cv2.merge([cv2.multiply(self._x, z), cv2.multiply(self._y, z), z, color, label, sure])
        return merged.view(POINT)[..., 0]

    def _fit(self, picture):
        if picture.shape[:2] == (self.height, self.width):
            return np.ascontiguousarray(picture)
        rows = ((np.arange(self.height) + 0.5) * picture.shape[0] / self.height).astype(np.intp)
        columns = ((np.arange(self.width) + 0.5) * picture.shape[1] / self.width).astype(np.intp)
        return np.ascontiguousarray(picture[rows[:, None], columns])


def depth_to_meters(depth):
    """Return depth as float32 meters, nan where there is none. Raises ImageError."""
    if depth.dtype == np.uint16:
        z = depth.astype(np.float32) * np.float32(0.001)
    elif depth.dtype == np.float32:
        z = depth.copy()
    else:
        raise ImageError('a depth image must be 32FC1 (meters) or 16UC1 (millimeters), not {}'.format(depth.dtype))
    with np.errstate(invalid='ignore'):
        z[~((z > 0) & (z < np.inf))] = np.nan
    return z


def cloud_to_points(message):
    """Return x, y, z of a sensor_msgs/PointCloud2 as float32 [N, 3]. Raises ImageError."""
    fields = {field.name: field for field in message.fields}
    for name in 'xyz':
        if name not in fields or fields[name].datatype not in (_FLOAT32, _FLOAT64):
            raise ImageError('the cloud has no float field {}, but {}; remap `points` to a cloud with x, y and z'
                             .format(name, quoted(', '.join(sorted(fields)[:10]) or 'no fields')))
    count, step = message.width * message.height, message.point_step
    order = '>' if message.is_bigendian else '<'
    kinds = [np.dtype(order + ('f4' if fields[name].datatype == _FLOAT32 else 'f8')) for name in 'xyz']
    ends = max(fields[name].offset + kind.itemsize for name, kind in zip('xyz', kinds))
    row = message.row_step or message.width * step
    if ends > step or count * step > MESSAGE_BYTES or row < message.width * step \
            or len(message.data) < row * (message.height - 1) + message.width * step:
        raise ImageError('a cloud of {}x{} points of {} bytes does not fit its {} bytes; look at who publishes it'
                         .format(message.width, message.height, step, len(message.data)))
    if not count:
        return np.zeros((0, 3), np.float32)
    kind = np.dtype({'names': list('xyz'), 'formats': kinds, 'offsets': [fields[name].offset for name in 'xyz'],
                     'itemsize': step})
    data = np.frombuffer(message.data, np.uint8)
    rows = np.lib.stride_tricks.as_strided(data, (message.height, message.width * step), (row, 1))
    points = np.frombuffer(rows.tobytes(), kind)
    return np.stack([points[name].astype(np.float32) for name in 'xyz'], 1)


def from_points(points, rotation, translation, lens, labels, image=None, confidence=None):
    """Return the labeled points of a lidar that the camera sees: POINT [N], coordinates unchanged.

    points: float [M, 3] in the lidar's frame, meters; rotation [3, 3] and translation [3] take them to the optical
    frame. labels: uint8 [H, W] of the lens's size, image: BGR or None, confidence: uint8 or None.
    """
    points = np.asarray(points, np.float32)
    seen = points.astype(np.float64).dot(np.asarray(rotation).T) + translation
    with np.errstate(divide='ignore', invalid='ignore'):
        u, v = lens.project(seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2])
        kept = (seen[:, 2] > 0.05) & (u >= -0.5) & (v >= -0.5) & (u < lens.width - 0.5) & (v < lens.height - 0.5)
    columns, rows = (np.rint(a[kept]).astype(np.intp) for a in (u, v))
    result = np.zeros(len(columns), POINT)
    for i, name in enumerate('xyz'):
        result[name] = points[kept, i]
    result['label'] = labels[rows, columns]
    result['confidence'] = 1.0 if confidence is None else confidence[rows, columns] / np.float32(255.0)
    if image is not None:
        color = image[rows, columns].astype('<u4')
        result['rgb'] = color[:, 2] << 16 | color[:, 1] << 8 | color[:, 0]
    return result


class Split(typing.NamedTuple):
    """Points of ground and of obstacles: POINT [N] each."""

    ground: np.ndarray
    obstacles: np.ndarray


def split(points, table, rotation, height):
    """Return the Split of points of any shape.

    table: GroundTable. rotation: [3, 3] from the points' frame to a level one (z up); height: m of its origin above
    the ground. Ground: a drivable class near the plane. Obstacle: a blocking class, or a drivable one that rises above
    the plane. Unknown classes are neither.
    """
    points = points.reshape(-1)
    up = np.asarray(rotation, np.float32)[2]
    z = points['x'] * up[0] + points['y'] * up[1] + points['z'] * up[2] + np.float32(height)
    label = points['label'].astype(np.uint8)
    blocks, known = table.blocks[label] > 0, table.cost[label] != 255
    with np.errstate(invalid='ignore'):
        low = np.abs(z) <= GROUND_BAND
        below = z <= HIGHEST
    finite = np.isfinite(z)
    return Split(points[finite & known & ~blocks & low], points[finite & below & known & (blocks | (~low & (z > 0)))])


def without_moving(depth, labels, table, margin=2):
    """Return depth [H, W] of any type with 0 where the labels, uint8 [H, W], show what may move.

    margin: pixels around it that are cleared too: edges of depth and labels do not agree exactly. Raises ImageError.
    """
    if depth.shape != labels.shape:
        raise ImageError('depth is {}x{} and the labels {}x{}: align depth to the color image and use output_size '
                         'camera'.format(*(depth.shape[::-1] + labels.shape[::-1])))
    moving = cv2.LUT(labels, table.moves)
    if margin:
        moving = cv2.dilate(moving, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    result = depth.copy()
    result[moving > 0] = 0
    return result
