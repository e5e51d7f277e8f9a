"""What stands still beside the road."""
import functools
import math

from espnet_ros.scene import furniture
from espnet_ros.scene.dice import Dice
from espnet_ros.scene.fronts import Fronts
from espnet_ros.scene.people import CLOTH_COLORS, paint_bicycle
from espnet_ros.scene.road import CURB_HEIGHT
from espnet_ros.scene.textures import jitter, tree_sprite
from espnet_ros.scene.vehicles import paint_table

_REACH = {'tree': 200.0, 'bush': 90.0, 'lamp': 140.0, 'sign': 110.0, 'parked': 130.0, 'bicycle': 50.0, 'bollard': 40.0,
          'signal': 130.0, 'grove': 160.0}


class Layout:
    """Static things of one street, a pure function of where one looks."""

    def __init__(self, dice, light, road, vehicles):
        self._light = light
        self._road = road
        self._vehicles = vehicles
        self.fronts = Fronts(dice, light, road)
        kinds = dice.pick((('tree', 'tree', 'tree'), ('tree', 'tree', 'conifer'), ('tree', 'tree', 'tree')))
        self._trees = [tree_sprite(dice, light, kind) for kind in kinds]
        self._bushes = [tree_sprite(dice, light, 'bush') for _ in range(2)]
        self._key = dice.seed()
        self._metal = light.lit(jitter(dice, dice.pick(((110, 112, 110), (60, 70, 60), (150, 152, 150), (50, 50, 52))),
                                       10), (0.0, 0.3, -1.0))
        self._tone = light.shade((0.0, 0.2, -1.0))
        self._tree_height = dice.uniform(4.5, 10.0)
        self._lamp_height = dice.uniform(5.5, 9.0)
        self._arms = dice.chance(0.5)
        self._pitch = {'tree': dice.uniform(8, 26), 'lamp': dice.uniform(24, 40), 'sign': dice.uniform(14, 30),
                       'parked': dice.uniform(6.0, 7.5), 'bush': dice.uniform(7, 18), 'bicycle': dice.uniform(18, 50),
                       'bollard': dice.uniform(2.0, 3.0), 'grove': dice.uniform(4.0, 8.0)}
        self._share = {'tree': dice.uniform(0.3, 1.0), 'lamp': 1.0, 'sign': dice.uniform(0.5, 1.0),
                       'parked': dice.uniform(0.3, 0.9), 'bush': dice.uniform(0.1, 0.6),
                       'bicycle': dice.uniform(0.2, 0.8), 'bollard': dice.pick((0.0, 0.0, 0.9)),
                       'grove': dice.uniform(0.5, 1.0)}
        self._slot = functools.lru_cache(maxsize=4096)(self._choose)

    def _choose(self, kind, side, index):
        """What stands in one slot: (s, d, painter, shadow) or None. The keys decide, nothing else."""
        dice = Dice(self._key, sorted(_REACH).index(kind), side + 2, index)
        pitch = self._pitch[kind]
        s = (index + (0.5 if kind in ('parked', 'bollard', 'lamp') else dice.uniform(0.2, 0.8))) * pitch
        margin = 8.0 if kind in ('parked', 'tree') else 1.5
        if not dice.chance(self._share[kind]) or not self._road.free(s, margin):
            return None
        edge = self._road.right if side > 0 else self._road.left
        return getattr(self, '_' + kind)(dice, side, edge, s)

    def _tree(self, dice, side, edge, s):
        planted = edge.grass_inner != edge.grass_outer
        inner = (edge.grass_inner + edge.grass_outer) / 2 if planted else edge.curb + side * 0.8
        height = self._tree_height * dice.uniform(0.75, 1.25)
        sprite = dice.pick(self._trees)

        def paint(canvas, view):
            self._cut_out(canvas, view, s, inner, height, height * 0.95, sprite, _REACH['tree'])
        return s, inner, paint, (height * 0.3, height)

    def _grove(self, dice, side, edge, s):
        if self.fronts.plot_at(side, s).kind == 'house':
            return None
        d = edge.front + side * dice.uniform(3.0, 12.0)
        height = self._tree_height * dice.uniform(0.7, 1.3)
        sprite = dice.pick(self._trees)

        def paint(canvas, view):
            self._cut_out(canvas, view, s, d, height, height * 0.95, sprite, _REACH['grove'])
        return s, d, paint, None

    def _bush(self, dice, side, edge, s):
        kind = self.fronts.plot_at(side, s).kind
        if kind != 'open' and (kind != 'house' or abs(edge.front - edge.walk_outer) < 1.0):
            return None
        d = edge.walk_outer + side * 0.7
        height = dice.uniform(0.7, 1.7)
        sprite = dice.pick(self._bushes)

        def paint(canvas, view):
            self._cut_out(canvas, view, s, d, height, height * 1.25, sprite, _REACH['bush'])
        return s, d, paint, None

    def _cut_out(self, canvas, view, s, d, height, breadth, sprite, reach):
        x, z = view.place(s, d)
        u, v = view.project(x, CURB_HEIGHT, z)
        scale = view.camera.focal / z * view.rise(z, reach)
        if canvas.sheet:
            canvas.sheet.frontal(z)
        canvas.sprite(u - breadth / 2 * scale, v - height * scale, u + breadth / 2 * scale, v, sprite)

    def _lamp(self, dice, side, edge, s):
        d, arm = edge.curb + side * 0.4, -side * 1.6

        def paint(canvas, view):
            rise = view.rise(s - view.s, _REACH['lamp'])
            furniture.lamp(canvas, view, s, d, CURB_HEIGHT, self._lamp_height * rise, arm * rise, self._metal)
        return s, d, paint, (0.1, self._lamp_height)

    def _sign(self, dice, side, edge, s):
        d = edge.curb + side * dice.uniform(0.3, 0.7)
        kind, height = dice.pick(furniture.SIGN_KINDS), dice.uniform(2.2, 2.8)
        size = dice.uniform(0.65, 0.95)
        if side < 0 and dice.chance(0.4):
            return None

        def paint(canvas, view):
            rise = view.rise(s - view.s, _REACH['sign'])
            furniture.sign(canvas, view, s, d, CURB_HEIGHT, kind, height * rise, size * rise, self._metal, self._tone)
        return s, d, paint, (0.08, height)

    def _parked(self, dice, side, edge, s):
        if not edge.parking:
            return None
        vehicle = dice.pick(self._vehicles['car'])
        if dice.chance(0.05):
            vehicle = self._vehicles['truck'][2]
        heading = side if dice.chance(0.9) else -side
        colors = vehicle.solid.colors(self._light, paint_table(dice, dice.pick(vehicle.colors)), heading, vehicle.label)
        d = edge.parking + dice.uniform(-0.1, 0.1)

        def paint(canvas, view):
            vehicle.solid.paint(canvas, view, s, d, heading, colors, view.rise(s - view.s, _REACH['parked']))
        return s, d, paint, vehicle

    def _bicycle(self, dice, side, edge, s):
        d = edge.walk_outer - side * 0.6
        color = self._light.lit(dice.pick(CLOTH_COLORS), (0.0, 0.2, -1.0))
        angle = dice.uniform(0.0, 6.28)
        forward = (math.cos(angle), math.sin(angle))

        def paint(canvas, view):
            paint_bicycle(canvas, view, s, d, CURB_HEIGHT, forward, color)
        return s, d, paint, None

    def _bollard(self, dice, side, edge, s):
        d = edge.curb + side * 0.35

        def paint(canvas, view):
            furniture.post(canvas, view, s, d, CURB_HEIGHT, 0.9, 0.12, self._metal)
        return s, d, paint, (0.06, 0.9)

    def add(self, view, stage):
        """Put everything static that `view` may see on the stage."""
        for side, plot in self.fronts.plots(view):
            x, z = view.place(plot.start, plot.d)
            if plot.end > view.s + 0.5:
                stage.add(plot.end - view.s, functools.partial(self.fronts.paint, view=view, side=side, plot=plot))
                if plot.kind == 'house' and z < 60:
                    stage.shade([(plot.start, plot.d), (plot.end, plot.d)], plot.height)
        for kind, pitch in self._pitch.items():
            first, last = int(math.floor((view.s - 8.0) / pitch)), int((view.s + _REACH[kind]) // pitch)
            for side in (-1, 1):
                for index in range(first, last + 1):
                    found = self._slot(kind, side, index)
                    if found:
                        self._show(view, stage, kind, found)
        for middle in self._road.junctions(view, _REACH['signal']):
            self._signals(view, stage, middle)

    def _show(self, view, stage, kind, found):
        s, d, paint, shadow = found
        z = s - view.s
        if kind == 'parked':
            if -shadow.half_length < z < _REACH[kind] and stage.sees(s, d, shadow.half_length):
                stage.add(max(z - shadow.half_length, 0.1), functools.partial(paint, view=view))
                stage.shade_box(s, d, shadow.half_length, shadow.half_width, shadow.height * 0.8)
            return
        if not 1.0 < z < _REACH[kind] or not stage.sees(s, d, shadow[1] if shadow else 6.0):
            return
        stage.add(z + self._behind(kind), functools.partial(paint, view=view))
        if shadow:
            stage.shade_box(s, d, shadow[0], shadow[0], shadow[1])

    def _behind(self, kind):
        """How much earlier than its distance tells a thing is painted: what grows behind a fence, behind all of it."""
        return self.fronts.pitch if kind == 'grove' else 0.0

    def _signals(self, view, stage, middle):
        s = middle - self._road.junction_half - 4.6
        z = s - view.s
        if not 1.0 < z < _REACH['signal']:
            return
        state = 2 if z < 55 else 1 if z < 62 else 0
        for edge, arm in ((self._road.right, -3.2 if self._arms else 0.0), (self._road.left, 0.0)):
            stage.add(z, functools.partial(furniture.signal, view=view, s=s, d=edge.curb + edge.sign * 0.5,
                                           y=CURB_HEIGHT, state=state, color=self._metal, arm=arm,
                                           rise=view.rise(z, _REACH['signal'])))


