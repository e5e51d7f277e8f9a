"""What the synthetic street knows besides its labels: depth, lidar, odometry and transforms."""
import copy
import math

import numpy as np
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not on PyPI
    TFMessage = None

from espnet_ros.nodes.common.geometry_messages import depth_to_image, points_to_cloud

BASE, ODOM = 'base_link', 'odom'
"""Frames: on the ground below the camera, and where the drive began."""
_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class GroundTruth:
    """Publishes it beside the images, each topic computed for subscribers only.

    The lidar is where the camera is; its points are in base_link. Depth is in the camera's frame, along the optical
    axis.
    """

    def __init__(self, node, source, settings):
        """source: a Source with `mount`. settings: CameraParameters."""
        self._source = source
        source.lidar = (settings.lidar_rings, settings.lidar_noise)
        self._millimeters = settings.depth_encoding == '16UC1'
        self._depth = node.create_publisher(Image, 'depth/image_rect_raw', _QOS)
        self._points = node.create_publisher(PointCloud2, 'points', _QOS)
        self._odometry = node.create_publisher(Odometry, 'odom', _QOS)
        self._transforms = None
        if TFMessage is None:
            node.get_logger().info('tf2_msgs is not installed, so {} -> {} is not on /tf_static; the camera is level, '
                                   '{:.3f} m up'.format(BASE, settings.frame_id, source.mount))
        else:
            self._transforms = node.create_publisher(TFMessage, '/tf', _QOS)
            self._static = node.create_publisher(TFMessage, '/tf_static', _LATCHED)
            self._static.publish(TFMessage(transforms=[camera_transform(
                Header(frame_id=BASE, stamp=node.get_clock().now().to_msg()), settings.frame_id, source.mount)]))
        self._ask()

    def _ask(self):
        """Tell the source what its next pictures shall come with."""
        self._source.wants = frozenset(name for name, publisher in (('depth', self._depth), ('points', self._points))
                                       if publisher.get_subscription_count())

    def publish(self, capture, header):
        """Publish what a Capture holds, with the stamp of `header`."""
        if capture.depth is not None:
            self._depth.publish(depth_to_image(self._encoded(capture.depth), header))
        if capture.points is not None:
            self._points.publish(points_to_cloud(capture.points, Header(frame_id=BASE, stamp=header.stamp)))
        if self._odometry.get_subscription_count():
            self._odometry.publish(pose_to_odometry(capture.pose, header.stamp))
        if self._transforms is not None:
            found = pose_to_odometry(capture.pose, header.stamp)
            transform = TransformStamped(header=copy.deepcopy(found.header), child_frame_id=BASE)
            transform.transform.translation.x = found.pose.pose.position.x
            transform.transform.translation.y = found.pose.pose.position.y
            transform.transform.rotation = found.pose.pose.orientation
            self._transforms.publish(TFMessage(transforms=[transform]))
        self._ask()

    def _encoded(self, depth):
        if not self._millimeters:
            return depth
        with np.errstate(invalid='ignore'):
            return np.where(depth < 65.535, np.rint(depth * 1000.0), 0).astype(np.uint16)


def pose_to_odometry(pose, stamp):
    """Return a scene StreetPose as nav_msgs/Odometry of base_link in odom, its twist in base_link."""
    message = Odometry(header=Header(frame_id=ODOM, stamp=stamp), child_frame_id=BASE)
    message.pose.pose.position.x, message.pose.pose.position.y = pose.x, pose.y
    message.pose.pose.orientation.z, message.pose.pose.orientation.w = math.sin(pose.yaw / 2), math.cos(pose.yaw / 2)
    message.twist.twist.linear.x, message.twist.twist.angular.z = pose.speed, pose.turn
    return message


def camera_transform(header, frame, mount):
    """Return the geometry_msgs/TransformStamped to the optical frame of a level camera `mount` meters up."""
    transform = TransformStamped(header=header, child_frame_id=frame)
    transform.transform.translation.z = float(mount)
    q = transform.transform.rotation
    q.x, q.y, q.z, q.w = -0.5, 0.5, -0.5, 0.5
    return transform
