"""Cars, vans, trucks, buses and trams."""
import typing

from espnet_ros.scene.classes import BUS, CAR, TRAIN, TRUCK
from espnet_ros.scene.solids import Solid, block, inset, wheel

CAR_COLORS = ((225, 225, 225), (190, 190, 190), (120, 120, 118), (60, 60, 60), (35, 32, 32), (40, 40, 165),
              (150, 80, 40), (110, 60, 30), (60, 95, 60), (150, 170, 185), (70, 150, 200), (95, 60, 60))
BUS_COLORS = ((50, 60, 200), (70, 170, 225), (200, 190, 180), (160, 100, 40), (80, 150, 90), (235, 235, 235))
TRUCK_COLORS = ((230, 230, 230), (200, 200, 205), (170, 90, 40), (60, 60, 190), (70, 130, 80), (60, 170, 220))


class Vehicle(typing.NamedTuple):
    """A kind of vehicle: its class, shape, possible colors, and half its length and width (m)."""

    label: int
    solid: Solid
    colors: typing.Tuple[typing.Tuple[int, int, int], ...]
    half_length: float
    half_width: float
    height: float


def paint_table(dice, color):
    """Colors of a vehicle's parts."""
    return {'paint': color, 'glass': (62, 52, 44), 'dark': (22, 22, 22), 'tire': (26, 26, 28),
            'rim': dice.pick(((150, 150, 150), (90, 90, 90), (190, 190, 190))), 'trim': (55, 55, 55),
            'lamp_back': dice.pick(((30, 25, 150), (40, 35, 215))), 'lamp_front': (225, 235, 235),
            'plate': dice.pick(((225, 225, 225), (90, 205, 225))),
            'cargo': dice.pick(TRUCK_COLORS), 'ad': (dice.whole(30, 230), dice.whole(30, 230), dice.whole(30, 230))}


def _wheels(width, radius, axles):
    """Treads first, then the discs that go over the body."""
    treads, discs = [], []
    for z in axles:
        for sign in (-1, 1):
            outer, inner = sign * (width - 0.02), sign * (width - 0.24)
            treads += block(min(outer, inner), max(outer, inner), 0.0, radius * 1.2, z - radius * 0.6,
                            z + radius * 0.6, 'tire', sides='bf')
            discs.append(wheel(sign * (width + 0.01), radius, z, 'tire'))
            discs.append(wheel(sign * (width + 0.015), radius * 0.62, z, 'rim', True, y=radius, count=9))
    return treads, discs


def _pair(face, left, right, low, high, role):
    """Two faces on a face, one the mirror image of the other."""
    return [inset(face, left, right, low, high, role), inset(face, 1 - right, 1 - left, low, high, role)]


def _lamps(back, front, high=1.0):
    """Lamps, plates and grille on the back and the front of a body; `high` is how far up the back they reach."""
    return (_pair(back, 0.03, 0.2, 0.55 * high, 0.85 * high, 'lamp_back') +
            _pair(front, 0.03, 0.22, 0.5, 0.8, 'lamp_front') +
            [inset(back, 0.36, 0.64, 0.3 * high, 0.5 * high, 'plate', True),
             inset(back, 0.0, 1.0, 0.0, 0.2 * high, 'trim', True),
             inset(front, 0.25, 0.75, 0.4, 0.75, 'dark', True), inset(front, 0.36, 0.64, 0.12, 0.3, 'plate', True),
             inset(front, 0.0, 1.0, 0.0, 0.12, 'trim', True)])


def car(length, width, belt, roof, hood, boot, colors=CAR_COLORS):
    """A car; `hood` and `boot` are the lengths of what lies before and behind the cabin."""
    half, w = length / 2, width / 2
    treads, discs = _wheels(w, 0.32, (-half + 0.8, half - 0.85))
    faces = block(-w + 0.06, w - 0.06, 0.14, 0.4, -half + 0.2, half - 0.2, 'dark') + treads
    body = block(-w, w, 0.3, belt, -half, half, 'paint', lean=(0.04, 0.06, 0.12))
    sides = dict(zip('blrft', body))
    faces += body + _lamps(sides['b'], sides['f'])
    for side in 'lr':
        faces.append(inset(sides[side], 0.0, 1.0, 0.0, 0.14, 'trim', True))
        faces.append(inset(sides[side], 0.485, 0.495, 0.14, 1.0, 'trim', True))
    cabin = block(-w + 0.05, w - 0.05, belt, roof, -half + boot, half - hood, 'paint',
                  lean=(0.16, 0.25 + 0.25 * (boot > 0.4), 0.62))
    sides = dict(zip('blrft', cabin))
    faces += cabin
    faces += [inset(sides['b'], 0.08, 0.92, 0.15, 0.9, 'glass'), inset(sides['f'], 0.05, 0.95, 0.05, 0.92, 'glass')]
    for side in 'lr':
        faces += [inset(sides[side], 0.06, 0.47, 0.08, 0.85, 'glass'),
                  inset(sides[side], 0.51, 0.94, 0.08, 0.85, 'glass')]
    for sign in (-1, 1):
        faces += block(sign * w - 0.09, sign * w + 0.09, belt - 0.02, belt + 0.13, half - hood - 0.55,
                       half - hood - 0.4, 'paint', fine=True)
    return Vehicle(CAR, Solid(faces + discs), colors, half, w, roof)


