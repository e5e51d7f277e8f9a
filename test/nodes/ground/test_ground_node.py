"""The ground node's outputs, from outside: contents, stamps, frames; and a sentence for each bad input."""
import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from geometry_msgs.msg import PolygonStamped  # noqa: E402
from ground_rig import GroundRig, ranges_of  # noqa: E402
from ground_scenes import CONFIG  # noqa: E402
from nav_msgs.msg import OccupancyGrid, Odometry  # noqa: E402
from ros_process import wait_until  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, Imu, LaserScan, PointCloud2, PointField  # noqa: E402

from espnet_ros.ground.cloud import POINT  # noqa: E402
from espnet_ros.ground.level import LevelView  # noqa: E402
from espnet_ros.ground.measure import street_lens  # noqa: E402
from espnet_ros.ground.pose import mounted  # noqa: E402
from espnet_ros.ground.scan import Scanner  # noqa: E402
from espnet_ros.ground.traversability import ground_table, read_traversability  # noqa: E402
from espnet_ros.labels import CITYSCAPES  # noqa: E402
from espnet_ros.nodes.common.geometry_messages import depth_to_image, points_to_cloud  # noqa: E402
from espnet_ros.nodes.common.messages import array_to_image  # noqa: E402


@pytest.fixture
def rig(ros_domain, ros_context):
    """Function that starts a GroundRig; all are closed when the test ends."""
    rigs = []

    def start(*parameters, **options):
        rigs.append(GroundRig(ros_domain, ros_context, *parameters, **options))
        return rigs[-1]
    yield start
    for found in rigs:
        found.close()


def points_of(cloud):
    return np.frombuffer(bytes(cloud.data), POINT).reshape(cloud.height, cloud.width)


def test_scan_grid_and_polygon_come_with_the_stamp_of_the_labels(rig):
    rig = rig()
    scans, grids = rig.collect(LaserScan, 'scan'), rig.collect(OccupancyGrid, 'grid')
    polygons = rig.collect(PolygonStamped, 'free_space')
    rig.ready('labels', 'camera_info')
    scan = rig.until(scans, 'camera_info')
    angles, ranges = ranges_of(scan)
    assert scan.header.frame_id == 'camera_foot' and scan.range_max <= 20.0 and angles[0] < 0 < angles[-1]
    view = LevelView(street_lens(rig.street, 320, 160), mounted(rig.street.mount), scan.range_max)
    scanner = Scanner(view, ground_table(read_traversability(CONFIG), {c.id: c.name for c in CITYSCAPES.classes}))
    expected = scanner.scan(scanner.contacts(scanner.look(rig.frame.labels)))
    assert np.isfinite(expected.ranges).sum() > 100 and np.isinf(expected.ranges).sum() > 50
    np.testing.assert_allclose(ranges, expected.ranges, rtol=1e-5)
    np.testing.assert_allclose(angles[[0, -1]], [expected.angle_min, scan.angle_max], atol=1e-5)
    grid = rig.until(grids, 'camera_info')
    assert grid.header.frame_id == 'base_link' and (grid.info.width, grid.info.height) == (300, 300)
    data = np.array(grid.data).reshape(300, 300)
    assert data[150, 160] == -1 and 0 <= data[150, 200] < 50 and data[150, 100] == -1
    polygon = rig.until(polygons, 'camera_info').polygon.points
    assert len(polygon) >= 4 and max(p.x for p in polygon) <= 20.01 and min(p.x for p in polygon) > 1.0


