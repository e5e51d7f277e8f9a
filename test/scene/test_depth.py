"""Exact depth agrees with the labels, with planes, and with the next picture."""
import math

import numpy as np
import pytest

from espnet_ros.scene import Street
from espnet_ros.scene.camera import Camera
from espnet_ros.scene.canvas import Canvas
from espnet_ros.scene.classes import BUILDING, FENCE, ROAD, SIDEWALK, SKY, TERRAIN, WALL
from espnet_ros.scene.depth import DepthSheet
from espnet_ros.scene.road import CURB_HEIGHT

CAMERA = Camera(640, 320, 600.0, 319.5, 140.0, 1.3)


def rays(street):
    """Camera coordinates (x, y up from the road, z) of a pixel 1 m ahead, as three arrays [H, W]."""
    matrix = street.camera_matrix
    height, width = street.frame(0.0).labels.shape
    x = (np.arange(width) - matrix[0, 2]) / matrix[0, 0]
    y = -(np.arange(height) - matrix[1, 2]) / matrix[1, 1]
    return x[None], y[:, None]


@pytest.fixture
def canvas():
    result = Canvas(CAMERA.width, CAMERA.height)
    result.sheet = DepthSheet(CAMERA)
    return result


def project(points):
    return [(CAMERA.center_x + CAMERA.focal * x / z, CAMERA.horizon + CAMERA.focal * (CAMERA.mount - y) / z)
            for x, y, z in points]


def test_a_tilted_plane_has_the_depth_of_its_equation(canvas):
    points = [(-2.0, 0.0, 6.0), (2.0, 0.0, 9.0), (2.0, 3.0, 9.6), (-2.0, 3.0, 6.6)]
    canvas.sheet.face(points)
    canvas.polygon(project(points), (1, 2, 3), WALL)
    painted = canvas.pixels[..., 3] == WALL
    depth = canvas.sheet.depth()
    assert painted.sum() > 10000 and (np.isfinite(depth) == painted).all()
    v, u = np.nonzero(painted)
    z = depth[painted].astype(float)
    x, y = (u - CAMERA.center_x) / CAMERA.focal * z, CAMERA.mount - (v - CAMERA.horizon) / CAMERA.focal * z
    inside = (np.abs(x) < 1.9) & (y > 0.05) & (y < 2.95)
    assert np.abs(z - (7.5 + 0.75 * x + 0.2 * y))[inside].max() < 1e-4
    assert z.min() >= 6.0 - 1e-5 and z.max() <= 9.6 + 1e-5


def test_level_ground_has_the_depth_of_its_row(canvas):
    canvas.sheet.level(0.2)
    canvas.polygon([(0, 100), (639, 100), (639, 319), (0, 319)], (1, 2, 3), ROAD)
    depth = canvas.sheet.depth()
    assert np.isinf(depth[:141]).all()
    rows = np.arange(141, 320)
    np.testing.assert_allclose(depth[141:, 7], 600.0 * 1.1 / (rows - 140.0), rtol=1e-6)


def test_every_stroke_marks_the_pixels_that_it_paints(canvas):
    canvas.sheet.frontal(5.0)
    canvas.line((30.3, 40.7), (90.2, 60.1), 6.4, (9, 9, 9), 1)
    canvas.disc((200.5, 80.2), 17.3, (9, 9, 9), 1)
    canvas.loop([(300.1, 50.2), (350.7, 60.3), (320.0, 110.9)], 3.0, (9, 9, 9), 1)
    canvas.polygons([np.array([(400.0, 20.0), (480.5, 30.5), (440.2, 90.1), (430.0, 40.0)])], (9, 9, 9), 1)
    canvas.polygon([(10.0, 200.0), (80.0, 210.0), (40.0, 290.0)], (9, 9, 9), 1)
    painted = canvas.pixels[..., 3] == 1
    assert painted.sum() > 5000
    assert (np.isfinite(canvas.sheet.depth()) == painted).all()


@pytest.mark.parametrize('seed', range(4))
def test_labels_and_depth_describe_one_world(seed):
    street = Street(640, 320, seed)
    frame = street.frame(6.0, depth=True)
    x, y = rays(street)
    assert frame.depth.dtype == np.float32 and frame.depth.shape == frame.labels.shape
    sky = frame.labels == SKY
    assert np.isinf(frame.depth[sky]).all()
    assert np.isfinite(frame.depth[~sky & (y < -0.005)]).all()
    height = street.mount + y * np.where(np.isfinite(frame.depth), frame.depth, 0)
    road = (frame.labels == ROAD) & np.isfinite(frame.depth)
    assert np.abs(height[road]).max() < 1e-3
    walk = (frame.labels == SIDEWALK) & np.isfinite(frame.depth)
    pixel = 1.5 * frame.depth / street.camera_matrix[0, 0]
    assert (height > -1e-3 - pixel)[walk].all() and (height < CURB_HEIGHT + 1e-3 + pixel)[walk].all()
    assert np.mean((height > -1e-3) & (height < CURB_HEIGHT + 1e-3), where=walk) > 0.95
    terrain = (frame.labels == TERRAIN) & np.isfinite(frame.depth)
    near = height[terrain]
    assert ((np.abs(near) < 1e-3) | (np.abs(near - CURB_HEIGHT) < 1e-3)).all()
    tall = np.isin(frame.labels, (BUILDING, WALL, FENCE)) & (frame.depth < 40)
    if tall.any():
        assert height[tall].min() > -0.2  # an edge's pixel reaches half a pixel below the ground


