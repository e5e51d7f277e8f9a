"""A rolling occupancy grid that fuses free ground and contacts over time."""
import math

import cv2
import numpy as np

from espnet_ros.errors import ParameterError
from espnet_ros.ground.scan import CUT, OBSTACLE

_MOST = 4.0
"""Largest log odds: what was certain for long is still forgotten within a few frames of the opposite."""
_STEP = 1.2
"""Log odds that one frame moves a cell by at most."""
_OBSTACLE = 3.0
"""Log odds of an obstacle's contact: 95 %."""
_SEEN = 0.05
"""A cell whose weight has decayed below this is unknown again: three decay times without sight of it."""
_MOST_CELLS = 4096
"""Along an edge: 16 MiB a message."""


class Grid:
    """Costs 0..100 around the robot as log odds, in a fixed frame (odom) or the robot's own.

    The grid moves with the robot in whole cells. A cell that is seen moves toward its class's log odds,
    log(p / (1 - p)) with p = cost / 100, by at most _STEP a frame; a cell out of sight decays to unknown.
    """

    def __init__(self, size, resolution, decay):
        """size: edge length in meters. resolution: meters a cell. decay: seconds until 1 / e is left; 0 for never.

        Raises ParameterError when it has too many cells.
        """
        self.resolution = float(resolution)
        self.cells = max(int(round(size / resolution)), 1)
        if self.cells > _MOST_CELLS:
            raise ParameterError('a grid of {0:g} m at {1:g} m a cell has {2}x{2} cells, more than {3}x{3}: choose a '
                                 'smaller grid_size or a larger grid_resolution'.format(
                                     size, resolution, self.cells, _MOST_CELLS))
        self._decay = float(decay)
        self.clear()

    def clear(self):
        """Forget everything."""
        self._odds = np.zeros((self.cells, self.cells), np.float32)
        self._weight = np.zeros((self.cells, self.cells), np.float32)
        self._corner = (0, 0)
        self._time = None

    @property
    def origin(self):
        """x and y (m) of the corner of cell [0, 0] in the grid's frame."""
        return self._corner[0] * self.resolution, self._corner[1] * self.resolution

    def update(self, scanner, level, contacts, foot, time):
        """Fuse one label image.

        scanner: Scanner; level, contacts: its results. foot: (x, y, yaw) of the camera's foot in the grid's frame.
        time: seconds; when it jumps back the grid starts anew.
        """
        x, y, yaw = foot
        if self._time is not None and time < self._time:
            self.clear()
        self._roll(x, y)
        self._fade(time)
        view = scanner.view
        cost = cv2.LUT(level, scanner.cost)
        np.copyto(cost, 255, where=np.arange(cost.shape[1]) >= np.floor(contacts.row)[:, None])
        c, s, r = math.cos(yaw), math.sin(yaw), self.resolution
        turn = np.array([[c, -s], [s, c]])
        window, left, bottom = self._window(view, turn, x, y)
        odds, weight = self._odds[window], self._weight[window]
        # Cell centers to the ground below the camera, then to the view.
        to_foot = np.array([[c, s, -c * x - s * y], [-s, c, s * x - c * y], [0, 0, 1.0]])
        to_cell = np.array([[r, 0, left + r / 2], [0, r, bottom + r / 2], [0, 0, 1.0]])
        to_foot = to_foot.dot(to_cell)
        seen = cv2.warpPerspective(cost, view.plane_to_view().dot(to_foot), odds.shape[::-1], borderValue=255,
                                   borderMode=cv2.BORDER_CONSTANT, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        # What is behind the camera is in the perspective too, upside down.
        ahead = (to_foot[0, 0] * np.arange(odds.shape[1]) + to_foot[0, 2]).astype(np.float32)[None] \
            + (to_foot[0, 1] * np.arange(odds.shape[0])).astype(np.float32)[:, None]
        np.copyto(seen, 255, where=(ahead < r) | (ahead > view.reach))
        hit = ((contacts.kind == OBSTACLE) | (contacts.kind == CUT)) & (contacts.ranges <= view.reach)
        for beyond in (0.0, 0.5 * r):
            ahead = (contacts.ranges[hit] + beyond) * view.cosines[hit]
            place = np.stack((ahead, ahead * view.tangents[hit]), 1).dot(turn.T) + (x - left, y - bottom)
            column, row = np.floor(place / r).astype(np.intp).T
            kept = (column >= 0) & (row >= 0) & (column < odds.shape[1]) & (row < odds.shape[0])
            seen[row[kept], column[kept]] = 254
        mask = seen != 255
        step = np.clip(cv2.LUT(seen, _TARGETS) - odds, -_STEP, _STEP)
        np.add(odds, step, out=odds, where=mask)
        weight[mask] = 1.0

    def _window(self, view, turn, x, y):
        """Slices of the rows and columns that may be in sight, and x and y (m) of their corner."""
        reach, r = view.reach, self.resolution
        corners = np.array([[0, 0], [reach, reach * view.tangents[0]], [reach, reach * view.tangents[-1]]])
        corners = (corners.dot(turn.T) + (x, y) - self.origin) / r
        more = 1 + reach * abs(view.tangents[1] - view.tangents[0]) / r
        column, row = np.clip(np.floor(corners.min(0) - more), 0, self.cells - 1).astype(int)
        last_column, last_row = np.clip(np.ceil(corners.max(0) + more), 1, self.cells).astype(int)
        left, bottom = self.origin
        return (slice(row, last_row), slice(column, last_column)), left + column * r, bottom + row * r

    def _fade(self, time):
        if self._time is not None and self._decay > 0 and time > self._time:
            share = np.float32(math.exp(-(time - self._time) / self._decay))
            self._weight *= share
            self._odds *= share
        self._time = time

    def _roll(self, x, y):
        half = self.cells // 2
        corner = int(math.floor(x / self.resolution)) - half, int(math.floor(y / self.resolution)) - half
        if corner != self._corner:
            dx, dy = corner[0] - self._corner[0], corner[1] - self._corner[1]
            for name in ('_odds', '_weight'):
                old = getattr(self, name)
                new = np.zeros_like(old)
                if abs(dx) < self.cells and abs(dy) < self.cells:
                    new[max(-dy, 0):self.cells - max(dy, 0), max(-dx, 0):self.cells - max(dx, 0)] = \
                        old[max(dy, 0):self.cells - max(-dy, 0), max(dx, 0):self.cells - max(-dx, 0)]
                setattr(self, name, new)
        self._corner = corner

    def occupancy(self):
        """Return nav_msgs/OccupancyGrid data: int8 [cells, cells], 0..100, -1 unknown; rows along y."""
        cost = cv2.LUT(cv2.convertScaleAbs(self._odds, None, 255 / (2 * _MOST), 127.5), _COSTS)
        np.copyto(cost, 255, where=self._weight <= _SEEN)  # -1 in int8
        return cost.view(np.int8)


def _targets():
    p = np.clip(0.05 + 0.9 * np.arange(256) / 100.0, 0.05, 0.95)
    odds = np.log(p / (1 - p)).astype(np.float32)
    odds[254] = _OBSTACLE
    odds[255] = 0.0
    return np.clip(odds, -_MOST, _MOST)


_TARGETS = _targets()


def _costs():
    """uint8 [256], 0..100 of log odds from -_MOST to _MOST: a table is quicker than exp, and off by 1 at most."""
    cost = 100.0 / (1.0 + np.exp(-np.linspace(-_MOST, _MOST, 256)))
    # The ends of the scale are reached: p stays off 0 and 1 only because odds are finite.
    return np.rint(np.clip((cost - 5.0) / 0.9, 0, 100)).astype(np.uint8)


_COSTS = _costs()
