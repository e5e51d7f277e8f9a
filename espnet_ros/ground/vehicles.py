"""The outline on the ground of vehicles whose bodies hang above it between their wheels."""
import statistics

import cv2
import numpy as np

_SAMPLES = np.linspace(0.0, 1.0, 24)
"""Where a vehicle's contour is sampled, from its left to its right end."""
_ANGLES = np.radians([0, 3, -3, 6, -6, 9, -9, 14, -14, 25, -25, 45])
"""Of a vehicle to the camera's heading."""
_HANGS = np.array([0.0, 1.0, 1.8])
"""How high wheels, sills and bumpers hang, by the clearance."""
_HANG_COST = np.array([1.0, 0.0, 2.0])
"""What a sample costs that is taken for one of them: the most are sills."""
_NOISE = 0.02
"""Relative error of a contour's distance that costs as much as 1 of these."""
_MOST = 9.0
"""Of a sample."""
_OUTLINE_COST = 11.0 * np.minimum(np.abs(_ANGLES) / np.radians(10.0), 1.0)[:, None] + np.concatenate(
    ([0.0, 0.0], np.full(len(_SAMPLES) - 2, 4.0), [0.0]))
"""Of an angle, most vehicles being along the road, and of a corner between two sides."""
_RANKS = [8, 16]
"""Samples, in the order of their distance by that of the outline, through which it is laid."""
_STEP = 0.008
"""Of logarithms of distances, so that costs can be looked up in a table of 256."""
_ZERO = 200
"""Place of 0 in it."""


def stand(inverse, tangents, runs, lowest, highest, height):
    """Change inverse distances of contours to those of the vehicles' outlines on the ground, in place.

    inverse: 1 / meters ahead, float64 [directions]; tangents: of the directions. runs: [(start, end)] of a vehicle
    each; lowest, highest: float64 [runs], clearance of its sills in meters. height: of the camera in meters.

    A part that hangs c meters up is seen on the ground beyond it: its inverse distance is 1 - c / height times that of
    the ground below it. Which parts hang how high follows from the outline: a side of the vehicle, or two with a right
    corner toward the camera between them. What fits neither is of another vehicle, and taken for its sills.
    """
    for (start, end), low, high in zip(runs, lowest, highest):
        columns = np.rint(start + (end - 1 - start) * _SAMPLES).astype(np.intp)
        shares = [np.maximum(1.0 - _HANGS * clearance / height, 0.1) for clearance in sorted({low, high})]
        _, outline, share = min((_fit(inverse[columns], tangents[columns], share) for share in shares),
                                key=lambda fit: fit[0])
        contour = inverse[start:end]
        body = np.interp(np.linspace(0.0, 1.0, end - start), _SAMPLES, outline)
        nearest = contour / share[-1]
        fits = (body > contour * (1 - 3 * _NOISE)) & (body < nearest * (1 + 3 * _NOISE))
        inverse[start:end] = np.where(fits, np.clip(body, contour, nearest), contour / share[1])


def _fit(inverse, tangents, shares):
    """Return (cost, outline, shares): of all outlines the one that fits a contour at the least cost.

    inverse, tangents, outline: float64 [samples]. shares: float64 [hangs], inverse distance of what hangs by that of
    what stands in its place.
    """
    hangs, contour = np.log(shares), np.log(inverse).astype(np.float32)
    cosine, sine = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]
    across = np.log(np.maximum(cosine + sine * tangents, 1e-3)).astype(np.float32)
    along = (cosine * tangents - sine).astype(np.float32)
    with np.errstate(divide='ignore', invalid='ignore'):
        along = np.log(along[:, None] / along[:, :, None])
    along[~(along > np.log(0.01))] = np.inf  # this side is not seen
    # By angle and corner, each sample being one. The convex body is where the farther of both sides is.
    outlines = np.concatenate((across[:, None], np.minimum(across[:, None] - across[:, :, None], along)), 1)
    outlines = outlines.reshape(-1, len(contour))
    offsets = np.rint((contour - outlines) / _STEP).astype(np.int16)
    places = np.sort(offsets, 1)[:, _RANKS, None] - np.rint(hangs / _STEP).astype(np.int16)
    places = places.reshape(len(offsets), -1)
    table = (np.abs(_STEP * (np.arange(256) - _ZERO)[:, None] - hangs) / _NOISE + _HANG_COST).min(1)
    index = offsets[:, None] - (places[:, :, None] - _ZERO)
    index = index.clip(0, 255).astype(np.uint8).reshape(-1, len(contour))
    cost = cv2.LUT(index, np.minimum(table, _MOST).astype(np.float32)).dot(np.ones(len(contour), np.float32))
    cost = cost.reshape(places.shape) + _OUTLINE_COST.reshape(-1, 1)
    best, place = np.unravel_index(cost.argmin(), cost.shape)
    outline = outlines[best] + _STEP * places[best, place]
    errors = (contour - outline)[:, None] - hangs
    errors = errors[np.arange(len(errors)), (np.abs(errors) / _NOISE + _HANG_COST).argmin(1)]
    errors = errors[np.abs(errors) < 3 * _NOISE]
    if len(errors):
        outline += statistics.median(errors.tolist())  # NumPy's takes ten times as long for so few
    return cost[best, place], np.exp(outline), shares
