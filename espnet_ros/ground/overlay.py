"""Free space and a grid of meters drawn on the camera's picture, and an occupancy grid from above."""
import math

import cv2
import numpy as np

from espnet_ros.ground.scan import CUT, OBSTACLE

FREE_COLOR, LINE_COLOR, OBSTACLE_COLOR = (90, 200, 60), (255, 255, 255), (40, 40, 235)
UNKNOWN_COLOR, DARK_COLOR = (120, 120, 120), (32, 32, 32)
"""BGR."""
_COSTS = np.repeat((255 - 1.6 * np.minimum(np.arange(256), 100)).astype(np.uint8), 3).reshape(1, 256, 3)
_COSTS[:, 65:], _COSTS[:, 255] = OBSTACLE_COLOR, UNKNOWN_COLOR


def draw(image, view, contacts, spacing=5.0):
    """Return a copy of a BGR uint8 [H, W, 3] picture of the lens's size with free ground, contacts and lines.

    spacing: meters between the lines of the grid.
    """
    result = image.copy()
    usable = view.last >= view.first
    near = view.distance(view.first)
    far = np.maximum(np.minimum(view.distance(np.minimum(contacts.row, view.last)), view.reach), near)
    outline = np.concatenate((_pixels(view, far, view.tangents)[usable],
                              _pixels(view, near, view.tangents)[usable][::-1]))
    outline = outline[np.isfinite(outline).all(1)]
    if len(outline) > 2:
        shade = result.copy()
        cv2.fillPoly(shade, [np.rint(outline).astype(np.int32)], FREE_COLOR)
        result = cv2.addWeighted(shade, 0.35, result, 0.65, 0)
    _lines(result, view, spacing)
    hit = (contacts.kind == OBSTACLE) | (contacts.kind == CUT)
    bounds = np.nonzero(np.diff(np.concatenate(([0], hit.astype(int), [0]))))[0].reshape(-1, 2)
    for start, end in bounds:
        _polyline(result, _pixels(view, far[start:end], view.tangents[start:end]), OBSTACLE_COLOR, 2)
    return result


def from_above(data, resolution, origin, foot, size, reach=20.0, spacing=5.0):
    """Return an occupancy grid as BGR uint8 [height, width, 3]: ahead is up, the robot at the middle of the lower edge.

    Free ground is white, costly ground gray, obstacles OBSTACLE_COLOR, what is unknown dark gray.
    data: int8 [rows, columns] as in nav_msgs/OccupancyGrid: 0..100, -1 unknown. resolution: meters a cell. origin: x, y
    (m) of the corner of cell [0, 0]. foot: (x, y, yaw) of the robot in the grid's frame. size: (width, height) in
    pixels. reach: meters from the lower edge to the upper one. spacing: meters between lines.
    """
    width, height = size
    scale = reach / height
    x, y, yaw = foot
    c, s = math.cos(yaw), math.sin(yaw)
    to_ground = np.array([[0, -scale, (height - 0.5) * scale], [-scale, 0, (width / 2.0 - 0.5) * scale], [0, 0, 1]])
    to_frame = np.array([[c, -s, x - origin[0]], [s, c, y - origin[1]], [0, 0, resolution]]) / resolution
    matrix = to_frame.dot(to_ground)[:2] - [[0, 0, 0.5]]
    cells = cv2.warpAffine(data.view(np.uint8), matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
                           borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    result = cv2.LUT(cv2.merge([cells] * 3), _COSTS)
    for ahead in np.arange(spacing, reach, spacing):
        row = int(round(height - ahead / scale))
        cv2.line(result, (0, row), (width, row), (90, 90, 90), 1)
        cv2.putText(result, '{:g} m'.format(ahead), (width - 40, row - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, DARK_COLOR, 1,
                    cv2.LINE_AA)
    robot = np.array([[0, -12], [6, -1], [-6, -1]]) + [width // 2, height]
    cv2.fillPoly(result, [robot.astype(np.int32)], DARK_COLOR, cv2.LINE_AA)
    return result


def _lines(result, view, spacing):
    """Meters ahead and to the sides, as far as the view reaches."""
    aside = spacing * np.arange(-4, 5)
    free = view.lens.height
    for ahead in np.arange(spacing, view.reach + 0.1, spacing):
        y = np.linspace(aside[0], aside[-1], 81)
        pixels = _pixels(view, np.full(len(y), ahead), y / ahead)
        _polyline(result, pixels, LINE_COLOR, 1)
        middle = pixels[len(pixels) // 2]
        if np.isfinite(middle).all() and 0 <= middle[0] < view.lens.width and 0 <= middle[1] < free:
            free = middle[1] - 12  # far lines are too close for a number each
            cv2.putText(result, '{:g} m'.format(ahead), (int(middle[0]) + 4, int(middle[1]) - 3),
                        cv2.FONT_HERSHEY_SIMPLEX, 0.4, LINE_COLOR, 1, cv2.LINE_AA)
    ahead = np.linspace(1.0, view.reach, 120)
    for y in aside:
        _polyline(result, _pixels(view, ahead, y / ahead), LINE_COLOR, 1)


def _pixels(view, ahead, tangents):
    """Pixels float [N, 2] of places on the ground; nan outside of the picture and a margin around it."""
    lens = view.lens
    points = np.stack((ahead, ahead * tangents, np.full(len(ahead), -view.pose.height)), 1).dot(view.rotation)
    with np.errstate(divide='ignore', invalid='ignore'):
        u, v = lens.project(points[:, 0] / points[:, 2], points[:, 1] / points[:, 2])
    pixels = np.stack((u, v), 1)
    outside = (points[:, 2] < 0.05) | (np.abs(pixels - (lens.width / 2.0, lens.height / 2.0)).max(1)
                                       > 2.0 * max(lens.width, lens.height))
    pixels[outside] = np.nan
    return pixels


def _polyline(result, pixels, color, thickness):
    finite = np.isfinite(pixels).all(1)
    bounds = np.nonzero(np.diff(np.concatenate(([0], finite.astype(int), [0]))))[0].reshape(-1, 2)
    for start, end in bounds:
        cv2.polylines(result, [np.rint(pixels[start:end] * 16).astype(np.int32)], False, color, thickness, cv2.LINE_AA,
                      4)
