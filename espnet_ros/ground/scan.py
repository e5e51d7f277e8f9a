"""Where free ground ends, direction by direction, from one label image."""
import math
import typing

import cv2
import numpy as np

from espnet_ros.ground.traversability import LENGTHS
from espnet_ros.ground.vehicles import stand

FREE, OBSTACLE, CUT, UNKNOWN = range(4)
"""How the ground ends: not within reach; at an obstacle; at one whose foot the picture cuts; at an unknown class."""

_GAP = 8
"""Rows without a class between ground and obstacle that belong to the obstacle: thresholds empty class borders."""
_JUMP = 1.3
"""Distances of neighboring directions farther apart than this factor are of different things."""


class Contacts(typing.NamedTuple):
    """Where free ground ends in each direction of a LevelView, from left to right.

    kind: uint8. row: float64, fractional row of the view; the number of rows where kind is FREE. label: uint8, the
    class there. ranges: float64, meters from the camera's foot; of CUT an upper bound.
    """

    kind: np.ndarray
    row: np.ndarray
    label: np.ndarray
    ranges: np.ndarray


class Scan(typing.NamedTuple):
    """The fields of sensor_msgs/LaserScan: angles in radians to the left; ranges float32, inf: free, nan: unknown."""

    angle_min: float
    angle_increment: float
    range_min: float
    range_max: float
    ranges: np.ndarray


