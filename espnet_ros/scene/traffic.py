"""Everyone who moves: traffic in the lanes, cyclists, people on the pavements and on crossings."""
import functools
import math
import typing

from espnet_ros.scene.dice import Dice
from espnet_ros.scene.people import CLOTH_COLORS, paint_bicycle, paint_motorcycle, paint_person, paint_rider, person
from espnet_ros.scene.road import CURB_HEIGHT
from espnet_ros.scene.vehicles import CAR_COLORS, paint_table

_CROSSING_REACH = 120.0


class Flow(typing.NamedTuple):
    """Slots that move along the road together: `pitch` (m) apart at `speed` (m/s, signed), filled by `share`."""

    kind: str
    key: int
    d: float
    direction: int
    speed: float
    pitch: float
    share: float
    reach: float


class Traffic:
    """The moving things of one street, a pure function of time."""

    def __init__(self, dice, light, road, vehicles, ego_speed):
        self._light = light
        self._road = road
        self._vehicles = vehicles
        self._ego_speed = ego_speed
        self._key = dice.seed()
        self._heavy = dice.uniform(0.08, 0.3)
        self._tram = dice.chance(0.2)
        self._flows = self._vehicle_flows(dice) + self._people_flows(dice)
        self._crossers = dice.whole(0, 3)
        self._choose = functools.lru_cache(maxsize=2048)(self._choice)

    def _vehicle_flows(self, dice):
        flows = []
        for i, lane in enumerate(self._road.lanes):
            if lane.direction > 0 and lane.center == self._road.ego:
                flows.append(Flow('lead', i, lane.center, 1, self._ego_speed, dice.uniform(17, 30), 0.8, 150.0))
            else:
                speed = lane.direction * self._ego_speed * dice.uniform(0.75, 1.15)
                pitch = dice.uniform(32, 42) if self._tram and lane.direction < 0 else dice.uniform(14, 30)
                flows.append(Flow('lane', i, lane.center, lane.direction, speed, pitch, dice.uniform(0.4, 0.9), 150.0))
        for i, direction in enumerate((1, -1)):
            d = direction * (self._road.edge - 0.35)
            flows.append(Flow('cycle', 20 + i, d, direction, direction * dice.uniform(4.0, 5.5),
                              dice.uniform(12, 30), dice.uniform(0.5, 0.95), 90.0))
        return flows

    def _people_flows(self, dice):
        flows = []
        pitch = dice.uniform(4.0, 11.0)
        for i, side in enumerate((self._road.right, self._road.left)):
            inner, outer = sorted((abs(side.grass_outer) + 0.7, abs(side.walk_outer) - 0.4))
            for j, direction in enumerate((1, -1)):
                d = side.sign * (inner + (outer - inner) * (0.25 + 0.5 * j))
                flows.append(Flow('walk', 40 + 2 * i + j, d, direction, direction * dice.uniform(1.0, 1.6),
                                  pitch * 1.5, dice.uniform(0.5, 1.0), 100.0))
            flows.append(Flow('stand', 50 + i, side.sign * (inner + 0.1), -side.sign, 0.0, pitch * 3, 0.6, 80.0))
        return flows

    def _choice(self, flow, index):
        """Who is in one slot of a flow: (offset along, offset aside, looks...) or None."""
        dice = Dice(self._key, flow.key, index)
        if not dice.chance(flow.share):
            return None
        if flow.kind in ('lane', 'lead'):
            return self._choose_vehicle(dice, flow)
        if flow.kind == 'cycle':
            looks = person(dice, self._light)._replace(height=dice.uniform(1.6, 1.9))
            color = self._light.lit(dice.pick(CLOTH_COLORS), (0.0, 0.2, -1.0))
            helmet = color if dice.chance(0.5) else None
            return dice.uniform(-3, 3), dice.uniform(-0.2, 0.2), 'bicycle', looks, color, helmet
        return (dice.uniform(-0.4, 0.4) * flow.pitch, dice.uniform(-0.3, 0.3), person(dice, self._light),
                dice.uniform(0, 6.28))

    def _choose_vehicle(self, dice, flow):
        along = dice.uniform(-0.12, 0.12) * flow.pitch
        aside = dice.uniform(-0.25, 0.25)
        if dice.chance(0.17):
            color = self._light.lit(dice.pick(CAR_COLORS), (0.0, 0.2, -1.0))
            return along, aside, 'motorcycle', person(dice, self._light)._replace(height=1.78), color, color
        tram = self._tram and flow.direction < 0 and flow.kind == 'lane'
        kind = 'car'
        if flow.pitch > 18 and dice.chance(0.35 if tram else self._heavy):
            kind = 'train' if tram else dice.pick(('truck', 'bus'))
        vehicle = dice.pick(self._vehicles[kind])
        colors = vehicle.solid.colors(self._light, paint_table(dice, dice.pick(vehicle.colors)), flow.direction,
                                      vehicle.label)
        return along, aside, vehicle, colors

    def add(self, view, stage):
        """Put everyone whom `view` may see on the stage."""
        for flow in self._flows:
            base = view.s + 1.0 if flow.kind == 'lead' else flow.speed * view.time
            first = int(math.floor((view.s - 14 - base) / flow.pitch))
            last = int((view.s + flow.reach - base) // flow.pitch) + 1
            if flow.kind == 'lead':
                first = 1
            for index in range(first, last + 1):
                found = self._choose(flow, index)
                if found:
                    sway = 1.8 * math.sin(0.35 * view.time + index * 1.3) if flow.kind == 'lead' else 0.0
                    self._show(view, stage, flow, found, base + index * flow.pitch + found[0] + sway)
        for middle in self._road.junctions(view, _CROSSING_REACH + 10.0):
            self._cross(view, stage, middle)

    def _show(self, view, stage, flow, found, s):
        z, d = s - view.s, flow.d + found[1]
        if flow.kind in ('walk', 'stand'):
            if 1.2 < z < flow.reach and stage.sees(s, d, 1.0):
                self._show_person(view, stage, flow, found, s, d, z)
        elif isinstance(found[2], str):
            if 1.5 < z < flow.reach and stage.sees(s, d, 1.5):
                self._show_cycle(view, stage, flow, found, s, d, z)
        else:
            vehicle, colors = found[2:]
            if -vehicle.half_length < z < flow.reach and stage.sees(s, d, vehicle.half_length):
                stage.add(max(z - vehicle.half_length, 0.1), functools.partial(
                    vehicle.solid.paint, view=view, s=s, d=d, heading=flow.direction, colors=colors,
                    rise=view.rise(z, flow.reach)))
                stage.shade_box(s, d, vehicle.half_length, vehicle.half_width, vehicle.height * 0.8)

    def _show_person(self, view, stage, flow, found, s, d, z):
        _, _, looks, angle = found
        stands = flow.kind == 'stand'
        forward = (math.cos(angle), math.sin(angle)) if stands else (flow.direction, 0.0)
        walked = None if stands else flow.speed * view.time * flow.direction
        y = CURB_HEIGHT if self._road.free(s, 0.0) else 0.0
        looks = looks._replace(height=looks.height * view.rise(z, flow.reach))
        stage.add(z, functools.partial(paint_person, view=view, s=s, d=d, y=y, forward=forward, looks=looks,
                                       walked=walked))
        stage.shade_box(s, d, 0.15, 0.2, looks.height)

    def _show_cycle(self, view, stage, flow, found, s, d, z):
        _, _, kind, looks, color, helmet = found
        forward = (flow.direction, 0.0)
        pedalled = flow.speed * view.time * flow.direction / 0.8 if kind == 'bicycle' else None
        painter = paint_bicycle if kind == 'bicycle' else paint_motorcycle

        def paint(canvas):
            first = forward[0] < 0
            if first:
                paint_rider(canvas, view, s, d, 0.0, forward, looks, pedalled, helmet)
            painter(canvas, view, s, d, 0.0, forward, color)
            if not first:
                paint_rider(canvas, view, s, d, 0.0, forward, looks, pedalled, helmet)
        stage.add(z, paint)
        stage.shade_box(s, d, 0.8, 0.25, 1.5)

    def _cross(self, view, stage, middle):
        """People at a crossing ahead: they wait, cross while we are still far away, and stand on the other side."""
        dice = Dice(self._key, 77, int(round(middle * 10)))
        start, end = self._road.left.curb - 1.0, self._road.right.curb + 1.0
        for _ in range(dice.whole(0, self._crossers)):
            looks, distance, way = person(dice, self._light), dice.uniform(68, 85), dice.pick((-1, 1))
            s = middle - self._road.junction_half - 2.5 + dice.uniform(-1.0, 1.0)
            z = s - view.s
            rise = view.rise(z, _CROSSING_REACH)
            if z < 1.5 or not rise:
                continue
            share = min(max((distance - z) / 50.0, 0.0), 1.0)
            d = start + (end - start) * (share if way > 0 else 1 - share)
            y = 0.0 if self._road.left.curb < d < self._road.right.curb else CURB_HEIGHT
            walked = share * (end - start) if 0 < share < 1 else None
            stage.add(z, functools.partial(paint_person, view=view, s=s, d=d, y=y, forward=(0.0, way),
                                           looks=looks._replace(height=looks.height * rise), walked=walked))
            stage.shade_box(s, d, 0.2, 0.15, looks.height)
