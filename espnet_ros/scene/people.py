"""People on foot and on two wheels."""
import math
import typing

from espnet_ros.scene.camera import NEAR
from espnet_ros.scene.classes import BICYCLE, MOTORCYCLE, PERSON, RIDER

SKIN_COLORS = ((150, 175, 215), (125, 150, 195), (85, 110, 155), (55, 75, 110), (165, 190, 225))
CLOTH_COLORS = ((45, 40, 40), (80, 60, 45), (110, 70, 40), (60, 60, 150), (50, 45, 190), (160, 160, 160),
                (215, 215, 215), (70, 110, 70), (120, 150, 170), (140, 90, 140), (40, 160, 210), (90, 90, 95))
TROUSER_COLORS = ((60, 45, 35), (95, 65, 45), (40, 40, 42), (85, 100, 115), (120, 120, 120), (50, 60, 75))
HAIR_COLORS = ((25, 30, 35), (35, 55, 85), (70, 110, 150), (130, 130, 130), (20, 20, 22))


class Person(typing.NamedTuple):
    """Looks of a person: height (m), breadth (share), colors, coat length, what is carried, phase of the gait."""

    height: float
    breadth: float
    skin: tuple
    hair: tuple
    top: tuple
    bottom: tuple
    shoe: tuple
    coat: bool
    bag: bool
    phase: float


def person(dice, light):
    """Choose a person's looks."""
    front = (0.0, 0.2, -1.0)
    height = dice.uniform(1.05, 1.4) if dice.chance(0.1) else dice.uniform(1.55, 1.92)
    skin, hair, top, bottom, shoe = (light.lit(dice.pick(c), front) for c in (
        SKIN_COLORS, HAIR_COLORS, CLOTH_COLORS, TROUSER_COLORS, CLOTH_COLORS))
    return Person(height, dice.uniform(0.9, 1.25), skin, hair, top, bottom, shoe, dice.chance(0.3),
                  dice.chance(0.35), dice.uniform(0, 2 * math.pi))


class _Figure:
    """Joints of one body: body coordinates (forward, aside, up) to pixels."""

    def __init__(self, canvas, view, s, d, y, forward, label):
        self._canvas = canvas
        self._view = view
        self._x, self._z = view.place(s, d)
        self._y = y
        self._forward = forward
        self._label = label
        self.scale = view.camera.focal / max(self._z, NEAR)

    def point(self, ahead, aside, up):
        """Camera coordinates of a point; a body facing (ds, dd) has `aside` to its right."""
        ds, dd = self._forward
        return (self._x + dd * ahead + ds * aside, self._y + up, max(self._z + ds * ahead - dd * aside, NEAR))

    def at(self, ahead, aside, up):
        """Pixel of a point."""
        return self._view.project(*self.point(ahead, aside, up))

    def limb(self, joints, breadth, color):
        """A chain of round-ended segments, `breadth` meters thick."""
        pixels = [self.at(*joint) for joint in joints]
        for i, (a, b) in enumerate(zip(pixels, pixels[1:])):
            if self._canvas.sheet:
                self._canvas.sheet.along(a, b, self.point(*joints[i])[2], self.point(*joints[i + 1])[2],
                                         breadth * self.scale)
            self._canvas.line(a, b, breadth * self.scale, color, self._label)

    def disc(self, center, radius, color):
        """A ball of that radius (m)."""
        if self._canvas.sheet:
            self._canvas.sheet.frontal(self.point(*center)[2])
        self._canvas.disc(self.at(*center), radius * self.scale, color, self._label)

    def trunk(self, hip, hip_breadth, shoulder, shoulder_breadth, color):
        """The torso between (ahead, up) of hips and shoulders."""
        half_h, half_s = hip_breadth / 2, shoulder_breadth / 2
        ds = abs(self._forward[0])
        half_h, half_s = half_h * (0.65 + 0.35 * ds), half_s * (0.55 + 0.45 * ds)
        hu, hv = self.at(hip[0], 0, hip[1])
        su, sv = self.at(shoulder[0], 0, shoulder[1])
        h, w = half_h * self.scale, half_s * self.scale
        rise = 0.06 * self.scale
        if self._canvas.sheet:
            self._canvas.sheet.along((hu, hv), (su, sv), self.point(hip[0], 0, hip[1])[2],
                                     self.point(shoulder[0], 0, shoulder[1])[2], w)
        self._canvas.polygon([(hu - h, hv), (hu + h, hv), (su + w, sv + rise), (su + w * 0.7, sv), (su - w * 0.7, sv),
                              (su - w, sv + rise)], color, self._label)


