"""The carriageway and what lies beside it: its course, its cross-section, its surface."""
import math
import typing

import cv2
import numpy as np

from espnet_ros.scene.canvas import fixed
from espnet_ros.scene.classes import ROAD, SIDEWALK, TERRAIN
from espnet_ros.scene.textures import ground_tile, jitter

CURB_HEIGHT = 0.12
FAR = 320.0
_TEXTURED = 45.0
_GRAIN = 40


class Path:
    """The course of the road: two sine waves, so that it bends for ever and smoothly."""

    def __init__(self, dice):
        strength = dice.pick((0.0, 0.4, 1.0, 1.6))
        self._waves = tuple((strength * amplitude * dice.uniform(0.5, 1.0), 2 * math.pi / length,
                             dice.uniform(0, 2 * math.pi))
                            for amplitude, length in ((7.0, dice.uniform(380, 520)), (1.6, dice.uniform(180, 240))))

    def slope(self, s):
        """Heading of the road at `s` (dx/ds)."""
        return sum(a * k * math.cos(k * s + phase) for a, k, phase in self._waves)

    def bend(self, s, z):
        """Sideways shift (m) of the road z meters ahead of `s`, seen along the road's heading at `s`."""
        shift = 0.0
        for a, k, phase in self._waves:
            shift += a * (math.sin(k * (s + z) + phase) - math.sin(k * s + phase) - k * math.cos(k * s + phase) * z)
        return shift

    def bends(self, s, z):
        """The same for an array of distances."""
        shift = np.zeros_like(z)
        for a, k, phase in self._waves:
            shift += a * (np.sin(k * (s + z) + phase) - math.sin(k * s + phase) - k * math.cos(k * s + phase) * z)
        return shift


class Lane(typing.NamedTuple):
    """A lane: its middle `d` (m) and +1 when it goes our way, -1 when it comes toward us."""

    center: float
    direction: int


class Side(typing.NamedTuple):
    """One side of the street: `sign` -1 left, +1 right; the other values are `d` (m) from the center line."""

    sign: int
    parking: float
    curb: float
    grass_inner: float
    grass_outer: float
    walk_outer: float
    front: float