class Scanner:
    """Finds contacts in label images that one LevelView maps."""

    def __init__(self, view, table):
        """table: GroundTable of the labels."""
        self.view = view
        self._table = table
        code = np.where(table.blocks > 0, 1, np.where(table.cost == 255, 2, 0)).astype(np.uint8)
        self._code = code
        self.cost = table.cost
        self._before = np.arange(len(view.inverse)) < view.first[:, None]
        self._cut = view.first.astype(np.float64)
        _, group = np.unique(np.stack([getattr(table, name) for name in LENGTHS], 1), axis=0, return_inverse=True)
        self._group = group.reshape(-1)
        # Beside feet, arms leap far behind; beside wheels, sills leap as far as they hang high.
        sill = 1.0 / np.maximum(1.0 - table.clearance_max / view.pose.height, 0.1)
        self._jump = np.where(table.spread > 0, np.inf, np.log(np.maximum(_JUMP, 1.1 * sill)))
        self._plan_beams()

    def look(self, labels):
        """Return labels uint8 [H, W] as the view sees them: uint8 [directions, distances], 255 outside the picture."""
        return self.view.look(labels)

    def contacts(self, level):
        """Return the Contacts in a label image as `look` returns it."""
        view = self.view
        code = cv2.LUT(level, self._code)
        np.copyto(code, 0, where=self._before)
        directions, rows = code.shape
        obstacle, unknown = _first(code == 1), _first(code == 2)
        blocked = (obstacle < rows) & (obstacle - unknown <= _GAP)
        row = np.minimum(obstacle, unknown)
        kind = np.where(blocked, OBSTACLE, np.where(row < rows, UNKNOWN, FREE)).astype(np.uint8)
        kind[blocked & (row <= view.first)] = CUT
        label = level[np.arange(directions), np.minimum(obstacle, rows - 1)]
        row = np.where(kind == CUT, self._cut, np.where(row < rows, row - 0.5, rows))
        self._join(kind, row, label)
        ranges = view.distance(row) / view.cosines
        return Contacts(kind, row, label, ranges)

    def _join(self, kind, row, label):
        """Draw contacts of one thing together, in place: between its feet it stands no farther away than they do."""
        view, table = self.view, self._table
        group = np.where(kind == OBSTACLE, self._group[label], -1)
        distance = view.distance(np.minimum(row, len(view.inverse) - 1))  # behind the last row may be the horizon
        jump = np.abs(np.log(distance[1:] / distance[:-1])) > self._jump[label[1:]]
        starts = np.concatenate(([0], np.nonzero((group[1:] != group[:-1]) | jump)[0] + 1, [len(row)]))
        vehicles = []
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist()):
            if end - start < 3 or group[start] < 0:
                continue
            if table.clearance[label[start]]:
                vehicles.append((start, end))
            if table.extent[label[start]]:
                self._bridge(row[start:end], start, table.extent[label[start]])
            if table.spread[label[start]]:
                self._spread(row[start:end], table.spread[label[start]], table.setback[label[start]])
        kinds = label[[start for start, _ in vehicles]]
        inverse = view.inverse[0] + view.row_step * row
        stand(inverse, view.tangents, vehicles, table.clearance[kinds], table.clearance_max[kinds], view.pose.height)
        for start, end in vehicles:
            row[start:end] = (inverse[start:end] - view.inverse[0]) / view.row_step

    def _spread(self, row, spread, setback):
        """Lower the rows of one thing to that of the nearest within `spread` / 2 m aside, `setback` m behind it."""
        view = self.view
        width = int(spread / (view.distance(row.min()) * abs(view.tangents[1] - view.tangents[0])))
        if width > 1:
            nearest = cv2.erode(row.astype(np.float32)[None], np.ones((1, min(width, 2 * len(row)) | 1), np.uint8))[0]
            np.minimum(row, view.row(view.distance(nearest) + setback), out=row)

    def _bridge(self, row, start, extent):
        """Lower the rows of one thing to the straight lines between those of its contacts at most `extent` m apart."""
        view = self.view
        corners = _lower_hull(row)
        ahead = view.distance(row[corners])
        left = ahead * view.tangents[start + corners]
        joined = np.append((np.hypot(np.diff(ahead), np.diff(left)) <= extent).repeat(np.diff(corners)), False)
        np.minimum(row, np.interp(np.arange(len(row)), corners, row[corners]), out=row, where=joined)

    def _plan_beams(self):
        """Which directions each beam of the scan gathers: beams as far apart as the view's widest directions."""
        view = self.view
        angles = np.arctan(view.tangents)[::-1]  # ascending: from right to left
        self._increment = float(np.diff(angles).max())
        count = int(math.floor((angles[-1] - angles[0]) / self._increment)) + 1
        self._angles = angles[0] + self._increment * np.arange(count)
        beam = np.clip(np.rint((angles - angles[0]) / self._increment).astype(int), 0, count - 1)
        self._beams, self._starts = np.unique(beam, return_index=True)
        self._nearest = np.clip(np.searchsorted(self._beams, np.arange(count)), 0, len(self._beams) - 1)

    def scan(self, contacts):
        """Return the Scan of contacts.

        inf: free up to range_max. nan: nothing is known, or the picture ends before range_max. An obstacle that the
        picture's lower edge cuts has the range of the nearest ground seen there: it is that near or nearer.
        """
        view = self.view
        ranges = np.where(contacts.kind == FREE, np.inf, contacts.ranges)
        ranges[ranges > view.reach] = np.inf
        ranges[(contacts.kind == UNKNOWN) & np.isfinite(ranges)] = 1e9  # a gap is no free beam
        ranges = np.minimum.reduceat(ranges[::-1], self._starts)[self._nearest]
        ranges[ranges == 1e9] = np.nan
        return Scan(float(self._angles[0]), self._increment, float(1.0 / view.inverse[0]) * 0.99, view.reach,
                    ranges.astype(np.float32))

    def free_space(self, contacts, tolerance=0.05):
        """Return the corners of the free ground, float64 [N, 2]: x ahead and y left of the camera's foot, meters."""
        view = self.view
        seen = view.last >= view.first
        far = np.minimum(view.distance(np.minimum(contacts.row, view.last)), view.reach)
        near = view.distance(view.first)
        far = np.maximum(far, near)
        outline = np.concatenate((np.stack((far, far * view.tangents), 1)[seen],
                                  np.stack((near, near * view.tangents), 1)[seen][::-1]))
        if len(outline) < 3:
            return np.zeros((0, 2))
        return cv2.approxPolyDP(outline.astype(np.float32)[:, None], tolerance, True)[:, 0].astype(np.float64)


def _lower_hull(row):
    """Indices int32 [N] of the corners of the lower convex hull of at least two values, from the first to the last."""
    points = np.stack((np.arange(len(row)), row), 1).astype(np.float32)
    corners = np.sort(cv2.convexHull(points, returnPoints=False)[:, 0])
    chord = row[0] + (row[-1] - row[0]) * corners / (len(row) - 1)
    return corners[row[corners] <= chord + 1e-3]


def _first(mask):
    """Index of the first True in each row of a bool array, its width where there is none: int64."""
    index = mask.argmax(1)
    found = mask[np.arange(len(mask)), index]
    return np.where(found, index, mask.shape[1])