def test_clouds_and_static_depth(rig):
    rig = rig()
    clouds, statics = rig.collect(PointCloud2, 'points'), rig.collect(Image, 'depth_static')
    grounds, obstacles = rig.collect(PointCloud2, 'ground_points'), rig.collect(PointCloud2, 'obstacle_points')
    rig.ready('labels', 'camera_info', 'depth', 'image')
    cloud = rig.until(clouds, 'camera_info', 'depth', 'image')
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (320, 160, 24, 7680)
    assert [(f.name, f.offset, f.datatype) for f in cloud.fields] == [
        ('x', 0, PointField.FLOAT32), ('y', 4, PointField.FLOAT32), ('z', 8, PointField.FLOAT32),
        ('rgb', 12, PointField.UINT32), ('label', 16, PointField.UINT32), ('confidence', 20, PointField.FLOAT32)]
    assert cloud.header.frame_id == 'camera'
    points = points_of(cloud)
    assert (points['label'] == rig.frame.labels).all()
    seen = np.isfinite(rig.frame.depth)
    assert np.abs(points['z'] - rig.frame.depth)[seen].max() == 0 and np.isnan(points['z'][~seen]).all()
    b, g, r = (rig.frame.image[..., i].astype(np.uint32) for i in range(3))
    assert (points['rgb'] == (r << 16 | g << 8 | b)).all()
    ground = points_of(rig.until(grounds, 'camera_info', 'depth', 'image'))
    assert ground.shape[0] == 1 and set(np.unique(ground['label'])) == {0}
    assert np.abs(ground['y'] - rig.street.mount).max() < 0.3
    labels = set(np.unique(points_of(rig.until(obstacles, 'camera_info', 'depth', 'image'))['label']))
    assert 0 not in labels and 10 not in labels and labels
    static = rig.until(statics, 'camera_info', 'depth')
    depth = np.frombuffer(bytes(static.data), np.float32).reshape(160, 320)
    moving = np.isin(rig.frame.labels, range(11, 19))
    assert moving.any() and (depth[moving] == 0).all() and static.encoding == '32FC1'


