"""A synthetic street, seen from a moving car, with its exact ground truth."""
import math
import numbers
import typing

import cv2
import numpy as np

from espnet_ros.errors import ParameterError
from espnet_ros.scene.camera import Camera, View
from espnet_ros.scene.canvas import Canvas
from espnet_ros.scene.depth import DepthSheet
from espnet_ros.scene.dice import Dice
from espnet_ros.scene.layout import Layout
from espnet_ros.scene.lidar import scan
from espnet_ros.scene.light import Light
from espnet_ros.scene.road import Road
from espnet_ros.scene.stage import Stage
from espnet_ros.scene.textures import panorama
from espnet_ros.scene.traffic import Traffic
from espnet_ros.scene.vehicles import fleet

SMALLEST, LARGEST = 32, 4096
"""Limits of width and height in pixels."""

LONGEST = 1e9
"""Limit of the time in seconds, forwards and backwards."""

_SERIES = 8
"""Which family of streets the seeds number; chosen so that seed 0 is a lively one."""


class StreetFrame(typing.NamedTuple):
    """A picture and its ground truth.

    `image` is BGR uint8 [H, W, 3]; `labels` is uint8 [H, W] with Cityscapes trainIds 0..18, every pixel labeled.
    `depth`, where it was asked for, is float32 [H, W]: meters along the optical axis to what is painted, inf in the
    sky. People are as thick as paper, and so are trees, poles and signs; vehicles and houses have every face.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: typing.Optional[np.ndarray] = None


class StreetPose(typing.NamedTuple):
    """Where the car is: x (m) along the street, y (m) to the left, yaw (rad) to the left; speed (m/s), turn (rad/s)."""

    x: float
    y: float
    yaw: float
    speed: float
    turn: float


def mount_of(seed):
    """Return the `mount` of the Street with this seed, without building it."""
    return _camera(Dice(_SERIES, int(seed)), SMALLEST, SMALLEST).mount


def _camera(dice, width, height):
    return Camera(width, height, max(width, height) * dice.uniform(0.8, 1.1), (width - 1) / 2.0,
                  height * dice.uniform(0.4, 0.5), dice.uniform(1.2, 1.5))


class Street:
    """An endless street in one light, driven along at constant speed; `seed` decides everything about it."""

    def __init__(self, width=1024, height=512, seed=0):
        """Build the street for pictures of width x height pixels (32..4096). Raises ParameterError."""
        for name, value in (('width', width), ('height', height)):
            if not _is_within(value, numbers.Integral, SMALLEST, LARGEST):
                raise ParameterError('{} {!r} of a street must be a whole number of pixels from {} to {}'.format(
                    name, value, SMALLEST, LARGEST))
        if not _is_within(seed, numbers.Integral, -2**63, 2**63 - 1):
            raise ParameterError('seed {!r} of a street must be a whole number of at most 63 bits'.format(seed))
        self._seed = int(seed)
        dice = Dice(_SERIES, self._seed)
        width, height = int(width), int(height)
        self._camera = _camera(dice, width, height)
        self.speed = dice.uniform(8.0, 10.0)
        self._phase = dice.uniform(0.0, 1000.0)
        self._light = Light(dice, self._camera)
        self._road = Road(dice, self._camera, self._light)
        vehicles = fleet(dice)
        self._layout = Layout(dice, self._light, self._road, vehicles)
        self._traffic = Traffic(dice, self._light, self._road, vehicles, self.speed)
        self._pan = int(0.25 * self._camera.focal)
        self._sky = panorama(dice, self._light, width + 2 * self._pan, self._road.ground_top, self._camera.focal)
        self._canvas = Canvas(width, height)
        self._sheet = None

    @property
    def camera_matrix(self):
        """Intrinsic matrix K of the pinhole camera: float64 [3, 3], pixels."""
        return self._camera.matrix

    @property
    def mount(self):
        """Height (m) of the camera above the road, over which it looks level and straight ahead."""
        return self._camera.mount

    @property
    def sheet(self):
        """DepthSheet of the last frame with depth."""
        return self._sheet

    def lidar(self, rings=16, noise=0.0, number=0):
        """Return the lidar.scan of the last frame with depth; noise in meters, different for each scan's number."""
        return scan(self._camera, self._sheet, rings, noise, self._seed, number)

    def pose(self, time):
        """Return the StreetPose at `time` seconds.

        Exact on a straight street. In bends pictures are sheared where a camera turns: what lies x meters aside is
        then off by the change of yaw times x, some centimeters a second.
        """
        time = self._checked(time)
        s, d = self._place(time)
        path = self._road.path
        slope = path.slope(s)
        bend = (path.slope(s + 0.01) - path.slope(s - 0.01)) / 0.02
        return StreetPose(s, -(path.bend(0.0, s) + path.slope(0.0) * s + d), -math.atan(slope),
                          self.speed * math.sqrt(1 + slope * slope), -bend * self.speed / (1 + slope * slope))

    def frame(self, time, depth=False):
        """Return the StreetFrame at `time` seconds (at most 1e9 either way); the same time gives the same pixels.

        Raises ParameterError. A street paints on one canvas: share it between threads only with a lock.
        """
        time = self._checked(time)
        canvas = self.paint(time, depth)
        labels = cv2.extractChannel(canvas.pixels, 3)
        return StreetFrame(self._light.develop(canvas.pixels, time), labels, self._sheet.depth() if depth else None)

    @staticmethod
    def _checked(time):
        if not _is_within(time, numbers.Real, -LONGEST, LONGEST):
            raise ParameterError('time {!r} of a street frame must be a number of seconds from {:.0f} to {:.0f}'.format(
                time, -LONGEST, LONGEST))
        return float(time)

    def _place(self, time):
        """Where the camera is: s and d of the road."""
        return self._phase + self.speed * time, self._road.ego + 0.12 * math.sin(0.4 * time)

    def paint(self, time, depth=False):
        """Paint the street at `time` without the camera's blur, tone and noise; return the canvas, reused later."""
        canvas = self._canvas
        canvas.sheet = None
        if depth:
            self._sheet = canvas.sheet = self._sheet or DepthSheet(self._camera)
            self._sheet.clear()
        path = self._road.path
        s, d = self._place(time)
        view = View(self._camera, path, s, d, time)
        shift = int(round(self._camera.focal * path.slope(s)))
        shift = self._pan + min(max(shift, -self._pan), self._pan)
        canvas.pixels[:self._road.ground_top] = self._sky[:, shift:shift + canvas.width]
        stage = Stage(view, self._light)
        self._layout.add(view, stage)
        self._traffic.add(view, stage)
        self._road.paint(canvas, view)
        self._road.texture(canvas, view, stage.shadows)
        for _, paint in sorted(stage.things, key=lambda thing: -thing[0]):
            paint(canvas)
        return canvas


def _is_within(value, kind, low, high):
    """Whether `value` is a number of that kind, no bool, from `low` to `high`."""
    return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high
