"""Color and class land on the same pixels; things appear where the camera says."""
import numpy as np
import pytest

from espnet_ros.scene.camera import NEAR, Camera, View, clip_near
from espnet_ros.scene.canvas import Canvas, Sprite, Texture
from espnet_ros.scene.classes import CAR, PERSON, TRAFFIC_SIGN, VEGETATION
from espnet_ros.scene.dice import Dice, mix
from espnet_ros.scene.furniture import SIGN_KINDS, sign
from espnet_ros.scene.light import Light
from espnet_ros.scene.people import paint_person, person
from espnet_ros.scene.road import Path
from espnet_ros.scene.vehicles import fleet, paint_table

CAMERA = Camera(640, 320, 600.0, 319.5, 140.0, 1.3)


class Straight(Path):
    """A road without bends."""

    def __init__(self):
        self._waves = ()


@pytest.fixture
def view():
    return View(CAMERA, Straight(), 100.0, 1.5, 0.0)


@pytest.fixture
def canvas():
    result = Canvas(640, 320)
    result.pixels[:] = (1, 2, 3, 200)
    return result


def painted(canvas):
    return canvas.pixels[..., 3] != 200


def test_each_stroke_paints_color_and_class_together(canvas):
    canvas.polygon([(10, 10), (60, 12.5), (40, 80)], (9, 8, 7), 5)
    canvas.polygons(np.array([[(100, 10), (120, 10), (120, 40), (100, 40)]], float), (9, 8, 7), 5)
    canvas.line((200, 10), (260, 70), 6, (9, 8, 7), 5)
    canvas.disc((300, 50), 12.5, (9, 8, 7), 5)
    canvas.loop([(400, 10), (450, 20), (420, 90)], 3, (9, 8, 7), 5)
    assert {tuple(p) for p in canvas.pixels[painted(canvas)]} == {(9, 8, 7, 5)}
    assert {tuple(p) for p in canvas.pixels[~painted(canvas)]} == {(1, 2, 3, 200)}
    assert painted(canvas)[25, 110] and painted(canvas)[50, 300] and not painted(canvas)[50, 350]


def test_a_panel_fills_exactly_its_polygon(canvas):
    picture = np.zeros((20, 40, 4), np.uint8)
    picture[:] = (50, 60, 70, 2)
    points = [(100.0, 200.0), (300.0, 160.0), (300.0, 60.0), (100.0, 40.0)]
    plain = Canvas(640, 320)
    plain.polygon(points, (1, 1, 1), 1)
    canvas.panel(points, Texture((picture,), (50, 60, 70), 2), np.diag([5.0, 5.0, 1.0]), 3)
    assert (painted(canvas) == (plain.pixels[..., 3] == 1)).all()
    assert {tuple(p) for p in canvas.pixels[painted(canvas)]} == {(50, 60, 70, 2)}


def test_a_sprite_covers_its_mask_and_nothing_else(canvas):
    picture = np.full((16, 16, 4), 77, np.uint8)
    picture[..., 3] = VEGETATION
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    canvas.sprite(-16.0, 100.0, 48.0, 164.0, Sprite((picture,), (mask,)))
    rows, columns = np.nonzero(painted(canvas))
    assert abs(rows.min() - 116) <= 1 and abs(rows.max() - 147) <= 1
    assert columns.min() == 0 and abs(columns.max() - 31) <= 1
    assert {tuple(p) for p in canvas.pixels[painted(canvas)]} == {(77, 77, 77, VEGETATION)}


@pytest.mark.parametrize('rectangle', [(-90, 0, -10, 50), (700, 0, 800, 50), (10, 400, 60, 450), (5, 5, 5.2, 5.2)])
def test_a_sprite_outside_paints_nothing(canvas, rectangle):
    picture = np.full((16, 16, 4), 77, np.uint8)
    canvas.sprite(*rectangle, Sprite((picture,), (picture[..., 0],)))
    assert not painted(canvas).any()