def paint_person(canvas, view, s, d, y, forward, looks, walked):
    """Paint a person; `forward` is the direction (ds, dd) walked in, `walked` the meters walked (None: stands)."""
    body = _Figure(canvas, view, s, d, y, forward, PERSON)
    h, b = looks.height, looks.height / 1.75 * looks.breadth
    swing = 0.0 if walked is None else math.sin(walked * 2 * math.pi / (0.82 * h) + looks.phase)
    lift = 0.0 if walked is None else math.cos(walked * 2 * math.pi / (0.82 * h) + looks.phase)
    if body.scale * h < 13:
        body.limb(((0, 0, 0.06 * h), (0, 0, 0.5 * h)), 0.22 * b, looks.bottom)
        body.limb(((0, 0, 0.55 * h), (0, 0, 0.8 * h)), 0.38 * b, looks.top)
        body.disc((0, 0, 0.93 * h), 0.065 * h, looks.hair)
        return
    hip, shoulder = 0.5 * h, 0.81 * h
    order = (-1, 1) if forward[1] >= 0 else (1, -1)
    for side in order:
        _arm(body, looks, side, -side * swing, shoulder, b)
    for side in order:
        stride, raised = side * swing * 0.24 * h, max(side * lift, 0.0) * 0.09 * h
        knee = (stride * 0.55 + raised * 0.9, side * 0.085 * b, 0.27 * h + raised * 0.5)
        foot = (stride - raised * 0.6, side * 0.085 * b, 0.035 * h + raised)
        body.limb(((0, side * 0.08 * b, hip), knee), 0.155 * b, looks.bottom)
        body.limb((knee, foot), 0.125 * b, looks.bottom)
        body.limb((foot, (foot[0] + 0.13, foot[1], foot[2] - 0.01)), 0.085, looks.shoe)
    low = 0.3 * h if looks.coat else 0.46 * h
    body.trunk((0, low), (0.44 if looks.coat else 0.36) * b, (0, shoulder + 0.02 * h), 0.46 * b, looks.top)
    if looks.bag:
        body.disc((-0.1, 0, 0.68 * h), 0.14 * b, looks.shoe)
    _arm(body, looks, order[1], -order[1] * swing, shoulder, b)
    _head(body, looks, forward, 0.0, 0.93 * h, h)


def _arm(body, looks, side, swing, shoulder, b):
    h = looks.height
    elbow = (swing * 0.1 * h, side * 0.25 * b, shoulder - 0.18 * h)
    hand = (swing * 0.22 * h + 0.04, side * 0.24 * b, shoulder - 0.34 * h + 0.03 * abs(swing) * h)
    body.limb(((0, side * 0.215 * b, shoulder - 0.02 * h), elbow, hand), 0.095 * b, looks.top)
    body.disc(hand, 0.045 * b, looks.skin)


def _head(body, looks, forward, ahead, up, h):
    body.limb(((ahead, 0, up - 0.1 * h), (ahead, 0, up - 0.04 * h)), 0.1, looks.skin)
    body.disc((ahead, 0, up), 0.066 * h, looks.hair)
    if forward[0] < 0.5:
        body.disc((ahead + 0.02, 0, up - 0.015 * h), 0.053 * h, looks.skin)


def _circle(canvas, body, ahead, up, radius, count=14):
    angles = [2 * math.pi * i / count for i in range(count)]
    rim = [(ahead + radius * math.sin(a), 0, up + radius * math.cos(a)) for a in angles]
    if canvas.sheet:
        canvas.sheet.face([body.point(*place) for place in rim])
    return [body.at(*place) for place in rim]