class Road:
    """Cross-section of the street, side streets, and how the ground is painted."""

    TILE_LENGTH = 40
    TILE_BREADTH = 32
    TILE_TEXELS = 24

    def __init__(self, dice, camera, light):
        self.path = Path(dice)
        self.lane_width = dice.uniform(2.9, 3.7)
        per_direction = dice.pick((1, 1, 1, 2))
        self.lanes = tuple(Lane(sign * (i + 0.5) * self.lane_width, sign) for sign in (1, -1)
                           for i in range(per_direction))
        self.ego = self.lane_width * (dice.whole(0, per_direction - 1) + 0.5)
        self.edge = per_direction * self.lane_width
        self.left, self.right = self._side(dice, -1), self._side(dice, 1)
        self.junction_pitch = dice.uniform(75, 160)
        self.junction_half = dice.uniform(3.5, 5.0)
        self.light = light
        gray = dice.uniform(35, 85)
        self._asphalt = tuple(int(gray + dice.uniform(-3, 3)) for _ in range(3))
        self._paving = jitter(dice, dice.pick(((95, 100, 105), (120, 125, 128), (85, 95, 115), (70, 75, 80))), 12)
        self._grass = jitter(dice, dice.pick(((20, 75, 45), (25, 85, 65), (45, 80, 85), (25, 60, 50))), 12)
        self._curb = jitter(dice, (140, 142, 145), 25)
        self._paint = (190, 195, 195) if dice.chance(0.8) else (90, 180, 205)
        self._dash = dice.pick(((3.0, 9.0), (4.0, 8.0), (6.0, 12.0), (1.5, 4.0)))
        self._edge_line = dice.chance(0.5)
        self._solid_center = dice.chance(0.2)
        self._shadow_depth = int(8 + 24 * (1 - light.direct / 0.55))
        self._steps = np.concatenate(([0.4, 0.8, 1.3], np.geomspace(2.0, FAR, 34)))
        self._tile = ground_tile(dice, self)
        self._prepare_rows(camera)

    def _side(self, dice, sign):
        parking = dice.pick((0.0, 0.0, 2.1, 2.3))
        curb = self.edge + dice.uniform(0.2, 0.6) + parking
        grass = dice.pick((0.0, 0.0, 1.2, 2.0))
        gap = 0.4 if grass else 0.0
        walk = curb + gap + grass + dice.uniform(2.0, 5.0)
        front = walk + dice.pick((0.0, 0.0, 1.5, 4.0))
        return Side(sign, sign * (self.edge + parking / 2) if parking else 0.0, sign * curb, sign * (curb + gap),
                    sign * (curb + gap + grass), sign * walk, sign * front)

    def _prepare_rows(self, camera):
        """Where each pixel below the horizon meets the ground, for the ground's texture."""
        self.top = min(int(math.ceil(camera.horizon + camera.focal * camera.mount / _TEXTURED)), camera.height)
        self.ground_top = max(int(math.floor(camera.horizon)), 0)
        v = np.arange(self.ground_top, camera.height, dtype=np.float32)
        z = camera.focal * camera.mount / np.maximum(v - np.float32(camera.horizon), 0.25)
        self._row_z = z[self.top - self.ground_top:]
        x = (np.arange(camera.width, dtype=np.float32)[None] - camera.center_x) * (self._row_z[:, None] / camera.focal)
        self._map_x = (x * self.TILE_TEXELS).astype(np.float32)
        share = np.clip((_TEXTURED - self._row_z) / (_TEXTURED * 0.75), 0, 1)[:, None]
        shape = (len(self._row_z), camera.width)
        self._fade = np.ascontiguousarray(np.broadcast_to((share * 255).astype(np.uint8), shape))
        self._rest = np.ascontiguousarray(np.broadcast_to((_GRAIN * (1 - share)).astype(np.uint8), shape))

    def junction_at(self, s):
        """Distance (m, signed) from `s` to the middle of the nearest side street."""
        return s - round(s / self.junction_pitch) * self.junction_pitch

    def free(self, s, margin):
        """Whether `s` lies at least `margin` meters away from every side street."""
        return abs(self.junction_at(s)) > self.junction_half + margin

    def junctions(self, view, reach):
        """Middles (s) of the side streets up to `reach` ahead."""
        first, last = int(view.s // self.junction_pitch), int((view.s + reach) // self.junction_pitch) + 1
        return [k * self.junction_pitch for k in range(first, last + 1)]

    def paint(self, canvas, view):
        """Paint the flat colors of the ground."""
        cv2.rectangle(canvas.pixels, (0, self.ground_top), (canvas.width, canvas.height), self._grass + (TERRAIN,), -1)
        if canvas.sheet:
            canvas.sheet.level(0.0)
            canvas.sheet.index[self.ground_top:] = canvas.sheet.number
        shift = self.path.bends(view.s, self._steps) - view.d
        for side in (self.left, self.right):
            self._band(canvas, view, shift, side.curb, side.walk_outer, CURB_HEIGHT, self._paving, SIDEWALK)
            if side.grass_inner != side.grass_outer:
                self._band(canvas, view, shift, side.grass_inner, side.grass_outer, CURB_HEIGHT, self._grass, TERRAIN)
        self._band(canvas, view, shift, self.left.curb, self.right.curb, 0.0, self._asphalt, ROAD)
        for side in (self.left, self.right):
            low, high = (self._border(view, shift, side.curb, y) for y in (0.0, CURB_HEIGHT))
            feet = np.stack((shift + side.curb, np.zeros_like(shift), self._steps), 1)
            tops = feet + (0.0, CURB_HEIGHT, 0.0)
            canvas.ribbon(low, high, self._curb, SIDEWALK, np.stack((feet[:-1], feet[1:], tops[1:], tops[:-1]), 1))
        if canvas.sheet:
            canvas.sheet.level(0.0)
        for middle in self.junctions(view, 250):
            self._side_street(canvas, view, middle)
        self._marks(canvas, view, shift)

    def _border(self, view, shift, d, y):
        """Pixels [N, 2] of the line at `d` along the road, which `shift` moves sideways at each step."""
        u, v = view.project(shift + d, y, self._steps)
        return np.stack((u, v), 1)

    def _band(self, canvas, view, shift, d0, d1, y, color, label):
        if canvas.sheet:
            canvas.sheet.level(y)
        points = np.concatenate((self._border(view, shift, d0, y), self._border(view, shift, d1, y)[::-1]))
        canvas.polygons([points], color, label)

    def _quads(self, view, rectangles):
        """Pixel corners [N, 4, 2] of rectangles (s0, s1, d0, d1) on the carriageway, those ahead only."""
        r = np.asarray(rectangles, np.float64).reshape(-1, 4)
        r = r[(r[:, 1] > view.s + 0.6) & (r[:, 0] < view.s + FAR)]
        z = np.maximum(r[:, [0, 0, 1, 1]] - view.s, 0.5)
        x = r[:, [2, 3, 3, 2]] + self.path.bends(view.s, z) - view.d
        return np.stack(view.project(x, 0.0, z), 2)

    def _side_street(self, canvas, view, middle):
        half = self.junction_half
        for side in (self.left, self.right):
            quads = self._quads(view, [(middle - half, middle + half, side.curb * 0.98, side.sign * 90.0)])
            canvas.polygons(quads, self._asphalt, ROAD)
            self._corner(canvas, view, side, middle + half)

    def _corner(self, canvas, view, side, s):
        """The curb where the sidewalk begins again behind a side street."""
        (x0, z), (x1, _) = view.place(s, side.curb), view.place(s, side.walk_outer)
        if z < 0.6:
            return
        face = [(x0, 0.0, z), (x1, 0.0, z), (x1, CURB_HEIGHT, z), (x0, CURB_HEIGHT, z)]
        if canvas.sheet:
            canvas.sheet.face(face)
        canvas.polygon(view.pixels(face), self._curb, SIDEWALK)
        if canvas.sheet:
            canvas.sheet.level(0.0)

    def _marks(self, canvas, view, shift):
        length, pitch = self._dash
        first = math.floor(view.s / pitch)
        starts = [k * pitch for k in range(first, first + int(110 / pitch))]
        lines = [i * self.lane_width for i in range(-len(self.lanes) // 2 + 1, len(self.lanes) // 2)]
        rectangles = []
        for d in lines:
            if d == 0 and self._solid_center:
                continue
            rectangles += [(s, s + length, d - 0.07, d + 0.07) for s in starts if self.free(s + length / 2, 4.0)]
        canvas.polygons(self._quads(view, rectangles), self._paint, ROAD)
        solid = [0.0] if self._solid_center else []
        if self._edge_line:
            solid += [-self.edge, self.edge]
        for d in solid:
            self._band(canvas, view, shift, d - 0.06, d + 0.06, 0.0, self._paint, ROAD)
        for middle in self.junctions(view, 120):
            start = middle - self.junction_half - 4.0
            stripes = np.arange(self.left.curb + 0.5, self.right.curb - 0.5, 1.0).tolist()
            zebra = [(start, start + 3.0, d, d + 0.5) for d in stripes]
            stop_line = (start - 1.6, start - 1.2, 0.1, self.edge)
            canvas.polygons(self._quads(view, zebra + [stop_line]), (195, 198, 200), ROAD)

    def texture(self, canvas, view, shadows):
        """Add grain, joints and shadows (pixel polygons, float [N, 2]) to the flat ground."""
        added = np.full((canvas.height - self.ground_top, canvas.width), _GRAIN, np.uint8)
        if len(self._row_z):
            added[self.top - self.ground_top:] = self._near_texture(view)
        for polygon in shadows:
            cv2.fillConvexPoly(added, fixed(polygon - (0, self.ground_top)), self._shadow_depth, 8, 4)
        ground = canvas.pixels[self.ground_top:]
        cv2.add(ground, cv2.merge((added, added, added, np.zeros_like(added))), ground)

    def _near_texture(self, view):
        """The surface's tile as seen in the rows where it can be made out, fading with distance: uint8 [h, W]."""
        shift = (self.path.bends(view.s, self._row_z.astype(np.float64)) * -1 + view.d + self.TILE_BREADTH / 2.0)
        map_x = self._map_x + (shift * self.TILE_TEXELS).astype(np.float32)[:, None]
        along = ((view.s + self._row_z.astype(np.float64)) % self.TILE_LENGTH * self.TILE_TEXELS).astype(np.float32)
        map_y = np.ascontiguousarray(np.broadcast_to(along[:, None], map_x.shape))
        near = cv2.remap(self._tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return cv2.add(cv2.multiply(near, self._fade, scale=1 / 255.0), self._rest)
