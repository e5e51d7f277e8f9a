"""Labeled clouds have the points, colors and classes of what they are made from."""
import tracemalloc
import types

import numpy as np
import pytest
from ground_scenes import CAR, PERSON, ROAD, SKY

from espnet_ros.errors import ImageError
from espnet_ros.ground.cloud import POINT, CloudMaker, cloud_to_points, from_points, split, without_moving
from espnet_ros.ground.lens import Lens
from espnet_ros.ground.measure import street_lens
from espnet_ros.ground.pose import OPTICAL
from espnet_ros.scene import Street

LENS = Lens(64, 48, 50.0, 50.0, 31.5, 23.5)


@pytest.fixture(scope='module')
def street():
    street = Street(320, 160, 5)
    return street, street.frame(4.0, depth=True)


def message(points, gap):
    """A PointCloud2 of points float32 [rows, columns, 3] with a gap of some bytes between rows."""
    rows, columns, _ = points.shape
    data = np.full((rows, 12 * columns + gap), 77, np.uint8)
    data[:, :12 * columns] = points.view(np.uint8).reshape(rows, -1)
    return types.SimpleNamespace(
        fields=[types.SimpleNamespace(name=name, offset=4 * i, datatype=7) for i, name in enumerate('xyz')],
        width=columns, height=rows, point_step=12, row_step=12 * columns + gap, is_bigendian=False,
        data=data.ravel()[:data.size - gap])


@pytest.mark.parametrize('gap', [0, 5])
def test_points_of_a_message(gap):
    points = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(cloud_to_points(message(points, gap)), points.reshape(-1, 3))


def test_a_message_of_many_short_rows_takes_no_more_memory_than_its_points():
    sent = message(np.zeros((100000, 1, 3), np.float32), 4)
    tracemalloc.start()
    try:
        assert len(cloud_to_points(sent)) == 100000
        assert tracemalloc.get_traced_memory()[1] < 4 * len(sent.data)
    finally:
        tracemalloc.stop()


def test_a_cloud_has_the_geometry_color_and_class_of_its_pixels():
    depth = np.full((48, 64), 4.0, np.float32)
    labels = np.full((48, 64), ROAD, np.uint8)
    labels[10, 20] = PERSON
    image = np.zeros((48, 64, 3), np.uint8)
    image[10, 20] = (1, 2, 3)
    confidence = np.full((48, 64), 51, np.uint8)
    cloud = CloudMaker(LENS).from_depth(depth, labels, image, confidence)
    assert cloud.dtype == POINT and cloud.shape == (48, 64) and POINT.itemsize == 24
    point = cloud[10, 20]
    assert (point['x'], point['y'], point['z']) == pytest.approx((4 * (20 - 31.5) / 50, 4 * (10 - 23.5) / 50, 4.0))
    assert point['rgb'] == 0x030201 and point['label'] == PERSON and point['confidence'] == pytest.approx(0.2)
    assert cloud[0, 0]['label'] == ROAD and cloud[0, 0]['rgb'] == 0


@pytest.mark.parametrize('kind,scale', [(np.float32, 1.0), (np.uint16, 1000.0)])
def test_pixels_without_depth_are_nan(kind, scale):
    depth = np.full((48, 64), 2.0 * scale, kind)
    depth[0, 0] = 0
    if kind is np.float32:
        depth[0, 1:4] = np.nan, np.inf, -1.0
    cloud = CloudMaker(LENS).from_depth(depth, np.zeros((48, 64), np.uint8))
    assert np.isnan(cloud['z'][0, 0]) and np.isnan(cloud['x'][0, 0]) and cloud['z'][5, 5] == pytest.approx(2.0)
    assert np.isnan(cloud['z']).sum() == (4 if kind is np.float32 else 1)
    with pytest.raises(ImageError, match='32FC1'):
        CloudMaker(LENS).from_depth(depth.astype(np.float64), np.zeros((48, 64), np.uint8))


def test_any_size_is_sampled_at_pixel_centers(street):
    street, frame = street
    lens = street_lens(street, 320, 160)
    full, half = CloudMaker(lens).from_depth(frame.depth, frame.labels), CloudMaker(lens, 160, 80).from_depth(
        frame.depth, frame.labels)
    assert half.shape == (80, 160)
    seen = np.isfinite(half['z'])
    assert (half['label'] == full['label'][1::2, 1::2]).all()
    rays = half['x'][seen] / half['z'][seen]
    between = (np.arange(160) * 2 + 0.5 - lens.cx) / lens.fx
    assert np.abs(rays - np.broadcast_to(between, half.shape)[seen]).max() < 1e-5


def test_the_cloud_of_a_street_carries_the_truth(street):
    street, frame = street
    cloud = CloudMaker(street_lens(street, 320, 160)).from_depth(frame.depth, frame.labels)
    road = cloud[(frame.labels == ROAD) & np.isfinite(frame.depth)]
    assert np.abs(road['y'] - street.mount).max() < 2e-3  # optical y is down: the road lies the mount's height below
    assert np.mean(cloud['label'] == frame.labels) == 1.0


def test_points_of_a_lidar_keep_their_place_and_get_the_class_of_their_pixel(street):
    street, frame = street
    lens = street_lens(street, 320, 160)
    whole = CloudMaker(lens).from_depth(frame.depth, frame.labels)
    pick = whole[np.isfinite(whole['z'])][::37]
    optical = np.stack([pick[name] for name in 'xyz'], 1)
    base = optical.dot(OPTICAL.T) + (0.0, 0.0, street.mount)
    rotation = OPTICAL.T
    labeled = from_points(base, rotation, -rotation.dot((0.0, 0.0, street.mount)), lens, frame.labels)
    assert len(labeled) == len(pick)
    assert np.mean(labeled['label'] == pick['label']) > 0.999
    assert np.abs(np.stack([labeled[name] for name in 'xyz'], 1) - base).max() < 1e-5
    behind = from_points(np.array([[-5.0, 0.0, 1.0], [np.nan, 0.0, 0.0]]), rotation, np.zeros(3), lens, frame.labels)
    assert len(behind) == 0


def test_ground_and_obstacles(table):
    points = np.zeros(7, POINT)
    points['x'] = 5.0
    points['z'] = (0.0, 0.25, 1.0, 0.5, 4.0, 0.1, 1.0)
    points['label'] = (ROAD, ROAD, ROAD, CAR, CAR, SKY, 255)
    result = split(points, table, np.eye(3), 0.0)
    assert result.ground['z'].tolist() == pytest.approx([0.0, 0.25])
    assert result.obstacles['z'].tolist() == pytest.approx([1.0, 0.5])


def test_what_moves_has_no_depth(table):
    depth = np.full((48, 64), 3000, np.uint16)
    labels = np.full((48, 64), ROAD, np.uint8)
    labels[20:24, 30:34] = PERSON
    result = without_moving(depth, labels, table, margin=2)
    assert result.dtype == np.uint16 and (result == 0).sum() == 8 * 8 and (result[18:26, 28:36] == 0).all()
    assert (depth == 3000).all()
    with pytest.raises(ImageError, match='64x48 and the labels 63x48.*output_size'):
        without_moving(depth, labels[:, 1:], table)