def test_a_car_covers_its_projected_box(canvas, view):
    dice = Dice(1)
    vehicle = fleet(dice)['car'][0]
    colors = vehicle.solid.colors(Light(dice, CAMERA), paint_table(dice, (10, 20, 200)), 1, vehicle.label)
    vehicle.solid.paint(canvas, view, 115.0, 1.5, 1, colors)
    assert set(np.unique(canvas.pixels[..., 3])) == {CAR, 200}
    rows, columns = np.nonzero(painted(canvas))
    near = 15.0 - vehicle.half_length
    assert rows.max() == pytest.approx(140 + 600 * 1.3 / near, abs=3)
    assert rows.min() == pytest.approx(140 + 600 * (1.3 - vehicle.height) / 14.0, abs=4)
    width = 600 * 2 * vehicle.half_width / near
    assert columns.max() - columns.min() == pytest.approx(width, rel=0.12)
    assert (columns.max() + columns.min()) / 2 == pytest.approx(319.5, abs=2)


@pytest.mark.parametrize('s', [97.0, 99.0, 101.0, 102.5])
def test_a_car_beside_the_camera_is_cut_off(canvas, view, s):
    dice = Dice(1)
    vehicle = fleet(dice)['car'][1]
    colors = vehicle.solid.colors(Light(dice, CAMERA), paint_table(dice, (10, 20, 200)), 1, vehicle.label)
    vehicle.solid.paint(canvas, view, s, 4.2, 1, colors)
    assert not painted(canvas)[:, :320].any()


@pytest.mark.parametrize('walked', [None, 0.0, 0.3, 0.6])
@pytest.mark.parametrize('forward', [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_person_stands_on_the_ground_at_full_height(canvas, view, walked, forward):
    dice = Dice(4)
    looks = person(dice, Light(dice, CAMERA))._replace(height=1.8)
    paint_person(canvas, view, 110.0, 1.5, 0.0, forward, looks, walked)
    assert set(np.unique(canvas.pixels[..., 3])) == {PERSON, 200}
    rows = np.nonzero(painted(canvas).any(1))[0]
    assert rows.max() == pytest.approx(140 + 60 * 1.3, abs=6)
    assert rows.min() == pytest.approx(140 + 60 * (1.3 - 1.8), abs=4)


def test_legs_move(view):
    dice = Dice(4)
    looks = person(dice, Light(dice, CAMERA))
    masks = []
    for walked in (0.0, 0.35):
        canvas = Canvas(640, 320)
        paint_person(canvas, view, 108.0, 1.5, 0.0, (0, 1), looks, walked)
        masks.append(canvas.pixels[..., 3] == PERSON)
    assert (masks[0] != masks[1]).sum() > 100


@pytest.mark.parametrize('kind', SIGN_KINDS)
def test_a_sign_hangs_where_its_pole_ends(canvas, view, kind):
    sign(canvas, view, 112.0, 4.0, 0.12, kind, 2.4, 0.8, (100, 100, 100), 1.0)
    rows, columns = np.nonzero(canvas.pixels[..., 3] == TRAFFIC_SIGN)
    scale = 600 / 12.0
    assert columns.mean() == pytest.approx(319.5 + 2.5 * scale, abs=3)
    assert rows.mean() == pytest.approx(140 + (1.3 - 0.12 - 2.4) * scale, abs=8)


def test_what_is_too_near_is_cut_away():
    assert clip_near([(0, 0, -1), (1, 0, -1), (1, 1, -1)]) == []
    cut = clip_near([(0.0, 0.0, NEAR - 1), (0.0, 0.0, NEAR + 1), (2.0, 0.0, NEAR + 1)])
    assert min(p[2] for p in cut) == NEAR and (0.0, 0.0, NEAR) in cut and (1.0, 0.0, NEAR) in cut


def test_dice_are_a_function_of_their_keys():
    assert mix(1, 2) != mix(2, 1) and mix(-1) == mix(2**64 - 1)
    assert [Dice(3, 4).uniform() for _ in range(2)] == [Dice(3, 4).uniform()] * 2
    dice = Dice(5)
    values = [dice.uniform(2, 4) for _ in range(2000)]
    assert 2 <= min(values) < 2.02 and 3.98 < max(values) < 4 and np.mean(values) == pytest.approx(3, abs=0.05)
    assert {dice.whole(1, 3) for _ in range(100)} == {1, 2, 3}
    assert sum(dice.chance(0.25) for _ in range(4000)) == pytest.approx(1000, abs=120)
