"""Camera pose and robot tilt from TF, parameters and an IMU."""
import math

import numpy as np
from rclpy.time import Time

try:
    import tf2_ros
except ImportError:  # not on PyPI; apt: ros-<distro>-tf2-ros-py
    tf2_ros = None

from espnet_ros.errors import ParameterError, quoted
from espnet_ros.ground.pose import CameraPose, mounted, quaternion_to_matrix, roll_pitch, turn


class Poses:
    """Answers where a camera is, for one set of parameters."""

    def __init__(self, node, settings, buffer=None):
        """buffer: a tf2_ros.Buffer; None makes one where TF is asked for and installed. Raises ParameterError."""
        self._settings = settings
        told = settings.camera_height > 0
        wants_tf = settings.pose_source == 'tf' or settings.pose_source == 'auto' and not told
        if settings.pose_source == 'parameters' and not told:
            raise ParameterError('pose_source is parameters, but camera_height is 0: set it to the meters that the '
                                 'camera is above the ground')
        if wants_tf and buffer is None and tf2_ros is None:
            raise ParameterError('no camera pose: tf2_ros is not installed; set the parameter camera_height (and '
                                 'camera_pitch), or install ROS\'s package tf2_ros_py')
        self._buffer = buffer
        self._listener = None
        if wants_tf and buffer is None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)
        self._fixed = None if wants_tf else mounted(
            settings.camera_height, math.radians(settings.camera_pitch), math.radians(settings.camera_roll),
            math.radians(settings.camera_yaw), settings.camera_x, settings.camera_y)

    @property
    def source(self):
        """What tells the pose, for diagnostics."""
        return 'TF' if self._fixed is None else 'parameters'

    def camera(self, frame, stamp):
        """Return the CameraPose of an optical frame at a builtin_interfaces Time. Raises ParameterError."""
        if self._fixed is not None:
            return self._fixed
        return CameraPose(*self._lookup(self._settings.base_frame, frame, stamp))

    def to_camera(self, frame, camera_frame, pose, stamp):
        """Return rotation [3, 3] and translation [3] from any frame to the optical one. Raises ParameterError."""
        if frame == camera_frame:
            return np.eye(3), np.zeros(3)
        if frame == self._settings.base_frame:
            return pose.rotation.T, -pose.rotation.T.dot(pose.position)
        if self._buffer is None:
            raise ParameterError('points are in the frame {}, and without TF only {} and {} are known: publish them in '
                                 'one of these, or set pose_source to tf'.format(
                                     quoted(frame), self._settings.base_frame, quoted(camera_frame)))
        return self._lookup(camera_frame, frame, stamp)

    def _lookup(self, target, source, stamp):
        try:
            found = self._buffer.lookup_transform(target, source, Time.from_msg(stamp)).transform
        except Exception as error:  # tf2's exceptions share no base in every distribution
            raise ParameterError('no transform from {} to {}: {}'.format(
                quoted(source), quoted(target), _remedy(error)))
        q, t = found.rotation, found.translation
        rotation = quaternion_to_matrix(q.x, q.y, q.z, q.w)
        position = np.array([t.x, t.y, t.z], np.float64)
        if rotation is None or not np.isfinite(position).all():
            raise ParameterError('the transform from {} to {} is no rotation and translation: look at who publishes it '
                                 '(ros2 run tf2_tools view_frames)'.format(quoted(source), quoted(target)))
        return rotation, position


def tilt_of(imu):
    """Return the tilt float64 [3, 3] in a sensor_msgs/Imu whose axes are the base frame's. Raises ParameterError."""
    if len(imu.orientation_covariance) and imu.orientation_covariance[0] == -1.0:
        raise ParameterError('imu has no orientation (its covariance says -1): run a filter such as '
                             'imu_filter_madgwick, or set use_imu to false')
    q = imu.orientation
    rotation = quaternion_to_matrix(q.x, q.y, q.z, q.w)
    if rotation is None:
        raise ParameterError('the orientation in imu is no rotation: look at the IMU\'s driver')
    roll, pitch = roll_pitch(rotation)
    return turn(roll, pitch, 0.0)


def _remedy(error):
    kind, text = type(error).__name__, ' '.join(str(error).split())[:200]
    if 'loop' in text.lower():
        return 'the tree has a loop ({}); each frame must have one parent: look at ros2 run tf2_tools ' \
               'view_frames'.format(text)
    if 'Extrapolation' in kind:
        return 'it is late or too old ({}); compare the clocks, and let its publisher run at 10 Hz or more'.format(text)
    if 'Connectivity' in kind:
        return 'the two are in trees that do not meet ({}); publish the transform between them'.format(text)
    return 'nobody publishes it ({}); start robot_state_publisher or static_transform_publisher, or set ' \
           'camera_height'.format(text)
