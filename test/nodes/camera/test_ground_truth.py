"""The street's depth, lidar and odometry, as the camera node publishes them."""
import math

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from nav_msgs.msg import Odometry  # noqa: E402
from ros_process import wait_until  # noqa: E402
from sensor_msgs.msg import Image, PointCloud2  # noqa: E402

from espnet_ros.nodes.camera.ground_truth import camera_transform, pose_to_odometry  # noqa: E402
from espnet_ros.scene import Street  # noqa: E402
from espnet_ros.scene.lidar import POINT  # noqa: E402

MODULE = 'espnet_ros.nodes.camera.__main__'


def start(start_node, namespace, *parameters):
    words = ['--ros-args', '-r', '__ns:=' + namespace]
    for parameter in ('source:=street:4', 'width:=320', 'height:=160', 'rate:=5') + parameters:
        words += ['-p', parameter]
    return start_node(MODULE, *words)


def test_depth_and_labels_of_one_stamp_are_the_streets(start_node, observer):
    depths = observer.collect(Image, '/truth_a/depth/image_rect_raw')
    labels = observer.collect(Image, '/truth_a/ground_truth')
    clouds, poses = observer.collect(PointCloud2, '/truth_a/points'), observer.collect(Odometry, '/truth_a/odom')
    start(start_node, '/truth_a')

    def together():
        for depth in list(depths):
            for found in zip(*[[m for m in list(topic) if m.header.stamp == depth.header.stamp]
                               for topic in (labels, clouds, poses)]):
                return (depth,) + found
        return None
    depth, truth, cloud, odometry = wait_until(together, 60.0)
    assert (depth.encoding, depth.width, depth.height, depth.step) == ('32FC1', 320, 160, 1280)
    street = Street(320, 160, 4)
    pixels = np.frombuffer(bytes(depth.data), np.float32).reshape(160, 320)
    classes = np.frombuffer(bytes(truth.data), np.uint8).reshape(160, 320)
    number = int(round((odometry.pose.pose.position.x - street.pose(0.0).x) / street.speed * 5))
    frame = street.frame(number / 5.0, depth=True)
    assert (pixels == frame.depth).all() and (classes == frame.labels).all()
    points = np.frombuffer(bytes(cloud.data), POINT)
    assert cloud.header.frame_id == 'base_link' and cloud.height == 1
    assert (points == street.lidar(16, 0.0, number)).all()
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_link')
    assert odometry.twist.twist.linear.x == pytest.approx(street.pose(number / 5.0).speed)


def test_depth_in_millimeters(start_node, observer):
    depths = observer.collect(Image, '/truth_b/depth/image_rect_raw')
    start(start_node, '/truth_b', 'depth_encoding:=16UC1')
    depth = wait_until(lambda: depths and depths[0], 60.0)
    pixels = np.frombuffer(bytes(depth.data), np.uint16).reshape(160, 320)
    assert depth.encoding == '16UC1' and (pixels == 0).any()
    assert 2000 < np.median(pixels[-1]) < 8000


def test_pose_and_transform():
    street = Street(64, 64, 2)
    pose = street.pose(12.0)
    message = pose_to_odometry(pose, Odometry().header.stamp)
    q = message.pose.pose.orientation
    assert 2 * math.atan2(q.z, q.w) == pytest.approx(pose.yaw)
    transform = camera_transform(message.header, 'camera', 1.4).transform
    assert transform.translation.z == 1.4
    assert (transform.rotation.x, transform.rotation.y, transform.rotation.z, transform.rotation.w) == (
        -0.5, 0.5, -0.5, 0.5)
