"""Poles, traffic lights, traffic signs and other street furniture."""
import math

from espnet_ros.scene.classes import POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN

SIGN_KINDS = ('stop', 'ban', 'warning', 'blue', 'priority', 'guide', 'yield')
_RED, _WHITE, _BLUE, _YELLOW = (45, 40, 195), (225, 225, 225), (170, 85, 25), (50, 195, 225)


def post(canvas, view, s, d, y, height, breadth, color):
    """An upright pole of round section, lit from one side."""
    x, z = view.place(s, d)
    if canvas.sheet:
        canvas.sheet.frontal(z)
    half = breadth / 2
    top, low = view.project(x, y + height, z)[1], view.project(x, y, z)[1]
    left, right = view.project(x - half, y, z)[0], view.project(x + half, y, z)[0]
    right = max(right, left + 0.6)
    canvas.polygon([(left, low), (right, low), (right, top), (left, top)], color, POLE)
    if right - left > 3:
        middle = left + (right - left) * 0.55
        canvas.polygon([(middle, low), (right, low), (right, top), (middle, top)],
                       tuple(int(c * 0.7) for c in color), POLE)


def lamp(canvas, view, s, d, y, height, arm, color):
    """A street lamp whose arm reaches `arm` meters sideways."""
    post(canvas, view, s, d, y, height, 0.17, color)
    x, z = view.place(s, d)
    scale = view.camera.focal / z
    a, b = view.project(x, y + height, z), view.project(x + arm, y + height + 0.35, z)
    canvas.line(a, b, 0.09 * scale, color, POLE)
    end = view.project(x + arm * 1.35, y + height + 0.32, z)
    canvas.line(b, end, 0.2 * scale, tuple(int(c * 0.75) for c in color), POLE)


def signal(canvas, view, s, d, y, state, color, arm, rise):
    """A traffic light facing us; `state` 0 red, 1 yellow, 2 green; `arm` meters of mast arm, 0 for none.

    `rise` is the share of its size that shows.
    """
    height = (5.6 if arm else 3.3) * rise
    post(canvas, view, s, d, y, height, 0.16, color)
    heads = [(0.0, 3.3 * rise)]
    x, z = view.place(s, d)
    scale = view.camera.focal / z
    if arm:
        canvas.line(view.project(x, y + height, z), view.project(x + arm, y + height, z), 0.12 * scale, color, POLE)
        heads.append((arm, height + 0.45 * rise))
    for shift, top in heads:
        _signal_head(canvas, view, x + shift, y + top, z, state, rise)


def _signal_head(canvas, view, x, top, z, state, rise):
    def corner(dx, dy):
        return view.project(x + dx * rise, top + dy * rise, z)
    canvas.polygon([corner(-0.2, -1.05), corner(0.2, -1.05), corner(0.2, 0.0), corner(-0.2, 0.0)], (28, 30, 28),
                   TRAFFIC_LIGHT)
    scale = view.camera.focal / z * rise
    for i, bright in enumerate(((60, 50, 250), (60, 205, 250), (150, 245, 90))):
        color = bright if i == state else tuple(int(c * 0.2) for c in bright)
        canvas.disc(corner(0.0, -0.19 - 0.33 * i), 0.13 * scale, color, TRAFFIC_LIGHT)


def sign(canvas, view, s, d, y, kind, height, size, color, tone):
    """A traffic sign on a pole, facing us; `tone` scales the brightness of its face."""
    post(canvas, view, s, d, y, height + size * 0.4, 0.08 if kind != 'guide' else 0.14, color)
    x, z = view.place(s, d)
    for radius, corners, turn, face in _FACES[kind]:
        points = [view.project(x + size * radius * math.sin(a) * (1.5 if kind == 'guide' else 1.0),
                               y + height + size * radius * math.cos(a), z)
                  for a in (turn + 2 * math.pi * i / corners for i in range(corners))]
        canvas.polygon(points[::-1], tuple(min(int(c * tone), 255) for c in face), TRAFFIC_SIGN)


_T, _D, _S, _O = 0.0, 0.0, math.pi / 4, math.pi / 8
_FACES = {
    'stop': ((0.5, 8, _O, _RED), (0.2, 4, _S, _WHITE)),
    'ban': ((0.5, 16, 0.0, _RED), (0.37, 16, 0.0, _WHITE), (0.2, 4, _S, (40, 40, 40))),
    'warning': ((0.58, 3, _T, _RED), (0.4, 3, _T, _WHITE), (0.13, 4, _S, (40, 40, 40))),
    'yield': ((0.58, 3, math.pi, _RED), (0.38, 3, math.pi, _WHITE)),
    'blue': ((0.5, 16, 0.0, _BLUE), (0.24, 3, 0.0, _WHITE)),
    'priority': ((0.52, 4, _D, _WHITE), (0.38, 4, _D, _YELLOW)),
    'guide': ((1.1, 4, _S, _WHITE), (1.0, 4, _S, _BLUE), (0.4, 4, _S, _WHITE)),
}
