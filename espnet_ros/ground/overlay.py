"""Free space and a grid of meters drawn on the camera's picture."""
import cv2
import numpy as np

from espnet_ros.ground.scan import CUT, OBSTACLE

FREE_COLOR, LINE_COLOR, OBSTACLE_COLOR = (90, 200, 60), (255, 255, 255), (40, 40, 235)
"""BGR."""


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


def _lines(result, view, spacing):
    """Meters ahead and to the sides, as far as the view reaches."""
    aside = spacing * np.arange(-4, 5)
    for ahead in np.arange(spacing, view.reach + 0.1, spacing):
        y = np.linspace(aside[0], aside[-1], 81)
        pixels = _pixels(view, np.full(len(y), ahead), y / ahead)
        _polyline(result, pixels, LINE_COLOR, 1)
        middle = pixels[len(pixels) // 2]
        if np.isfinite(middle).all() and 0 <= middle[0] < view.lens.width and 0 <= middle[1] < view.lens.height:
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