def paint_bicycle(canvas, view, s, d, y, forward, color):
    """Paint a bicycle that stands or rides upright."""
    body = _Figure(canvas, view, s, d, y, forward, BICYCLE)
    if body.scale < 4:
        body.limb(((-0.5, 0, 0.4), (0.5, 0, 0.4)), 0.25, color)
        return
    for ahead in (-0.52, 0.52):
        canvas.loop(_circle(canvas, body, ahead, 0.34, 0.31), 0.05 * body.scale, (30, 30, 32), BICYCLE)
    body.limb(((-0.52, 0, 0.34), (-0.05, 0, 0.3), (0.4, 0, 0.8), (-0.15, 0, 0.82), (-0.05, 0, 0.3)), 0.05, color)
    body.limb(((-0.15, 0, 0.82), (-0.52, 0, 0.34)), 0.04, color)
    body.limb(((0.52, 0, 0.34), (0.38, 0, 1.0)), 0.05, color)
    body.limb(((0.36, -0.28, 1.02), (0.36, 0.28, 1.02)), 0.045, (40, 40, 40))
    body.limb(((-0.28, 0, 0.9), (-0.06, 0, 0.9)), 0.1, (35, 35, 35))


def paint_motorcycle(canvas, view, s, d, y, forward, color):
    """Paint a motorcycle."""
    body = _Figure(canvas, view, s, d, y, forward, MOTORCYCLE)
    for ahead in (-0.65, 0.68):
        body.limb(((ahead, 0, 0.14), (ahead, 0, 0.48)), 0.14, (28, 28, 30))
        canvas.polygon(_circle(canvas, body, ahead, 0.31, 0.3), (28, 28, 30), MOTORCYCLE)
        canvas.polygon(_circle(canvas, body, ahead, 0.31, 0.15), (120, 120, 120), MOTORCYCLE)
    body.limb(((-0.3, 0, 0.45), (0.3, 0, 0.45)), 0.34, (60, 60, 60))
    body.limb(((-0.75, 0, 0.78), (0.0, 0, 0.76)), 0.22, (35, 35, 35))
    body.limb(((0.05, 0, 0.75), (0.42, 0, 0.85)), 0.34, color)
    body.limb(((0.68, 0, 0.35), (0.5, 0, 1.0)), 0.1, (90, 90, 90))
    body.limb(((0.4, -0.38, 1.05), (0.4, 0.38, 1.05)), 0.06, (40, 40, 40))
    if forward[0] > 0:
        body.disc((-0.9, 0, 0.72), 0.08, (35, 30, 210))
    else:
        body.disc((0.75, 0, 0.88), 0.11, (225, 235, 235))


def paint_rider(canvas, view, s, d, y, forward, looks, pedalled, helmet):
    """Paint someone who sits on a two-wheeler; `pedalled` is the crank's angle, None on a motorcycle."""
    body = _Figure(canvas, view, s, d, y, forward, RIDER)
    b = looks.height / 1.75 * looks.breadth
    seat = 0.92 if pedalled is not None else 0.85
    for side in (-1, 1):
        if pedalled is None:
            knee, foot = (0.3, side * 0.24, 0.72), (0.05, side * 0.22, 0.32)
        else:
            angle = pedalled + (0 if side > 0 else math.pi)
            foot = (-0.05 + 0.17 * math.sin(angle), side * 0.12, 0.28 + 0.17 * math.cos(angle))
            knee = (0.25 + 0.08 * math.sin(angle), side * 0.14, 0.66 + 0.1 * math.cos(angle))
        body.limb(((-0.15, side * 0.1, seat), knee), 0.16 * b, looks.bottom)
        body.limb((knee, foot), 0.125 * b, looks.bottom)
        body.limb((foot, (foot[0] + 0.14, foot[1], foot[2])), 0.09, looks.shoe)
    lean = 0.22 if pedalled is not None else 0.12
    top = seat + 0.55 * looks.height / 1.75
    body.trunk((-0.17, seat - 0.06), 0.36 * b, (lean - 0.17, top), 0.47 * b, looks.top)
    for side in (-1, 1):
        body.limb(((lean - 0.15, side * 0.2 * b, top - 0.06), (lean + 0.08, side * 0.27, top - 0.28),
                   (0.36, side * 0.26, 1.04)), 0.1 * b, looks.top)
    _head(body, looks, forward, lean - 0.12, top + 0.17, looks.height)
    if helmet:
        body.disc((lean - 0.13, 0, top + 0.2), 0.125 if pedalled is None else 0.11, helmet)
