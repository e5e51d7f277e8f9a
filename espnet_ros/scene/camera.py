"""The pinhole camera that moves along the road."""
import typing

import numpy as np

NEAR = 0.4
"""Nothing closer than this (m) is projected."""


class Camera(typing.NamedTuple):
    """A level pinhole camera: sizes, focal length and principal point in pixels, mount height in meters."""

    width: int
    height: int
    focal: float
    center_x: float
    horizon: float
    mount: float

    @property
    def matrix(self):
        """Intrinsic matrix K: float64 [3, 3]."""
        return np.array([[self.focal, 0, self.center_x], [0, self.focal, self.horizon], [0, 0, 1]], np.float64)


class View:
    """What the camera sees from one place on the road.

    Road coordinates are `s` (m along the road), `d` (m to the right of its center line) and `y` (m above the
    carriageway); camera coordinates are `x` (m to the right), the same `y`, and `z` (m ahead).
    """

    def __init__(self, camera, path, s, d, time):
        self.camera = camera
        self.path = path
        self.s = s
        self.d = d
        self.time = time

    def place(self, s, d):
        """Return camera coordinates (x, z) of a point on the road."""
        z = s - self.s
        return d - self.d + self.path.bend(self.s, z), z

    def project(self, x, y, z):
        """Return pixel coordinates (u, v) of camera coordinates; works on numbers and arrays, z > 0."""
        camera = self.camera
        scale = camera.focal / z
        return camera.center_x + x * scale, camera.horizon + (camera.mount - y) * scale

    def rise(self, z, reach, over=20.0):
        """Share of its height that a thing z meters ahead shows: it grows when it comes within reach, not pops up."""
        return min(max((reach - z) / over, 0.0), 1.0)

    def pixels(self, points):
        """Return the pixel coordinates of a polygon of camera coordinates (x, y, z), cut off at NEAR."""
        if min(p[2] for p in points) < NEAR:
            points = clip_near(points)
        camera = self.camera
        result = []
        for x, y, z in points:
            scale = camera.focal / z
            result.append((camera.center_x + x * scale, camera.horizon + (camera.mount - y) * scale))
        return result


def clip_near(points):
    """Return the part of a polygon of (x, y, z) with z >= NEAR; empty when all of it is nearer."""
    result = []
    previous = points[-1]
    for point in points:
        if (previous[2] >= NEAR) != (point[2] >= NEAR):
            ratio = (NEAR - previous[2]) / (point[2] - previous[2])
            result.append((previous[0] + ratio * (point[0] - previous[0]),
                           previous[1] + ratio * (point[1] - previous[1]), NEAR))
        if point[2] >= NEAR:
            result.append(point)
        previous = point
    return result
