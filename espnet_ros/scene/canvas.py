"""The sheet on which color and class are painted in one stroke."""
import typing

import cv2
import numpy as np

_SHIFT = 4
_ONE = 1 << _SHIFT


class Texture(typing.NamedTuple):
    """A picture of a surface: uint8 [H, W, 4] (B, G, R, class) per level, each half the one before; its mean color."""

    levels: typing.Tuple[np.ndarray, ...]
    color: typing.Tuple[int, int, int]
    label: int


class Sprite(typing.NamedTuple):
    """A cut-out picture: textures uint8 [H, W, 4] and masks uint8 [H, W] (0 or 255), each half the one before."""

    levels: typing.Tuple[np.ndarray, ...]
    masks: typing.Tuple[np.ndarray, ...]


class Canvas:
    """An image whose fourth channel is the class, so that color and class always cover the same pixels.

    Colors are (B, G, R), points are pixel coordinates (u, v) with fractions; nothing is anti-aliased. `sheet` is a
    DepthSheet that takes the same strokes, None when nobody asks for depth.
    """

    def __init__(self, width, height):
        self.sheet = None
        self.width = width
        self.height = height
        self.pixels = np.zeros((height, width, 4), np.uint8)
        self._mask = np.zeros((height, width), np.uint8)

    def polygon(self, points, color, label):
        """Fill one convex polygon."""
        if len(points) > 2:
            self.fixed_polygon(fixed(points), (color[0], color[1], color[2], label))

    def fixed_polygon(self, points, color):
        """Fill one convex polygon of `fixed` points; `color` is (B, G, R, class)."""
        cv2.fillConvexPoly(self.pixels, points, color, 8, _SHIFT)
        if self.sheet:
            cv2.fillConvexPoly(self.sheet.index, points, self.sheet.number, 8, _SHIFT)

    def polygons(self, points, color, label):
        """Fill polygons of any shape that do not overlap: float [N, M, 2] or a list of arrays [M, 2]."""
        if len(points):
            points = [fixed(p) for p in points]
            cv2.fillPoly(self.pixels, points, (color[0], color[1], color[2], label), 8, _SHIFT)
            if self.sheet:
                cv2.fillPoly(self.sheet.index, points, self.sheet.number, 8, _SHIFT)

    def ribbon(self, low, high, color, label, faces):
        """Fill a band between two lines of pixels, float [N, 2]; faces: its N - 1 quads as DepthSheet.face takes."""
        outline = np.concatenate((low, high[::-1]))
        sheet, self.sheet = self.sheet, None
        self.polygons([outline], color, label)
        self.sheet = sheet
        if sheet:
            before = sheet.index.copy()
            self._mask[:] = 0
            cv2.fillPoly(self._mask, [fixed(outline)], 255, 8, _SHIFT)
            for i, face in enumerate(faces):
                sheet.face(face)
                cv2.fillConvexPoly(sheet.index, fixed(np.stack((low[i], low[i + 1], high[i + 1], high[i]))),
                                   sheet.number, 8, _SHIFT)
            sheet.index[self._mask == 0] = before[self._mask == 0]

    def line(self, start, end, thickness, color, label):
        """Draw a round-ended line; thickness in pixels."""
        start, end = ((int(u * _ONE), int(v * _ONE)) for u, v in (start, end))
        thickness = max(1, int(thickness + 0.5))
        cv2.line(self.pixels, start, end, (color[0], color[1], color[2], label), thickness, 8, _SHIFT)
        if self.sheet:
            cv2.line(self.sheet.index, start, end, self.sheet.number, thickness, 8, _SHIFT)

    def disc(self, center, radius, color, label):
        """Fill a circle; radius in pixels."""
        center, radius = (int(center[0] * _ONE), int(center[1] * _ONE)), max(1, int(radius * _ONE))
        cv2.circle(self.pixels, center, radius, (color[0], color[1], color[2], label), -1, 8, _SHIFT)
        if self.sheet:
            cv2.circle(self.sheet.index, center, radius, self.sheet.number, -1, 8, _SHIFT)

    def loop(self, points, thickness, color, label):
        """Draw the outline of a polygon."""
        points, thickness = [fixed(points)], max(1, int(thickness + 0.5))
        cv2.polylines(self.pixels, points, True, (color[0], color[1], color[2], label), thickness, 8, _SHIFT)
        if self.sheet:
            cv2.polylines(self.sheet.index, points, True, self.sheet.number, thickness, 8, _SHIFT)

    def window(self, points):
        """Return the part (left, top, right, bottom) of the canvas that may hold the polygon, None when empty."""
        us = [p[0] for p in points]
        vs = [p[1] for p in points]
        left, top = max(int(min(us)), 0), max(int(min(vs)), 0)
        right, bottom = min(int(max(us)) + 2, self.width), min(int(max(vs)) + 2, self.height)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def panel(self, points, texture, matrix, level):
        """Fill a convex polygon with a texture; `matrix` takes texel coordinates of level 0 to pixels."""
        window = self.window(points) if len(points) > 2 else None
        if window is None:
            return
        left, top, right, bottom = window
        level = min(level, len(texture.levels) - 1)
        scale = float(1 << level)
        shifted = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64).dot(matrix)
        shifted = shifted.dot(np.array([[scale, 0, scale / 2], [0, scale, scale / 2], [0, 0, 1]]))
        picture = cv2.warpPerspective(texture.levels[level], shifted, (right - left, bottom - top),
                                      flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = self._mask[top:bottom, left:right]
        mask[:] = 0
        cv2.fillConvexPoly(mask, fixed([(u - left, v - top) for u, v in points]), 255, 8, _SHIFT)
        self._paste(picture, mask, window)

    def sprite(self, left, top, right, bottom, sprite):
        """Paste a cut-out into the rectangle between these pixel coordinates."""
        window = self.window(((left, top), (right, bottom)))
        if window is None or right - left < 1 or bottom - top < 1:
            return
        x0, y0, x1, y1 = window
        level = 0
        while level + 1 < len(sprite.levels) and sprite.levels[level].shape[0] > 1.5 * (bottom - top):
            level += 1
        picture, mask = sprite.levels[level], sprite.masks[level]
        scale_x, scale_y = (right - left) / picture.shape[1], (bottom - top) / picture.shape[0]
        matrix = np.array([[scale_x, 0, left - x0 + scale_x / 2], [0, scale_y, top - y0 + scale_y / 2]], np.float64)
        size = (x1 - x0, y1 - y0)
        warped = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        hole = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        self._paste(warped, hole, window)

    def _paste(self, picture, mask, window):
        left, top, right, bottom = window
        cv2.copyTo(picture, mask, self.pixels[top:bottom, left:right])
        if self.sheet:
            self.sheet.index[top:bottom, left:right][mask > 0] = self.sheet.number


def fixed(points):
    """Return pixel coordinates as the fixed-point int32 [N, 2] that OpenCV draws."""
    if isinstance(points, list):
        return np.array([(int(u * _ONE), int(v * _ONE)) for u, v in points], np.int32)
    return (points * _ONE).astype(np.int32)
