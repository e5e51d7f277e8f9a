"""What closes the street off to both sides: buildings, walls, fences, hedges, open ground."""
import functools
import math
import typing

import numpy as np

from espnet_ros.scene.camera import NEAR, clip_near
from espnet_ros.scene.canvas import Texture
from espnet_ros.scene.classes import BUILDING, FENCE, VEGETATION, WALL
from espnet_ros.scene.dice import Dice
from espnet_ros.scene.road import CURB_HEIGHT
from espnet_ros.scene.textures import (
    TEXELS,
    WALL_COLORS,
    facade_picture,
    fence_picture,
    hedge_picture,
    jitter,
    texture,
    wall_picture,
)

REACH = 260.0


class House(typing.NamedTuple):
    """A design of building: front and gable for the left and the right side, height (m), roof."""

    front: typing.Tuple[Texture, Texture]
    gable: typing.Tuple[Texture, Texture]
    height: float
    roof: float
    roof_color: tuple


class Plot(typing.NamedTuple):
    """What stands on one stretch of one side: from `start` to `end` (s), at `d`; `back` is drawn behind it."""

    kind: str
    start: float
    end: float
    d: float
    design: int
    height: float


class Fronts:
    """Designs of one street and which plot holds which."""

    def __init__(self, dice, light, road):
        self._road = road
        self._light = light
        self._key = dice.seed()
        self.pitch = dice.uniform(11, 19)
        self._density = dice.pick((0.35, 0.6, 0.8, 0.95))
        self._terrace = dice.chance(0.6)
        tall = dice.pick((2, 3, 4, 6))
        self._houses = [self._design_house(dice, tall) for _ in range(6)]
        self._low = {kind: [self._design_low(dice, kind) for _ in range(2)] for kind in ('wall', 'fence', 'hedge')}
        self.plot = functools.lru_cache(maxsize=1024)(self._plot)

    def _design_house(self, dice, tall):
        light = self._light
        rng = np.random.RandomState(dice.seed())
        stories = max(1, dice.whole(tall - 1, tall + 2))
        finish = dice.pick(('brick', 'plaster', 'plaster', 'panels', 'glass'))
        color = jitter(dice, dice.pick(WALL_COLORS), 22)
        front = facade_picture(dice, rng, self.pitch, stories, color, finish)
        gable = wall_picture(dice, rng, 10.0, stories * 3.0 + 0.7, color, finish)
        for row in range(stories if dice.chance(0.6) else 0):
            for column in (50, 120):
                gable[row * 60 + 30:row * 60 + 56, column:column + 18] = (60, 55, 50)
        textures = [tuple(texture(picture, BUILDING, light, normal) for normal in normals) for picture, normals in (
            (front, ((1, 0, 0), (-1, 0, 0))), (gable, ((0, 0, -1),) * 2))]
        return House(textures[0], textures[1], stories * 3.0 + 0.7,
                     dice.uniform(1.5, 3.5) if stories < 5 and dice.chance(0.6) else 0.0,
                     light.lit(jitter(dice, dice.pick(((60, 70, 130), (70, 75, 80), (50, 55, 75))), 12), (0.5, 0.5, 0)))

    def _design_low(self, dice, kind):
        rng = np.random.RandomState(dice.seed())
        height = dice.uniform(*{'wall': (1.6, 3.2), 'fence': (1.1, 2.0), 'hedge': (1.2, 2.4)}[kind])
        if kind == 'wall':
            finish = dice.pick(('brick', 'plaster', 'panels'))
            picture = wall_picture(dice, rng, self.pitch, height, jitter(dice, dice.pick(WALL_COLORS), 15), finish)
            picture[:5] *= 1.25
        else:
            picture = {'fence': fence_picture, 'hedge': hedge_picture}[kind](dice, rng, self.pitch, height)
        label = {'wall': WALL, 'fence': FENCE, 'hedge': VEGETATION}[kind]
        return tuple(texture(picture, label, self._light, normal) for normal in ((1, 0, 0), (-1, 0, 0))), height

    def _plot(self, side, index):
        dice = Dice(self._key, side + 2, index)
        road = self._road
        edge = road.right if side > 0 else road.left
        start, end = index * self.pitch, (index + 1) * self.pitch
        if not (road.free(start, 2.0) and road.free(end, 2.0)) or not road.free((start + end) / 2, 2.0):
            return Plot('open', start, end, edge.front, 0, 0.0)
        if dice.chance(self._density):
            if not self._terrace:
                start, end = start + dice.uniform(0.3, 2.0), end - dice.uniform(0.3, 2.0)
            back = 0.0 if self._terrace else dice.uniform(0, 2.5)
            design = dice.whole(0, len(self._houses) - 1)
            return Plot('house', start, end, edge.front + side * back, design, self._houses[design].height)
        kind = dice.pick(('wall', 'wall', 'fence', 'fence', 'fence', 'hedge', 'open'))
        return Plot(kind, start, end, edge.walk_outer + side * 0.15, dice.whole(0, 1), 0.0)

    def plot_at(self, side, s):
        """The plot that holds the place `s` of one side."""
        return self.plot(side, int(s // self.pitch))

    def plots(self, view):
        """Plots within reach: (side, plot), any order."""
        first, last = int(math.floor(view.s / self.pitch)) - 1, int((view.s + REACH) // self.pitch)
        return [(side, self.plot(side, index)) for side in (-1, 1) for index in range(first, last + 1)]

    def paint(self, canvas, view, side, plot):
        """Paint one plot."""
        if plot.kind == 'open':
            return
        rise = view.rise(plot.start - view.s, REACH, 60.0)
        which = 0 if side < 0 else 1
        x1, z1 = view.place(plot.start, plot.d)
        x2, z2 = view.place(plot.end, plot.d)
        if plot.kind != 'house':
            textures, height = self._low[plot.kind][plot.design]
            self._panel(canvas, view, (x1, z1), (x2, z2), height * rise, textures[which])
            return
        house = self._houses[plot.design]
        height = house.height * rise
        if house.roof:
            ridge = house.roof * rise
            points = [(x1, CURB_HEIGHT + height, z1), (x2, CURB_HEIGHT + height, z2),
                      (x2 + side * 4, CURB_HEIGHT + height + ridge, z2 - 0.3),
                      (x1 + side * 4, CURB_HEIGHT + height + ridge, z1 + 0.3)]
            self._flat(canvas, view, points, self._light.haze(house.roof_color, max(z1, 0)), BUILDING)
        if z1 > 1.0:
            back = (x1 + side * 10.0, z1)
            ends = ((x1, z1), back) if side > 0 else (back, (x1, z1))
            self._panel(canvas, view, ends[0], ends[1], height, house.gable[which])
            if house.roof:
                self._flat(canvas, view, [(x1, CURB_HEIGHT + height, z1), (x1 + side * 10, CURB_HEIGHT + height, z1),
                                          (x1 + side * 4, CURB_HEIGHT + height + house.roof * rise, z1)],
                           house.gable[which].color, BUILDING)
        self._panel(canvas, view, (x1, z1), (x2, z2), height, house.front[which])

    def _flat(self, canvas, view, points, color, label):
        if max(p[2] for p in points) > NEAR:
            if canvas.sheet:
                canvas.sheet.face(clip_near(points))
            canvas.polygon(view.pixels(points), color, label)

    def _panel(self, canvas, view, start, end, height, picture):
        """Paint an upright textured rectangle between two places (x, z)."""
        (x1, z1), (x2, z2) = start, end
        top = CURB_HEIGHT + height
        corners = [(x1, 0.0, z1), (x2, 0.0, z2), (x2, top, z2), (x1, top, z1)]
        visible = clip_near(corners)
        if not visible:
            return
        if canvas.sheet:
            canvas.sheet.face(visible)
        pixels = view.pixels(visible)
        camera = view.camera
        nearest = max(min(z1, z2), NEAR)
        across = abs(pixels[0][0] - pixels[1][0])
        tall = (top + 1.0) * camera.focal / nearest
        rows, columns = picture.levels[0].shape[:2]
        if across < 3 or tall < 12:
            canvas.polygon(pixels, self._light.haze(picture.color, nearest), picture.label)
            return
        along = np.array([(x2 - x1) / columns, 0.0, (z2 - z1) / columns])
        down = np.array([0.0, top / rows, 0.0])
        origin = np.array([x1, camera.mount - top, z1])
        matrix = camera.matrix.dot(np.stack((along, down, origin), 1))
        texels = TEXELS * nearest / camera.focal
        level = 0 if texels < 1.4 else int(math.log(texels / 0.7, 2))
        canvas.panel(pixels, picture, matrix, level)