def van(length, width, roof, label=CAR, colors=CAR_COLORS):
    """A van with a high body."""
    half, w = length / 2, width / 2
    treads, discs = _wheels(w, 0.34, (-half + 0.95, half - 0.95))
    faces = block(-w + 0.06, w - 0.06, 0.16, 0.45, -half + 0.2, half - 0.2, 'dark') + treads
    nose = block(-w, w, 0.35, 1.1, half - 1.2, half, 'paint', lean=(0.03, 0.0, 0.2))
    hull = block(-w, w, 0.35, roof, -half, half - 0.9, 'paint', lean=(0.1, 0.04, 0.7))
    sides = dict(zip('blrft', hull))
    faces += hull + nose + _lamps(sides['b'], nose[3], 0.45) + _pair(sides['b'], 0.08, 0.47, 0.55, 0.9, 'glass')
    faces += [inset(sides['f'], 0.06, 0.94, 0.5, 0.95, 'glass'), inset(sides['b'], 0.49, 0.51, 0.0, 1.0, 'trim', True),
              inset(sides['l'], 0.04, 0.26, 0.5, 0.85, 'glass'), inset(sides['r'], 0.74, 0.96, 0.5, 0.85, 'glass')]
    return Vehicle(label, Solid(faces + discs), colors, half, w, roof)


def truck(length, roof):
    """A truck with a cab and a box body."""
    half, w = length / 2, 1.22
    treads, discs = _wheels(w, 0.48, (-half + 1.2, -half + 2.3, half - 1.2))
    faces = block(-w + 0.1, w - 0.1, 0.4, 0.9, -half + 0.1, half - 0.1, 'dark') + treads
    cab = block(-w, w, 0.55, min(roof - 0.4, 2.7), half - 2.0, half, 'paint', lean=(0.05, 0.0, 0.15))
    box = block(-w, w, 0.95, roof, -half, half - 2.15, 'cargo')
    front, left, right = cab[3], cab[1], cab[2]
    sides = dict(zip('blrft', box))
    faces += box + cab + _pair(front, 0.04, 0.2, 0.08, 0.2, 'lamp_front')
    faces += [inset(front, 0.06, 0.94, 0.5, 0.92, 'glass'), inset(front, 0.2, 0.8, 0.2, 0.42, 'dark', True),
              inset(left, 0.15, 0.7, 0.5, 0.9, 'glass'), inset(right, 0.3, 0.85, 0.5, 0.9, 'glass'),
              inset(sides['b'], 0.49, 0.51, 0.0, 1.0, 'trim', True),
              inset(sides['l'], 0.15, 0.8, 0.3, 0.75, 'ad'), inset(sides['r'], 0.2, 0.85, 0.3, 0.75, 'ad')]
    bumper = block(-w, w, 0.55, 0.92, -half, -half + 0.1, 'dark', sides='b')
    faces += bumper + _pair(bumper[0], 0.03, 0.16, 0.3, 0.8, 'lamp_back')
    return Vehicle(TRUCK, Solid(faces + discs), TRUCK_COLORS, half, w, roof)


def bus(length, roof, label=BUS, colors=BUS_COLORS):
    """A bus or a tram with a band of windows."""
    half, w = length / 2, 1.25
    radius = 0.48 if label == BUS else 0.3
    treads, discs = _wheels(w, radius, (-half + 2.6, half - 2.6))
    faces = block(-w + 0.1, w - 0.1, 0.15, 0.5, -half + 0.2, half - 0.2, 'dark') + treads
    hull = block(-w, w, 0.32, roof, -half, half, 'paint', lean=(0.05, 0.08, 0.12))
    sides = dict(zip('blrft', hull))
    faces += hull
    faces += [inset(sides['b'], 0.08, 0.92, 0.52, 0.86, 'glass'), inset(sides['f'], 0.04, 0.96, 0.3, 0.82, 'glass'),
              inset(sides['f'], 0.2, 0.8, 0.86, 0.96, 'ad'), inset(sides['b'], 0.3, 0.7, 0.1, 0.45, 'trim', True)]
    faces += _pair(sides['b'], 0.04, 0.12, 0.2, 0.42, 'lamp_back')
    faces += _pair(sides['f'], 0.05, 0.2, 0.08, 0.18, 'lamp_front')
    count = max(4, int(length / 1.7))
    for side in 'lr':
        faces.append(inset(sides[side], 0.0, 1.0, 0.0, 0.1, 'trim'))
        for i in range(count):
            left = (i + 0.06) / count
            right = (i + 0.94) / count
            door = side == 'r' and i in (1, count // 2, count - 2)
            faces.append(inset(sides[side], left, right, 0.06 if door else 0.42, 0.86, 'glass'))
        faces.append(inset(sides[side], 0.2, 0.45, 0.14, 0.38, 'ad', True))
    return Vehicle(label, Solid(faces + discs), colors, half, w, roof)


def fleet(dice):
    """The kinds of vehicles of one street, by name."""
    def about(value, share=0.05):
        return value * dice.uniform(1 - share, 1 + share)
    cars = (car(about(3.9), about(1.7), about(0.88), about(1.47), 0.95, 0.12),
            car(about(4.5), about(1.78), about(0.9), about(1.43), 1.15, 0.75),
            car(about(4.6), about(1.8), about(0.92), about(1.5), 1.1, 0.1),
            car(about(4.5), about(1.86), about(1.02), about(1.72), 1.05, 0.1),
            van(about(5.1), about(1.95), about(2.1)))
    return {'car': cars, 'truck': (truck(about(7.5), about(3.2)), truck(about(9.5), about(3.6)),
                                   van(about(6.2), about(2.05), about(2.7), TRUCK, TRUCK_COLORS)),
            'bus': (bus(about(11.5), about(3.05)), bus(about(9.0), about(2.9))),
            'train': (bus(about(22.0), about(3.4), TRAIN),)}
