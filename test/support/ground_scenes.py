"""Label images painted with plain geometry."""
import math
import pathlib

import numpy as np

CONFIG = pathlib.Path(__file__).resolve().parents[2] / 'config' / 'traversability.yaml'
ROAD, SIDEWALK, POLE, SKY, PERSON, RIDER, CAR, TRUCK, BICYCLE = 0, 1, 5, 10, 11, 12, 13, 14, 18


def paint(lens, pose, boxes, ground=ROAD):
    """Labels uint8 [H, W] of upright boxes on flat ground: (label, x ahead, half width, y left, bottom, top) each."""
    labels = np.full((lens.height, lens.width), SKY, np.uint8)
    v, u = np.mgrid[:lens.height, :lens.width].astype(float)
    rays = lens.rays(np.stack((u.ravel(), v.ravel()), 1))
    rays = np.column_stack((rays, np.ones(len(rays)))).dot(pose.level_rotation().T).reshape(lens.height, lens.width, 3)
    labels[rays[..., 2] < -1e-6] = ground
    for label, ahead, half, left, bottom, top in sorted(boxes, key=lambda box: -box[1]):
        with np.errstate(divide='ignore', invalid='ignore'):
            scale = ahead / rays[..., 0]
        y, z = rays[..., 1] * scale, rays[..., 2] * scale + pose.height
        labels[(rays[..., 0] > 0) & (np.abs(y - left) <= half) & (z >= bottom) & (z <= top)] = label
    return labels


def at_angle(scan, degrees):
    """Range of a Scan's beam nearest to an angle, to the left."""
    return float(scan.ranges[int(round((math.radians(degrees) - scan.angle_min) / scan.angle_increment))])
