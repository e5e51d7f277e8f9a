"""Lens, pose and the level view agree with each other and with plain geometry."""
import math

import numpy as np
import pytest

from espnet_ros.errors import ParameterError
from espnet_ros.ground.lens import Lens, make_lens
from espnet_ros.ground.level import LevelView, trusted_range
from espnet_ros.ground.pose import OPTICAL, mounted, quaternion_to_matrix, roll_pitch, turn

LENSES = [
    Lens(640, 480, 600.0, 610.0, 315.0, 250.0),
    Lens(640, 480, 600.0, 610.0, 315.0, 250.0, 'plumb_bob', (-0.28, 0.07, 0.001, -0.0005, 0.0)),
    Lens(640, 480, 600.0, 610.0, 315.0, 250.0, 'rational_polynomial',
         (0.4, -0.1, 0.0005, 0.0002, 0.01, 0.7, 0.0, 0.02)),
    Lens(640, 480, 330.0, 330.0, 320.0, 240.0, 'equidistant', (0.02, -0.004, 0.001, -0.0002))]
K = [600.0, 0, 320.0, 0, 600.0, 240.0, 0, 0, 1.0]


@pytest.mark.parametrize('lens', LENSES, ids=lambda lens: lens.model + str(len(lens.coefficients)))
def test_rays_and_project_are_inverse(lens):
    u, v = np.meshgrid(np.linspace(5, 634, 12), np.linspace(5, 474, 9))
    rays = lens.rays(np.stack((u.ravel(), v.ravel()), 1))
    back = np.stack(lens.project(rays[:, 0], rays[:, 1]), 1)
    assert np.abs(back - np.stack((u.ravel(), v.ravel()), 1)).max() < 0.01


def test_rays_that_a_polynomial_bends_back_are_not_in_the_picture():
    lens = LENSES[1]._replace(coefficients=(-0.35, 0.05, 0.0, 0.0, 0.0))
    u, _ = lens.project(np.array([0.1, 3.0]), np.array([0.0, 0.0]))
    assert np.isfinite(u[0]) and np.isnan(u[1])


@pytest.mark.parametrize('arguments,words', [
    ((640, 480, [0.0] * 9, [], 'plumb_bob'), 'no focal length.*calibrate'),
    ((640, 480, [float('nan')] + K[1:], [], 'plumb_bob'), 'no focal length'),
    ((0, 0, K, [], 'plumb_bob'), '0x0'),
    ((640, 480, K, [0.1] * 5, 'magic'), "'magic'.*rectify"),
    ((640, 480, K, [0.1] * 3, 'plumb_bob'), '3 coefficients'),
    ((640, 480, K, [float('inf')] * 5, 'plumb_bob'), 'no numbers')])
def test_a_bad_camera_info_gets_a_sentence(arguments, words):
    with pytest.raises(ParameterError, match=words):
        make_lens(*arguments)


def test_pose_angles():
    pose = mounted(1.2, math.radians(10.0), math.radians(3.0), math.radians(-20.0), 0.5, 0.1)
    assert pose.height == 1.2
    assert math.degrees(pose.pitch) == pytest.approx(10.0)
    assert math.degrees(pose.yaw) == pytest.approx(-20.0)
    assert np.allclose(mounted(1.0).rotation, OPTICAL)
    assert mounted(1.0).level_rotation().dot((0, 0, 1.0)) == pytest.approx((1, 0, 0))


def test_quaternions():
    half = math.radians(15.0)
    matrix = quaternion_to_matrix(0.0, math.sin(half), 0.0, math.cos(half))
    assert np.allclose(matrix, turn(0.0, math.radians(30.0), 0.0))
    assert roll_pitch(matrix) == pytest.approx((0.0, math.radians(30.0)))
    assert quaternion_to_matrix(0.0, 0.0, 0.0, 0.0) is None
    assert quaternion_to_matrix(float('nan'), 0.0, 0.0, 1.0) is None


@pytest.mark.parametrize('lens', LENSES, ids=lambda lens: lens.model + str(len(lens.coefficients)))
@pytest.mark.parametrize('tilt', [(0.0, 0.0), (0.15, 0.05)])
def test_the_level_view_finds_the_pixel_of_a_place(lens, tilt):
    """Every pixel holds the row of the picture it lies in: the view gives back the row that the place projects to."""
    pose = mounted(1.4, *tilt)
    view = LevelView(lens, pose, 15.0)
    rows = np.repeat((np.arange(480) // 2).astype(np.uint8)[:, None], 640, 1)
    seen = view.look(rows)
    for ahead, left in ((5.0, 0.0), (5.0, 1.0), (9.0, -2.0), (12.0, 2.5)):
        x, y, z = view.rotation.T.dot((ahead, left, -1.4))
        u, v = lens.project(np.array([x / z]), np.array([y / z]))
        if not (2 < u[0] < 637 and 2 < v[0] < 477):
            continue
        i = int(round(float(view.column(left / ahead))))
        j = int(np.argmin(np.abs(view.inverse - 1.0 / ahead)))
        assert view.first[i] <= j <= view.last[i]
        assert abs(int(seen[i, j]) - v[0] / 2) <= 1.5
        place = view.plane_to_view().dot((ahead, left, 1.0))
        assert place[:2] / place[2] == pytest.approx((j, i), abs=1.0)


def test_the_view_ends_where_the_picture_ends(lens, view):
    # A level camera 1.35 m up sees the ground from 600 * 1.35 / 240 m on.
    assert view.distance(view.first[320]) == pytest.approx(600 * 1.35 / 240.0, rel=0.01)
    assert (view.last == len(view.inverse) - 1).all()
    # Looking 40 degrees down its upper edge ends 18.2 degrees below the horizon.
    down = LevelView(lens, mounted(1.35, math.radians(40.0)), 20.0)
    middle = len(down.tangents) // 2
    assert down.distance(down.last[middle]) == pytest.approx(1.35 / math.tan(math.radians(40 - 21.8)), rel=0.03)


@pytest.mark.parametrize('pose,words', [
    (mounted(1.35, math.radians(-60.0)), 'no ground nearer than 20 m.*pitch of -60'),
    (mounted(0.0), '0.00 m above the ground.*camera_height'), (mounted(-1.0), 'above the ground')])
def test_a_camera_that_sees_no_ground_gets_a_sentence(lens, pose, words):
    with pytest.raises(ParameterError, match=words):
        LevelView(lens, pose, 20.0)


def test_ranges_are_trusted_up_to_a_share_of_error():
    limit = trusted_range(1.35, math.radians(0.5), 0.2)
    assert (limit ** 2 + 1.35 ** 2) / 1.35 * math.radians(0.5) == pytest.approx(0.2 * limit, rel=1e-6)
    assert trusted_range(1.35, 0.0, 0.2) == math.inf
