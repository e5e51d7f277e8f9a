"""Scans of painted scenes have the ranges that the scenes were painted with."""
import math
import warnings

import numpy as np
import pytest
from ground_scenes import BICYCLE, CAR, PERSON, POLE, RIDER, ROAD, SIDEWALK, TRUCK, at_angle, paint

from espnet_ros.ground.lens import Lens
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.pose import mounted
from espnet_ros.ground.scan import CUT, FREE, OBSTACLE, UNKNOWN, Scanner
from espnet_ros.ground.vehicles import stand

BUILDING = 2


def scan_of(view, table, labels):
    scanner = Scanner(view, table)
    contacts = scanner.contacts(scanner.look(labels))
    return scanner.scan(contacts), contacts


def test_a_wall_ahead_is_at_its_distance_in_every_direction(lens, view, table):
    scan, contacts = scan_of(view, table, paint(lens, view.pose, [(BUILDING, 8.0, 100.0, 0.0, 0.0, 3.0)]))
    angles = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    assert (contacts.kind == OBSTACLE).all()
    np.testing.assert_allclose(scan.ranges, 8.0 / np.cos(angles), rtol=0.012)
    assert scan.ranges.dtype == np.float32 and scan.range_max == 20.0
    assert scan.range_min < 600 * 1.35 / 240.0


def test_free_road_is_infinite_and_nothing_else(lens, view, table):
    scan, contacts = scan_of(view, table, paint(lens, view.pose, []))
    assert np.isposinf(scan.ranges).all() and (contacts.kind == FREE).all()


def test_left_is_positive(lens, view, table):
    scan, _ = scan_of(view, table, paint(lens, view.pose, [(BUILDING, 10.0, 0.5, 2.0, 0.0, 3.0)]))
    angle = math.degrees(math.atan2(2.0, 10.0))
    assert at_angle(scan, angle) == pytest.approx(math.hypot(10, 2), rel=0.02)
    assert math.isinf(at_angle(scan, -angle)) and math.isinf(at_angle(scan, 0.0))


