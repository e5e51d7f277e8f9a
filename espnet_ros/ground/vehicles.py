"""The outline on the ground of vehicles whose bodies hang above it between their wheels."""
import math

import numpy as np

_SAMPLES = np.linspace(0.0, 1.0, 48)
"""Where a vehicle's contour is sampled, from its left to its right end."""
_CORNERS = np.concatenate((np.arange(1, 12) / 12.0, [1.0]))
"""Where the near corner of a vehicle may be; 1: only one side is seen."""
_BASIS = np.stack([np.stack((np.ones_like(_SAMPLES), _SAMPLES, np.maximum(_SAMPLES - corner, 0)), 1)
                   for corner in _CORNERS])
_ROUNDS = 6
_CORNER_COST = 1.3
"""A corner must make the fit better by this factor."""
_SLANT = math.radians(25.0)
"""Angles of corners differ from a right one by this at most."""
_HIGH_COST = 0.9
"""A vehicle hangs at its class's lowest clearance where that fits better than the highest by this factor."""
_BUMPER = 1.5
"""Bumpers hang up to this factor higher than the sills."""


def stand(inverse, tangents, runs, lowest, highest, height):
    """Change inverse distances of contours to those of the vehicles' outlines on the ground, in place.

    inverse: 1 / meters ahead, float64 [directions]; tangents: of the directions. runs: [(start, end)] of a vehicle
    each; lowest, highest: float64 [runs], clearance of its sills in meters. height: of the camera in meters.

    A part that hangs c meters up is seen on the ground beyond it: its inverse distance is 1 / (1 - c / height) times
    that of its contour. Wheels have c = 0, sills the clearance, bumpers somewhat more. Which is which follows from the
    outline: one straight line, or two with a right corner between them.
    """
    if not runs:
        return
    starts, ends = np.array(runs).T
    columns = np.rint(starts[:, None] + (ends - 1 - starts)[:, None] * _SAMPLES).astype(np.intp)
    share = np.maximum(1.0 - lowest / height, 0.1)
    outline, loss = _fit(inverse[columns], share, tangents[columns])
    wide = np.nonzero(highest > lowest)[0]
    if len(wide):
        high_share = np.maximum(1.0 - highest[wide] / height, 0.1)
        high, high_loss = _fit(inverse[columns[wide]], high_share, tangents[columns[wide]])
        fits = loss[wide] >= _HIGH_COST * high_loss
        share[wide[fits]], outline[wide[fits]] = high_share[fits], high[fits]
    for start, end, part, line in zip(starts, ends, share, outline):
        contour = inverse[start:end]
        body = np.interp(np.linspace(0.0, 1.0, end - start), _SAMPLES, line) / part
        inverse[start:end] = np.clip(body, contour, contour / max(1.0 - _BUMPER * (1.0 - part), 0.1))


def _fit(inverse, share, tangents):
    """Return lines through the hanging parts of N contours, float64 [N, samples], and how badly they fit, [N].

    inverse, tangents: float64 [N, samples]. share: float64 [N], inverse distance of what hangs by that of what stands
    in its place. Least absolute deviations by iterated weights; a sample nearer to where a wheel would be is a wheel.
    """
    inverse, share = inverse[:, None], share[:, None, None]
    target = np.repeat(inverse, len(_CORNERS), 1)
    weight = np.ones_like(target)
    finest = 0.003 * inverse.mean(2, keepdims=True)
    for _ in range(_ROUNDS):
        weighted = _BASIS.transpose(0, 2, 1) * weight[:, :, None]
        found = np.linalg.solve(np.matmul(weighted, _BASIS) + 1e-6 * np.eye(3),
                                np.matmul(weighted, target[..., None]))
        line = np.matmul(_BASIS, found)[..., 0]
        stands = np.abs(line - share * inverse) < np.abs(line - inverse)
        target = np.where(stands, share * inverse, inverse)
        error = np.abs(line - target)
        weight = 1.0 / np.maximum(error, finest)
        weight /= weight.mean(2, keepdims=True)
    # All wheels would fit as well as no wheels: a wheel costs something.
    loss = (error + 2 * finest * stands).sum(2)
    loss[:, :-1] *= _CORNER_COST
    loss[:, :-1][~_is_square(line[:, :-1], tangents)] = np.inf
    best = np.arange(len(loss)), loss.argmin(1)
    return line[best], loss[best] / inverse.sum((1, 2))


def _is_square(lines, tangents):
    """Whether lines, inverse distances [N, corners, samples], have a right corner toward the camera: bool."""
    middle = np.rint(_CORNERS[:-1] * (len(_SAMPLES) - 1)).astype(np.intp)
    ahead = 1.0 / np.maximum(np.stack((lines[:, :, 0], lines[:, np.arange(len(middle)), middle], lines[:, :, -1])),
                             1e-6)
    left = tangents[:, middle]
    place = ahead * (1.0 + 1j * np.stack(np.broadcast_arrays(tangents[:, :1], left, tangents[:, -1:])))
    angle = np.angle((place[0] - place[1]) / (place[2] - place[1]))
    return np.abs(angle - math.pi / 2) < _SLANT
