"""A simulated lidar in the place of the street's camera."""
import numpy as np

from espnet_ros.scene.dice import mix

LOWEST, HIGHEST = -22.0, 6.0
"""Elevations of the first and the last ring in degrees."""
STEP = 0.25
"""Degrees from one point of a ring to the next."""
LONGEST = 80.0
"""Meters beyond which nothing returns."""
POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('ring', '<u4')])


def scan(camera, sheet, rings=16, noise=0.0, seed=0, number=0):
    """Return what a lidar sees of a painted street: POINT [N], meters; x ahead, y left, z up from below the camera.

    The lidar looks where the camera does and has its field of view. camera: scene Camera. sheet: DepthSheet of the
    painted picture. noise: standard deviation of ranges (m), from `seed` and the scan's `number` alone.
    """
    elevations = np.radians(np.linspace(LOWEST, HIGHEST, rings) if rings > 1 else [0.0])
    aside = np.arctan((camera.width / 2.0) / camera.focal)
    azimuths = np.arange(-aside, aside, np.radians(STEP))
    ahead = np.cos(elevations)[:, None] * np.cos(azimuths)[None]
    left = np.cos(elevations)[:, None] * np.sin(azimuths)[None]
    up = np.broadcast_to(np.sin(elevations)[:, None], ahead.shape)
    u = camera.center_x - camera.focal * left / ahead
    v = camera.horizon - camera.focal * up / ahead
    inside = (u > -0.5) & (v > -0.5) & (u < camera.width - 0.5) & (v < camera.height - 0.5)
    ring = np.broadcast_to(np.arange(rings)[:, None], ahead.shape)[inside]
    directions = np.stack((ahead[inside], left[inside], up[inside]), 1)
    inverse = sheet.sample(np.clip(u[inside], 0, camera.width - 1), np.clip(v[inside], 0, camera.height - 1))
    seen = inverse > 1.0 / LONGEST
    ranges = 1.0 / (inverse[seen] * directions[seen, 0])  # along the ray, from the distance along the axis
    if noise > 0:
        random = np.random.RandomState(mix(seed, number, 77) >> 32)
        ranges = ranges + noise * random.standard_normal(len(ranges))
    points = directions[seen] * ranges[:, None]
    kept = (ranges > 0) & (ranges < LONGEST)
    result = np.zeros(int(kept.sum()), POINT)
    for i, name in enumerate('xyz'):
        result[name] = points[kept, i]
    result['z'] += np.float32(camera.mount)
    result['ring'] = ring[seen][kept]
    return result