def test_points_of_a_lidar_are_labeled_where_they_are(rig):
    rig = rig()
    clouds = rig.collect(PointCloud2, 'points')
    rig.ready('labels', 'camera_info', 'points')
    sent = np.zeros(3, np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4')]))
    sent['x'], sent['z'] = (8.0, 8.0, -8.0), (0.0, 0.0, 0.0)
    sent['y'] = (0.0, 0.5, 0.0)

    def lidar(header):
        cloud = points_to_cloud(sent, header)
        cloud.header = type(header)(stamp=header.stamp, frame_id='base_link')
        return cloud
    cloud = rig.until(clouds, 'camera_info', points=lidar)
    points = points_of(cloud)[0]
    assert cloud.header.frame_id == 'base_link' and len(points) == 2
    assert np.abs(points['x'] - 8.0).max() < 1e-3 and points['y'].tolist() == pytest.approx([0.0, 0.5])
    matrix = rig.street.camera_matrix
    row = int(round(matrix[1, 2] + matrix[1, 1] * rig.street.mount / 8.0))
    assert points['label'][0] == rig.frame.labels[row, int(round(matrix[0, 2]))]


def test_the_grid_stands_in_the_frame_of_the_odometry(rig):
    rig = rig('camera_height:=1.3')
    grids = rig.collect(OccupancyGrid, 'grid')
    rig.ready('labels', 'camera_info', 'odom')

    def odom(header):
        message = Odometry(child_frame_id='base_link')
        message.header.stamp, message.header.frame_id = header.stamp, 'odom'
        message.pose.pose.position.x, message.pose.pose.orientation.w = 1000.0, 1.0
        return message
    grid = rig.until(grids, 'camera_info', odom=odom)
    assert grid.header.frame_id == 'odom'
    assert grid.info.origin.position.x == pytest.approx(985.0, abs=0.2)


def test_max_rate_leaves_label_images_out(rig):
    rig = rig('camera_height:=1.3', 'max_rate:=0.01')
    scans = rig.collect(LaserScan, 'scan')
    rig.ready('labels', 'camera_info')
    first = rig.until(scans, 'camera_info')
    for _ in range(10):
        rig.publish('camera_info')
        time.sleep(0.1)
    assert [scan.header.stamp for scan in scans] == [first.header.stamp]


def test_an_overlay_waits_for_its_image(rig):
    rig = rig()
    overlays = rig.collect(Image, 'overlay')
    rig.ready('labels', 'camera_info', 'image')
    sent = []

    def came():
        header = rig.header()
        sent.append(header.stamp)
        rig.send(header, 'camera_info', 'labels')
        time.sleep(0.3)
        rig.send(header, 'image')
        return [message for message in overlays if message.header.stamp in sent]
    assert wait_until(came)[0].height == rig.frame.labels.shape[0]


def test_an_imu_corrects_the_pitch(rig):
    rig = rig('camera_height:=1.3', 'use_imu:=true')
    scans = rig.collect(LaserScan, 'scan')
    rig.ready('labels', 'camera_info', 'imu')

    def imu(header, pitch=0.0):
        message = Imu(header=header)
        message.orientation.y, message.orientation.w = np.sin(pitch / 2), np.cos(pitch / 2)
        return message
    level = ranges_of(rig.until(scans, 'camera_info', imu=imu))[1]
    down = ranges_of(rig.until(scans, 'camera_info', imu=lambda header: imu(header, np.radians(4.0))))[1]
    assert np.nanmin(down) < 0.9 * np.nanmin(level)
    rig.wait_for_problem('imu has no orientation', 'camera_info', imu=lambda header: _no_orientation(header))


def _no_orientation(header):
    message = Imu(header=header)
    message.orientation_covariance[0] = -1.0
    return message


def blank_info(header):
    return CameraInfo(header=header, width=320, height=160)


def small_info(header):
    info = blank_info(header)
    info.width = 640
    return info


def test_each_bad_input_gets_a_sentence_and_nothing_is_published(rig):
    rig = rig()
    scans, clouds = rig.collect(LaserScan, 'scan'), rig.collect(PointCloud2, 'points')
    rig.ready('labels', 'camera_info', 'depth', 'points')
    rig.wait_for_problem('no camera_info has come on')
    rig.wait_for_problem('camera_info has no focal length', camera_info=blank_info)
    rig.wait_for_problem('labels are 320x160 and camera_info 640x160', camera_info=small_info)
    rig.wait_for_problem('labels have the encoding \'rgb8\'', 'camera_info', labels=lambda header: array_to_image(
        rig.frame.image, 'rgb8', header))
    assert not scans and not clouds
    rig.wait_for_problem('neither depth nor a cloud has come', 'camera_info')
    rig.wait_for_problem('depth is 160x80 and the labels 320x160', 'camera_info', depth=lambda header: depth_to_image(
        rig.frame.depth[::2, ::2], header))
    rig.wait_for_problem('no valid pixel', 'camera_info', depth=lambda header: depth_to_image(
        np.full((160, 320), np.nan, np.float32), header))
    rig.wait_for_problem('no depth within 0.05 s', 'camera_info')
    assert scans and not clouds
    status = rig.wait_for_problem('no depth within 0.05 s', 'camera_info')
    assert status.level == b'\x01' and 'sync_slop' in status.message


def test_a_cloud_without_fields_or_in_an_unknown_frame(rig):
    rig = rig()
    clouds = rig.collect(PointCloud2, 'points')
    rig.ready('labels', 'camera_info', 'points')
    rig.wait_for_problem('no float field x', 'camera_info', points=lambda header: PointCloud2(
        header=header, width=10, height=1, point_step=12))
    rig.wait_for_problem('points are in the frame', 'camera_info', points=lambda header: points_to_cloud(
        np.zeros(3, POINT), type(header)(stamp=header.stamp, frame_id='lidar')))
    assert not clouds


def test_without_a_camera_pose_it_does_not_start(rig):
    rig = rig('camera_height:=0.0')
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        rig.process.wait_for('no camera pose: tf2_ros is not installed; set the parameter camera_height')
        rig.process.wait_for('not started')
    else:
        pytest.skip('tf2_ros is installed here')


def test_a_camera_that_sees_no_ground_and_a_missing_label_map(rig):
    upward = rig('camera_height:=1.3', 'camera_pitch:=-60.0')
    scans = upward.collect(LaserScan, 'scan')
    upward.ready('labels', 'camera_info')
    upward.wait_for_problem('no ground nearer than', 'camera_info')
    assert not scans
    unnamed = rig(label_map=False)
    scans = unnamed.collect(LaserScan, 'scan')
    unnamed.ready('labels', 'camera_info')
    unnamed.wait_for_problem('no label map has come on', 'camera_info')
    assert not scans


def test_without_subscribers_it_listens_to_nothing_and_it_ends_cleanly(rig):
    rig = rig()
    rig.wait_for_problem('idle: nobody subscribes')
    assert not any(publisher.get_subscription_count() for publisher in rig._publishers.values())
    rig.process.stop(seconds=10.0)
