"""Where a camera is on its robot, and how the robot is tilted."""
import math
import typing

import numpy as np

OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Optical axes (x right, y down, z ahead) of a level camera that looks along x, in a frame of REP 103."""


class CameraPose(typing.NamedTuple):
    """Pose of the optical frame in the base frame, whose z = 0 is the ground: x ahead, y left, z up, in meters.

    rotation: float64 [3, 3], takes optical coordinates to the base frame. position: float64 [3].
    """

    rotation: np.ndarray
    position: np.ndarray

    @property
    def height(self):
        """Meters above the ground."""
        return float(self.position[2])

    @property
    def pitch(self):
        """Radians that the camera looks down."""
        return math.asin(min(max(-self.rotation[2, 2], -1.0), 1.0))

    @property
    def yaw(self):
        """Radians that the camera looks to the left of the base frame's x."""
        return math.atan2(self.rotation[1, 2], self.rotation[0, 2])

    def tilted(self, tilt):
        """Return the pose when the base frame itself stands tilted by `tilt`, float64 [3, 3], on the ground below."""
        return CameraPose(tilt.dot(self.rotation), tilt.dot(self.position))

    def level_rotation(self):
        """Rotation float64 [3, 3] from optical coordinates to the frame at the camera's foot.

        That frame is level, with x below the optical axis, y left, z up.
        """
        return turn(0.0, 0.0, -self.yaw).dot(self.rotation)


def turn(roll, pitch, yaw):
    """Return the rotation float64 [3, 3] of REP 103: roll about x, then pitch about y (down), then yaw about z."""
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    return np.array([[cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                     [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                     [-sp, cp * sr, cp * cr]])


def mounted(height, pitch=0.0, roll=0.0, yaw=0.0, x=0.0, y=0.0):
    """Return the CameraPose of a camera `height` meters up that looks ahead; angles in radians, pitch is down."""
    return CameraPose(turn(roll, pitch, yaw).dot(OPTICAL), np.array([x, y, height], np.float64))


def quaternion_to_matrix(x, y, z, w):
    """Return the rotation float64 [3, 3] of a quaternion of any length but 0; None for one that is no rotation."""
    norm = x * x + y * y + z * z + w * w
    if not math.isfinite(norm) or norm < 1e-6:
        return None
    s = 2.0 / norm
    return np.array([[1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
                     [s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
                     [s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)]])


def roll_pitch(rotation):
    """Return roll and pitch (rad) of a rotation float64 [3, 3]."""
    return math.atan2(rotation[2, 1], rotation[2, 2]), math.asin(min(max(-rotation[2, 0], -1.0), 1.0))