def test_a_person_stands_where_the_feet_are(lens, view, table):
    """Arms and head reach farther aside than the feet, over ground that lies far behind."""
    boxes = [(PERSON, 6.0, 0.12, 0.0, 0.0, 1.8), (PERSON, 6.0, 0.3, 0.0, 0.8, 1.25)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    for aside in (-0.25, -0.1, 0.0, 0.1, 0.25):
        assert at_angle(scan, math.degrees(math.atan2(aside, 6.0))) == pytest.approx(6.0, rel=0.02)
    assert math.isinf(at_angle(scan, math.degrees(math.atan2(0.5, 6.0))))


def test_a_head_alone_is_no_contact(lens, view, table):
    """What hides no ground within reach, such as a sign over the road, ends no free space."""
    scan, _ = scan_of(view, table, paint(lens, view.pose, [(POLE, 6.0, 1.0, 0.0, 2.0, 3.0)]))
    assert np.isposinf(scan.ranges).all()


def test_a_car_is_closed_between_its_wheels(lens, view, table):
    boxes = [(CAR, 8.0, 0.9, 0.0, 0.15, 1.4), (CAR, 8.0, 0.11, 0.75, 0.0, 0.4), (CAR, 8.0, 0.11, -0.75, 0.0, 0.4)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    for aside in (-0.85, -0.75, -0.4, 0.0, 0.4, 0.75, 0.85):
        assert at_angle(scan, math.degrees(math.atan2(aside, 8.0))) == pytest.approx(math.hypot(8, aside), rel=0.03)


def test_a_bumper_in_front_of_the_wheels_is_what_counts(lens, view, table):
    boxes = [(CAR, 8.0, 0.9, 0.0, 0.17, 1.4), (CAR, 8.6, 0.11, 0.75, 0.0, 0.4), (CAR, 8.6, 0.11, -0.75, 0.0, 0.4)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    for aside in (-0.85, -0.7, 0.0, 0.7, 0.85):
        assert at_angle(scan, math.degrees(math.atan2(aside, 8.0))) == pytest.approx(math.hypot(8, aside), rel=0.03)


@pytest.mark.parametrize('clearance', [0.17, 0.4])
def test_the_wheels_of_a_truck_show_how_high_it_hangs(lens, view, table, clearance):
    boxes = [(TRUCK, 9.0, 1.2, 0.0, clearance, 3.0)]
    boxes += [(TRUCK, 9.0, 0.15, aside, 0.0, 0.9) for aside in (-0.9, 0.9)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    for aside in (-1.1, -0.9, 0.0, 0.9, 1.1):
        assert at_angle(scan, math.degrees(math.atan2(aside, 9.0))) == pytest.approx(math.hypot(9, aside), rel=0.03)


def hung(inverse, tangents, *parts):
    """Contour of an outline. parts: (end as share of the directions, meters above the ground); camera 1.2 m up."""
    places = np.linspace(0.0, 1.0, len(tangents))
    hang = np.array([next(high for end, high in parts if place <= end) for place in places])
    return inverse * (1.0 - hang / 1.2)


@pytest.mark.parametrize('mirrored', [False, True])
def test_the_side_of_a_car_that_the_picture_cuts(mirrored):
    """A wheel, the sill, and the bumper behind it, which hangs higher, are on one line along the road."""
    tangents = np.linspace(0.5, 0.37, 82)
    outline = tangents / 2.36
    contour = hung(outline, tangents, (0.15, 0.17), (0.6, 0.0), (0.8, 0.17), (1.0, 0.306))
    if mirrored:
        contour, tangents, outline = contour[::-1].copy(), -tangents[::-1], outline[::-1]
    stand(contour, tangents, [(0, 82)], *np.full((2, 1), 0.17), 1.2)
    np.testing.assert_allclose(contour, outline, rtol=0.01)


def test_rear_and_side_of_a_car_meet_at_a_right_corner():
    """The rear is 5 m ahead, the side 1.9 m to the left; both turned by 6 degrees."""
    tangents = np.linspace(0.6, 0.2, 200)
    turn = math.radians(6.0)
    rear = (math.cos(turn) + tangents * math.sin(turn)) / 5.0
    side = (tangents * math.cos(turn) - math.sin(turn)) / 1.9
    outline = np.minimum(rear, side)
    corner = float((side < rear).argmax()) / 200
    contour = hung(outline, tangents, (corner, 0.17), (corner + 0.05, 0.306), (corner + 0.2, 0.0), (0.85, 0.17),
                   (0.93, 0.0), (1.0, 0.306))
    stand(contour, tangents, [(0, 200)], *np.full((2, 1), 0.17), 1.2)
    np.testing.assert_allclose(contour, outline, rtol=0.025)


def test_a_vehicle_is_never_farther_than_its_contour(lens, view, table):
    boxes = [(CAR, 7.0, 0.9, 1.5, 0.0, 1.4), (CAR, 9.0, 0.9, -0.3, 0.2, 1.4), (TRUCK, 12.0, 1.2, -3.0, 0.5, 3.0)]
    labels = paint(lens, view.pose, boxes)
    _, contacts = scan_of(view, table, labels)
    none = np.zeros(256)
    _, raw = scan_of(view, table._replace(clearance=none, clearance_max=none), labels)
    assert (contacts.row <= raw.row + 1e-9).all() and (contacts.kind == raw.kind).all()
    hit = raw.kind == OBSTACLE
    assert hit.sum() > 100 and (contacts.ranges[hit] > 0.5 * raw.ranges[hit]).all()


def test_a_cyclists_feet_are_behind_the_front_wheel(lens, view, table):
    boxes = [(BICYCLE, 6.0, 0.04, 0.0, 0.0, 0.6), (RIDER, 6.5, 0.2, 0.0, 0.3, 1.8)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    assert at_angle(scan, 0.0) == pytest.approx(6.0, rel=0.02)
    for aside in (-0.15, 0.15):
        assert at_angle(scan, math.degrees(math.atan2(aside, 6.5))) == pytest.approx(6.4, rel=0.02)


def test_two_cars_leave_the_gap_between_them_free(lens, view, table):
    boxes = [(CAR, 9.0, 0.9, aside, 0.17, 1.4) for aside in (-1.9, 1.9)]
    boxes += [(CAR, 9.0, 0.11, aside, 0.0, 0.4) for aside in (-2.65, -1.15, 1.15, 2.65)]
    scan, _ = scan_of(view, table, paint(lens, view.pose, boxes))
    assert math.isinf(at_angle(scan, 0.0)) and math.isinf(at_angle(scan, 4.0))
    assert at_angle(scan, math.degrees(math.atan2(1.9, 9.0))) == pytest.approx(math.hypot(9, 1.9), rel=0.02)


def test_a_thin_pole_is_not_missed(lens, view, table):
    for ahead in (5.0, 10.0, 15.0):
        scan, _ = scan_of(view, table, paint(lens, view.pose, [(POLE, ahead, 0.04, 0.7, 0.0, 3.0)]))
        assert np.nanmin(scan.ranges) == pytest.approx(math.hypot(ahead, 0.7), rel=0.025)


def test_what_the_lower_edge_cuts_is_as_near_as_the_nearest_ground(lens, view, table):
    scan, contacts = scan_of(view, table, paint(lens, view.pose, [(BUILDING, 2.0, 0.3, 0.0, 0.0, 2.0)]))
    middle = len(contacts.kind) // 2
    assert contacts.kind[middle] == CUT
    assert at_angle(scan, 0.0) == pytest.approx(600 * 1.35 / 240.0, rel=0.01)


def test_unknown_ground_is_nan_but_a_thin_border_is_not(lens, view, table):
    labels = paint(lens, view.pose, [(BUILDING, 8.0, 100.0, 0.0, 0.0, 3.0)])
    unknown = labels.copy()
    unknown[300:, 300:340] = 255
    scan, contacts = scan_of(view, table, unknown)
    assert math.isnan(at_angle(scan, 0.0)) and contacts.kind[len(contacts.kind) // 2] == UNKNOWN
    assert at_angle(scan, 10.0) == pytest.approx(8.0 / math.cos(math.radians(10)), rel=0.02)
    edge = int(239.5 + 600 * 1.35 / 8.0)
    labels[edge:edge + 5] = 255  # a threshold empties the border between road and wall
    scan, contacts = scan_of(view, table, labels)
    assert contacts.kind[len(contacts.kind) // 2] == OBSTACLE
    assert at_angle(scan, 0.0) == pytest.approx(7.8, abs=0.35)


def test_a_picture_that_ends_before_the_reach_says_nothing_beyond(lens, table):
    view = LevelView(lens, mounted(1.35, math.radians(40.0)), 20.0)
    scan, contacts = scan_of(view, table, np.full((480, 640), ROAD, np.uint8))
    assert np.isnan(scan.ranges).all() and (contacts.kind == UNKNOWN).all()
    nearest = float(view.distance(0))
    assert nearest < 1.0 and scan.range_min == pytest.approx(nearest * 0.99)


def test_pitch_roll_and_distortion_change_nothing_once_told(table):
    from test_geometry import LENSES
    for lens in LENSES:
        pose = mounted(1.2, 0.12, 0.04)
        view = LevelView(lens, pose, 15.0)
        scan, _ = scan_of(view, table, paint(lens, pose, [(BUILDING, 7.0, 100.0, 0.0, 0.0, 3.0)]))
        angles = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
        seen = np.abs(angles) < math.radians(18)
        assert seen.sum() > 80
        np.testing.assert_allclose(scan.ranges[seen], 7.0 / np.cos(angles[seen]), rtol=0.02)


@pytest.mark.parametrize('distance', [0.4, 0.7, 1.0, 1.5, 2.2])
def test_a_camera_that_sees_the_ground_below_itself_is_no_worse_ahead(table, distance):
    wide = Lens(640, 480, 280.0, 280.0, 319.5, 239.5)
    pose = mounted(1.2, math.radians(60.0))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        scan, _ = scan_of(LevelView(wide, pose, 20.0), table, paint(wide, pose, [(BUILDING, distance, 9, 0, 0, 3.0)]))
    assert at_angle(scan, 0.0) == pytest.approx(distance, rel=0.02)


def test_the_free_space_has_the_area_of_the_free_ground(lens, view, table):
    scanner = Scanner(view, table)
    labels = paint(lens, view.pose, [(BUILDING, 10.0, 100.0, 0.0, 0.0, 3.0)])
    corners = scanner.free_space(scanner.contacts(scanner.look(labels)))
    x, y = corners.T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    near, half = 600 * 1.35 / 240.0, 320 / 600.0
    assert area == pytest.approx(half * (10.0 ** 2 - near ** 2), rel=0.03)
    assert len(corners) < 20 and x.max() == pytest.approx(10.0, rel=0.02)


def test_a_curb_is_an_obstacle_until_the_table_says_otherwise(lens, view, table):
    labels = paint(lens, view.pose, [])
    labels[240:, :200] = SIDEWALK
    scan, _ = scan_of(view, table, labels)
    assert math.isfinite(at_angle(scan, 20.0)) and math.isinf(at_angle(scan, 0.0))
    cost = table.cost.copy()
    cost[SIDEWALK] = 20
    blocks = table.blocks.copy()
    blocks[SIDEWALK] = 0
    scan, _ = scan_of(view, table._replace(cost=cost, blocks=blocks), labels)
    assert np.isposinf(scan.ranges).all()