def test_depth_changes_no_pixel_and_is_not_made_unasked():
    street, other = Street(320, 160, 3), Street(320, 160, 3)
    asked, plain = street.frame(5.0, depth=True), other.frame(5.0)
    assert plain.depth is None and other.sheet is None
    assert (asked.image == plain.image).all() and (asked.labels == plain.labels).all()
    again = street.frame(5.0)
    assert again.depth is None and (again.image == plain.image).all()
    assert (street.frame(5.0, depth=True).depth == asked.depth).all()


def test_the_static_world_of_one_picture_is_found_in_the_next():
    """Fences and walls of one picture, moved by the odometry, lie where the next picture has them."""
    errors = []
    for seed in range(8):
        street = Street(640, 320, seed)
        first, second = street.frame(8.0, depth=True), street.frame(8.2, depth=True)
        a, b = street.pose(8.0), street.pose(8.2)
        x, y = rays(street)
        v, u = np.nonzero(np.isin(first.labels, (BUILDING, WALL, FENCE)) & (first.depth < 30))
        z = first.depth[v, u].astype(float)
        ahead, left = z, -x[0, u] * z
        world_x = a.x + math.cos(a.yaw) * ahead - math.sin(a.yaw) * left - b.x
        world_y = a.y + math.sin(a.yaw) * ahead + math.cos(a.yaw) * left - b.y
        ahead = math.cos(b.yaw) * world_x + math.sin(b.yaw) * world_y
        left = -math.sin(b.yaw) * world_x + math.cos(b.yaw) * world_y
        matrix = street.camera_matrix
        seen = ahead > 1
        with np.errstate(divide='ignore', invalid='ignore'):
            u2 = np.rint(matrix[0, 2] - matrix[0, 0] * left / ahead)
            v2 = np.rint(matrix[1, 2] - matrix[1, 1] * y[v, 0] * z / ahead)
        seen &= (u2 >= 0) & (u2 < 640) & (v2 >= 0) & (v2 < 320)
        u2, v2 = u2[seen].astype(int), v2[seen].astype(int)
        same = second.labels[v2, u2] == first.labels[v[seen], u[seen]]
        errors.append((second.depth[v2, u2] - ahead[seen])[same])
    errors = np.concatenate(errors)
    assert len(errors) > 20000
    assert np.percentile(np.abs(errors), 75) < 0.1 and abs(np.median(errors)) < 0.02


def test_odometry_moves_at_its_speed_and_turns_as_it_says():
    street = Street(64, 64, 2)
    for time in (0.0, 30.0):
        a, b = street.pose(time - 0.05), street.pose(time + 0.05)
        middle = street.pose(time)
        assert math.hypot(b.x - a.x, b.y - a.y) / 0.1 == pytest.approx(middle.speed, rel=0.01)
        assert (b.yaw - a.yaw) / 0.1 == pytest.approx(middle.turn, abs=1e-4)
        assert math.atan2(b.y - a.y, b.x - a.x) == pytest.approx(middle.yaw, abs=0.01)
    assert street.mount == pytest.approx(1.35, abs=0.16)


def test_a_lidar_sees_the_surfaces_of_the_picture():
    street = Street(640, 320, 3)
    frame = street.frame(6.0, depth=True)
    points = street.lidar(rings=16)
    assert len(points) > 1500 and set(np.unique(points['ring'])) <= set(range(16))
    ahead = points['x'].astype(float)
    matrix = street.camera_matrix
    u = np.rint(matrix[0, 2] - matrix[0, 0] * points['y'] / ahead).astype(int)
    v = np.rint(matrix[1, 2] - matrix[1, 1] * (points['z'] - street.mount) / ahead).astype(int)
    inside = (u >= 0) & (u < 640) & (v >= 0) & (v < 320)
    assert inside.mean() > 0.98
    road = inside.copy()
    road[inside] = frame.labels[v[inside], u[inside]] == ROAD
    assert road.sum() > 300
    off = np.abs(points['z'][road])  # a ray at a pixel's edge may take the neighbor
    assert np.percentile(off, 98) < 1e-3 and off.max() < 0.02
    close = np.abs(frame.depth[v[inside], u[inside]] - ahead[inside]) < 0.05 * ahead[inside]
    assert close.mean() > 0.98


def test_the_noise_of_a_lidar_is_that_of_its_seed_and_number():
    street = Street(320, 160, 3)
    street.frame(6.0, depth=True)
    clean, noisy, again, later = (street.lidar(8, noise, number) for noise, number in (
        (0.0, 0), (0.02, 0), (0.02, 0), (0.02, 1)))
    assert (noisy == again).all() and (noisy != later).any()
    spread = np.hypot(noisy['x'], noisy['y']) - np.hypot(clean['x'], clean['y'])
    assert 0.01 < spread.std() < 0.03
