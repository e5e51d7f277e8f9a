"""The ground as a level camera in the same place would see it: rows of distance, columns of direction."""
import math

import cv2
import numpy as np

from espnet_ros.errors import ParameterError

WIDEST = math.radians(75.0)
"""Directions farther aside than this are left out: a plane's perspective has no end there."""
_STEEPEST = 5.0
"""Ground seen steeper than this tangent is left out: rows of equal steps in inverse distance would all be there."""
_MOST_ROWS = 1024


class LevelView:
    """Where each place on the ground is in the picture, for one lens, pose and reach.

    Images of the view are uint8 [directions, distances], from left to right and from near to far. Direction
    i lies at tangent `tangents[i]` to the left; distance j is `1 / inverse[j]` meters ahead (not along the bearing).
    A straight line on the ground is straight in the view. Its frame is that of CameraPose.level_rotation.

    `first` and `last`: index of the nearest and the farthest distance that the picture shows in each direction, int
    [directions]; last < first where it shows none.
    """

    def __init__(self, lens, pose, reach):
        """reach: meters ahead. Raises ParameterError when the camera sees no ground within it."""
        if not 0.01 <= pose.height <= 1000.0:
            raise ParameterError('the camera is {:.2f} m above the ground: give its height above z = 0 of the base '
                                 'frame, by TF or the parameter camera_height'.format(pose.height))
        self.lens, self.pose, self.reach = lens, pose, float(reach)
        self.rotation = pose.level_rotation()
        border = self._border()
        if not len(border):
            raise ParameterError('no ground nearer than {:g} m is in the picture of a camera {:.2f} m up with a pitch '
                                 'of {:.1f} degrees: check the camera pose'.format(
                                     reach, pose.height, math.degrees(pose.pitch)))
        low, high = border[:, 1].min(), border[:, 1].max()
        widest = math.tan(WIDEST)
        count = min(max(int(math.ceil(lens.fx * (min(high, widest) - max(low, -widest)))), 8), lens.width)
        # From left to right, as pictures go; centers of equal parts, so that the outermost lie in the picture.
        left, right = min(high, widest), max(low, -widest)
        self._step = (right - left) / count
        self.tangents = left + self._step * (np.arange(count) + 0.5)
        farthest = 1.0 / self.reach
        nearest = min(border[:, 0].max(), max(_STEEPEST / pose.height, 2 * farthest))
        rows = int(math.ceil((nearest - farthest) * lens.fy * pose.height / math.cos(pose.pitch) ** 2)) + 1
        rows = min(max(rows, 8), _MOST_ROWS)
        self.row_step = (farthest - nearest) / (rows - 0.5)
        self.inverse = farthest - self.row_step * np.arange(rows - 1, -1, -1)
        self.cosines = 1.0 / np.sqrt(1.0 + self.tangents ** 2)
        self._map(lens, pose)

    def _border(self):
        """1 / distance and tangent of the ground that each pixel of the picture's border (and a coarse mesh) sees."""
        lens = self.lens
        u, v = np.meshgrid(np.linspace(-0.5, lens.width - 0.5, 49), np.linspace(-0.5, lens.height - 0.5, 49))
        rays = lens.rays(np.stack((u.ravel(), v.ravel()), 1))
        rays = np.column_stack((rays, np.ones(len(rays)))).dot(self.rotation.T)
        rays = rays[np.isfinite(rays).all(1) & (rays[:, 2] < -1e-9) & (rays[:, 0] > 1e-9)]
        inverse = -rays[:, 2] / (rays[:, 0] * self.pose.height)
        tangent = rays[:, 1] / rays[:, 0]
        kept = (inverse > 1.0 / self.reach) & (np.abs(tangent) <= math.tan(WIDEST) * 1.05)
        return np.stack((inverse, tangent), 1)[kept]

    def _map(self, lens, pose):
        ahead = (1.0 / self.inverse).astype(np.float32)[None]
        left = ahead * self.tangents.astype(np.float32)[:, None]
        r = self.rotation.astype(np.float32)  # rows of the level frame: its transpose takes level to optical
        height = np.float32(pose.height)
        x, y, z = (r[0, i] * ahead + r[1, i] * left - r[2, i] * height for i in range(3))
        with np.errstate(divide='ignore', invalid='ignore'):
            u, v = lens.project(x / z, y / z)
            inside = (z > 1e-3) & (u > -0.5) & (v > -0.5) & (u < lens.width - 0.5) & (v < lens.height - 0.5)
        self._fixed, self._table = cv2.convertMaps(np.where(inside, u, -9).astype(np.float32),
                                                   np.where(inside, v, -9).astype(np.float32), cv2.CV_16SC2, True)
        inside = self.look(np.zeros((lens.height, lens.width), np.uint8)) == 0  # with the table's own rounding
        self.first = inside.argmax(1)
        rest = inside | (np.arange(inside.shape[1]) < self.first[:, None])
        self.last = np.where(rest.all(1), rest.shape[1], (~rest).argmax(1)) - 1
        self.last[~inside.any(1)] = -1

    def look(self, labels, outside=255):
        """Return labels uint8 [H, W] as seen in this view: uint8 [directions, distances]; `outside` elsewhere."""
        return cv2.remap(labels, self._fixed, self._table, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT,
                         borderValue=outside)

    def distance(self, row):
        """Meters ahead of (fractional) row indices."""
        return 1.0 / (self.inverse[0] + np.asarray(row) * self.row_step)

    def row(self, distance):
        """Fractional row indices of meters ahead."""
        return (1.0 / np.asarray(distance) - self.inverse[0]) / self.row_step

    def plane_to_view(self):
        """Homography float64 [3, 3] from the ground (x ahead, y left, meters) to (row index, direction index)."""
        return np.array([[-self.inverse[0] / self.row_step, 0.0, 1.0 / self.row_step],
                         [-self.tangents[0] / self._step, 1.0 / self._step, 0.0], [1.0, 0.0, 0.0]])

    def column(self, tangent):
        """Direction index (fractional) of tangents."""
        return (np.asarray(tangent) - self.tangents[0]) / self._step


def trusted_range(height, pitch_error, share):
    """Meters up to which an error of `pitch_error` radians spoils a range by at most `share` of it.

    A place r meters away on the ground is seen from a camera h meters up under an angle a with tan a = h / r; so
    dr = (r * r + h * h) / h * da.
    """
    if pitch_error <= 0:
        return math.inf
    # share * r = (r^2 + h^2) / h * e: the larger root
    half = 0.5 * share * height / pitch_error
    return half + math.sqrt(half * half - height * height) if half > height else height
