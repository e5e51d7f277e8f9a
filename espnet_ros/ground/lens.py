"""The lens of a camera as sensor_msgs/CameraInfo describes it."""
import math
import typing

import cv2
import numpy as np

from espnet_ros.errors import ParameterError

MODELS = {'plumb_bob': (0, 4, 5), 'rational_polynomial': (0, 8, 12, 14), 'equidistant': (0, 4), '': (0,)}
"""Distortion models and how many coefficients each may have."""


class Lens(typing.NamedTuple):
    """Intrinsics: size in pixels, focal lengths and principal point in pixels, distortion model and coefficients."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    model: str = 'plumb_bob'
    coefficients: typing.Tuple[float, ...] = ()

    @property
    def matrix(self):
        """K: float64 [3, 3]."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    @property
    def distorts(self):
        """Whether any coefficient of distortion is not 0."""
        return any(self.coefficients)

    def rays(self, pixels):
        """Return where pixels float [N, 2] (u, v) look: float64 [N, 2], x right and y down at 1 m ahead."""
        pixels = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        if self.model == 'equidistant' and self.distorts:
            return cv2.fisheye.undistortPoints(pixels, self.matrix, np.array(self.coefficients)).reshape(-1, 2)
        if self.distorts:
            criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
            return cv2.undistortPointsIter(pixels, self.matrix, np.array(self.coefficients), None, None,
                                           criteria).reshape(-1, 2)
        return (pixels.reshape(-1, 2) - (self.cx, self.cy)) / (self.fx, self.fy)

    def project(self, x, y):
        """Return pixel coordinates (u, v) of rays: float arrays of any one shape, as of `rays`.

        Far outside the picture a polynomial may bend rays back into it: they give nan.
        """
        radius2 = x * x + y * y
        if self.distorts:
            x, y = self._distort(x, y, radius2)
        return self.fx * x + self.cx, self.fy * y + self.cy

    def _distort(self, x, y, r2):
        if self.model == 'equidistant':
            r = np.sqrt(r2)
            theta = np.arctan(r)
            t2 = theta * theta
            k1, k2, k3, k4 = self.coefficients
            scale = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) / np.maximum(r, 1e-9)
            return x * scale, y * scale
        k = list(self.coefficients) + [0.0] * (14 - len(self.coefficients))
        k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = k[:12]
        scale = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        scale = np.where(r2 > self._fold(), np.nan, scale)
        a, b = x * y, r2 * r2
        return (x * scale + 2 * p1 * a + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * b,
                y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * a + s3 * r2 + s4 * b)

    def _fold(self):
        """Squared radius of the ray from which on the radial polynomial no longer grows."""
        k1, k2, _, _, k3, k4, k5, k6 = (list(self.coefficients) + [0.0] * 8)[:8]
        r = np.linspace(0.0, 4.0, 401)
        r2 = r * r
        with np.errstate(divide='ignore', invalid='ignore'):
            grown = r * (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
            falling = np.nonzero(~(np.diff(grown) > 0))[0]
        return r2[falling[0]] if len(falling) else 1e9


def info_to_lens(info, rectified=False):
    """Return the Lens of a CameraInfo of ROS 1 or 2; rectified: of its rectified pictures. Raises ParameterError."""
    k, d, p = ([float(v) for v in (getattr(info, name) if hasattr(info, name) else getattr(info, name.upper()))]
               for name in 'kdp')
    if rectified:
        return make_lens(info.width, info.height, p[0:3] + p[4:7] + p[8:11], (), '')
    return make_lens(info.width, info.height, k, d, info.distortion_model)


def make_lens(width, height, k, d, model):
    """Return the Lens of a CameraInfo's fields: k has 9 numbers, d any. Raises ParameterError."""
    if len(k) != 9 or not all(math.isfinite(v) for v in k) or k[0] <= 0 or k[4] <= 0:
        raise ParameterError('camera_info has no focal length (in K, with rectified in P: {}): calibrate the '
                             'camera (camera_calibration) or set camera_info_url of its driver'.format(
                                 [round(float(v), 3) for v in k]))
    if width <= 0 or height <= 0 or width > 16384 or height > 16384:
        raise ParameterError('camera_info tells a size of {}x{}: let the camera driver fill width and height in'.format(
            width, height))
    if model not in MODELS:
        raise ParameterError('camera_info has the distortion model {!r}: rectify the images (image_proc) and set '
                             'rectified, or use one of {}'.format(
                                 model[:40], ', '.join(name for name in MODELS if name)))
    if len(d) not in MODELS[model] and any(d):
        raise ParameterError('camera_info has {} coefficients of {}, which takes {}: calibrate the camera again'.format(
            len(d), model or 'no distortion', ' or '.join(str(n) for n in MODELS[model] if n)))
    if not all(math.isfinite(v) for v in d):
        raise ParameterError('camera_info has coefficients that are no numbers: calibrate the camera again')
    return Lens(int(width), int(height), float(k[0]), float(k[4]), float(k[2]), float(k[5]), model,
                tuple(float(v) for v in d) if any(d) else ())
