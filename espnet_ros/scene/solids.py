"""Rigid things made of flat colored faces."""
import math

import numpy as np

from espnet_ros.scene.camera import NEAR, clip_near

FINE = 14.0
"""Pixels per meter from which small faces are drawn."""


class Solid:
    """Faces of a thing that heads along +z and stands on y = 0; later faces are painted over earlier ones."""

    def __init__(self, faces):
        """`faces` is a list of (points [(x, y, z)...] counter-clockwise from outside, role, fine)."""
        self.points = np.array([p for face in faces for p in face[0]], np.float64)
        self._turned = self.points * (-1, 1, -1)
        self.faces = []
        first, corners = 0, []
        for points, role, fine in faces:
            self.faces.append((first, first + len(points), role, fine))
            corners.append((first, first + len(points) // 3, first + 2 * len(points) // 3))
            first += len(points)
        self._corners = np.array(corners).T
        a, b, c = self.points[self._corners]
        self.normals = [tuple(-normal / max(float(np.linalg.norm(normal)), 1e-9)) for normal in np.cross(b - a, c - a)]
        self.low = self.points.min(0)
        self.high = self.points.max(0)

    def colors(self, light, paint, heading, label):
        """Color (B, G, R, class) of every face for a table from role to color."""
        result = []
        for (_, _, role, _), normal in zip(self.faces, self.normals):
            turned = (normal[0] * heading, normal[1], normal[2] * heading)
            color = paint[role]
            glowing = role.startswith('lamp')
            result.append((tuple(color) if glowing else light.lit(color, turned)) + (label,))
        return result

    def paint(self, canvas, view, s, d, heading, colors, rise=1.0):
        """Paint the visible faces; `heading` is +1 along the road, -1 against it; `rise` scales the height."""
        x0, z0 = view.place(s, d)
        if z0 + self.high[2] < NEAR:
            return
        slope = view.path.slope(s) - view.path.slope(view.s)
        points = self.points if heading > 0 else self._turned
        z = points[:, 2] + z0
        x = points[:, 0] + (x0 + slope * points[:, 2])
        if z.min() < NEAR:
            self._paint_cut(canvas, view, np.stack((x, points[:, 1], z), 1), colors)
            return
        u, v = view.project(x, points[:, 1] * rise, z)
        if u.max() < 0 or u.min() > canvas.width:
            return
        pixels = np.stack((u, v), 1)
        a, b, c = pixels[self._corners]
        seen = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        pixels = (pixels * 16).astype(np.int32)
        fine = view.camera.focal / max(z0, NEAR) > FINE
        for index in np.nonzero(seen)[0].tolist():
            first, last, _, small = self.faces[index]
            if fine or not small:
                if canvas.sheet:
                    canvas.sheet.face(np.stack((x, points[:, 1] * rise, z), 1)[first:last])
                canvas.fixed_polygon(pixels[first:last], colors[index])

    def _paint_cut(self, canvas, view, points, colors):
        """Paint a thing that reaches behind the camera."""
        points = points.tolist()
        for (first, last, _, _), color in zip(self.faces, colors):
            cut = clip_near(points[first:last])
            if len(cut) < 3:
                continue
            pixels = view.pixels(cut)
            turn = sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(pixels, pixels[1:] + pixels[:1]))
            if turn < 0:
                if canvas.sheet:
                    canvas.sheet.face(cut)
                canvas.polygon(pixels, color[:3], color[3])


def block(x0, x1, y0, y1, z0, z1, role, lean=(0.0, 0.0, 0.0), sides='blrft', fine=False):
    """Faces of a box; at the top it is narrower by `lean`: (each flank, back, front) in meters."""
    flank, back, front = lean
    p = {}
    for name_x, bottom_x, top_x in (('l', x0, x0 + flank), ('r', x1, x1 - flank)):
        for name_z, bottom_z, top_z in (('b', z0, z0 + back), ('f', z1, z1 - front)):
            p[name_x + name_z + '0'] = (bottom_x, y0, bottom_z)
            p[name_x + name_z + '1'] = (top_x, y1, top_z)
    corners = {'b': ('lb0', 'rb0', 'rb1', 'lb1'), 'f': ('rf0', 'lf0', 'lf1', 'rf1'),
               'l': ('lf0', 'lb0', 'lb1', 'lf1'), 'r': ('rb0', 'rf0', 'rf1', 'rb1'),
               't': ('lb1', 'rb1', 'rf1', 'lf1')}
    return [([p[c] for c in corners[side]], role, fine) for side in sides]


def inset(face, left, right, low, high, role, fine=False):
    """A smaller face on a four-cornered one; the numbers are shares of its breadth and height."""
    a, b, c, d = (np.array(p) for p in face[0])

    def at(across, up):
        return tuple((a * (1 - across) + b * across) * (1 - up) + (d * (1 - across) + c * across) * up)
    return [at(left, low), at(right, low), at(right, high), at(left, high)], role, fine


def wheel(x, radius, z, role, fine=False, y=None, count=12):
    """A disc that faces away from the middle (the sign of x)."""
    center = radius if y is None else y
    sign = 1 if x > 0 else -1
    return ([(x, center + radius * math.cos(2 * math.pi * i / count),
              z - sign * radius * math.sin(2 * math.pi * i / count)) for i in range(count)], role, fine)
