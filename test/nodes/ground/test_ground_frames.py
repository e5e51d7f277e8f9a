"""Camera pose from TF and parameters, and what is said when it is not there."""
import re
import types

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from ground_scenes import CONFIG  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import CameraInfo  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from espnet_ros.errors import ParameterError  # noqa: E402
from espnet_ros.ground.pose import OPTICAL  # noqa: E402
from espnet_ros.nodes.common.messages import array_to_image  # noqa: E402
from espnet_ros.nodes.ground import node as node_module  # noqa: E402
from espnet_ros.nodes.ground.frames import Poses  # noqa: E402
from espnet_ros.nodes.ground.node import GroundNode  # noqa: E402
from espnet_ros.nodes.ground.processing import OUTPUTS, Processing  # noqa: E402
from espnet_ros.nodes.ground.settings import GroundParameters  # noqa: E402

DEFAULTS = GroundParameters()


class LookupException(Exception):
    pass


class ExtrapolationException(Exception):
    pass


class ConnectivityException(Exception):
    pass


def buffer_that(answer):
    def lookup_transform(target, source, time):
        if isinstance(answer, Exception):
            raise answer
        return answer
    return types.SimpleNamespace(lookup_transform=lookup_transform)


def test_parameters_make_a_pose():
    poses = Poses(None, DEFAULTS._replace(camera_height=1.2, camera_pitch=10.0, camera_x=0.4))
    pose = poses.camera('camera', Time())
    assert poses.source == 'parameters' and pose.height == 1.2 and np.degrees(pose.pitch) == pytest.approx(10.0)
    rotation, translation = poses.to_camera('base_link', 'camera', pose, Time())
    assert rotation.dot((0.4, 0.0, 1.2)) + translation == pytest.approx((0, 0, 0), abs=1e-9)
    with pytest.raises(ParameterError, match="in the frame 'lidar'.*pose_source to tf"):
        poses.to_camera('lidar', 'camera', pose, Time())
    with pytest.raises(ParameterError, match='camera_height is 0'):
        Poses(None, DEFAULTS._replace(pose_source='parameters'))


def test_tf_makes_a_pose():
    transform = TransformStamped()
    transform.transform.translation.z = 1.5
    q = transform.transform.rotation
    q.x, q.y, q.z, q.w = -0.5, 0.5, -0.5, 0.5
    poses = Poses(None, DEFAULTS, buffer_that(transform))
    pose = poses.camera('camera', Time())
    assert poses.source == 'TF' and pose.height == 1.5 and np.allclose(pose.rotation, OPTICAL)
    q.x = q.y = q.z = q.w = 0.0
    with pytest.raises(ParameterError, match='no rotation and translation'):
        poses.camera('camera', Time())


FAULTS = [
    (LookupException('"camera" passed to lookupTransform argument does not exist'), 'nobody publishes it.*start robot'),
    (ExtrapolationException('Lookup would require extrapolation into the future'), 'late or too old.*clocks'),
    (ConnectivityException('two unconnected trees'), 'do not meet.*publish the transform'),
    (LookupException('The tf tree is invalid because it contains a loop'), 'has a loop.*one parent')]


@pytest.mark.parametrize('error,words', FAULTS)
def test_a_tree_that_is_missing_late_or_loops_gets_a_sentence(error, words):
    with pytest.raises(ParameterError, match="no transform from 'camera' to 'base_link': .*" + words):
        Poses(None, DEFAULTS, buffer_that(error)).camera('camera', Time())


class Publishers(dict):
    """Publishers with a subscriber each; `sent`: names of what was published."""

    def __init__(self):
        self.sent = []
        super().__init__((name, types.SimpleNamespace(
            get_subscription_count=lambda: 1, publish=lambda message, name=name: self.sent.append(name)))
            for name in OUTPUTS)


@pytest.mark.parametrize('error,words', [*FAULTS, (None, '')])
def test_without_a_transform_nothing_is_published(error, words):
    transform = TransformStamped()
    q = transform.transform.rotation
    transform.transform.translation.z, q.x, q.y, q.z, q.w = 1.2, -0.5, 0.5, -0.5, 0.5
    publishers = Publishers()
    processing = Processing(None, lambda: DEFAULTS._replace(label_source='categories'),
                            Poses(None, DEFAULTS, buffer_that(error or transform)), publishers, CONFIG)
    header = Header(frame_id='camera')
    info = CameraInfo(header=header, width=320, height=160)
    info.k = [200.0, 0.0, 160.0, 0.0, 200.0, 60.0, 0.0, 0.0, 1.0]
    processing._inputs['camera_info'] = types.SimpleNamespace(at=lambda stamp: info)
    processing._wanted = {'scan', 'free_space'}
    processing.process(array_to_image(np.ones((160, 320), np.uint8), 'mono8', header))
    if error is None:
        assert processing.problems == {} and publishers.sent == ['scan', 'free_space']
    else:
        assert re.search(words, processing.problems['labels']) and not publishers.sent


def test_the_frame_of_the_scan_is_published_with_each_pose_of_tf(ros_context, monkeypatch):
    transform = TransformStamped()
    t, q = transform.transform.translation, transform.transform.rotation
    t.x, t.y, t.z, q.x, q.w = 0.3, -0.2, 1.2, -np.sqrt(0.5), np.sqrt(0.5)  # it looks to the left
    told = []
    monkeypatch.setattr(node_module, 'TFMessage', lambda transforms: transforms[0])
    create_publisher = GroundNode.create_publisher

    def create(node, kind, topic, *arguments, **options):
        if kind is not node_module.TFMessage:
            return create_publisher(node, kind, topic, *arguments, **options)
        return create_publisher(node, TransformStamped, 'stand_in' + topic, *arguments, **options)
    monkeypatch.setattr(GroundNode, 'create_publisher', create)
    node = GroundNode(context=ros_context, parameter_overrides=[
        Parameter('label_source', value='categories'), Parameter('autostart', value=False)])
    try:
        node._poses = Poses(node, DEFAULTS, buffer_that(transform))
        node.trigger_configure()
        node.trigger_activate()
        header = Header(frame_id='camera', stamp=Time(sec=7))
        info = CameraInfo(header=header, width=320, height=160)
        info.k = [200.0, 0.0, 160.0, 0.0, 200.0, 60.0, 0.0, 0.0, 1.0]
        node._processing._inputs['camera_info'] = types.SimpleNamespace(at=lambda stamp: info, close=lambda: None)
        labels = array_to_image(np.ones((160, 320), np.uint8), 'mono8', header)
        node._processing.process(labels)
        monkeypatch.setattr(node._foot, 'publish', told.append)
        node._processing.process(labels)
        assert node._processing.problems == {} and node._foot.topic_name.endswith('/tf')
    finally:
        node.destroy_node()
    header, moved = told[0].header, told[0].transform
    assert (header.frame_id, told[0].child_frame_id, header.stamp.sec) == ('base_link', 'camera_foot', 7)
    assert (moved.translation.x, moved.translation.y, moved.translation.z) == (0.3, -0.2, 0.0)
    assert (moved.rotation.z, moved.rotation.w) == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)))


def test_of_rectified_images_p_counts_and_no_distortion():
    settings = DEFAULTS._replace(label_source='categories', camera_height=1.2, rectified=True)
    processing = Processing(None, lambda: settings, Poses(None, settings), Publishers(), CONFIG)
    info = CameraInfo(width=320, height=160, distortion_model='fisheye', d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    info.k = [200.0, 0.0, 160.0, 0.0, 200.0, 60.0, 0.0, 0.0, 1.0]
    info.p = [180.0, 0.0, 158.0, -20.0, 0.0, 181.0, 61.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    processing._inputs['camera_info'] = types.SimpleNamespace(at=lambda stamp: info)
    labels = np.ones((160, 320), np.uint8)
    lens, _ = processing._camera(array_to_image(labels, 'mono8', Header(frame_id='camera')), labels)
    assert lens == (320, 160, 180.0, 181.0, 158.0, 61.0, '', ())


def test_region_and_binning_of_a_camera_are_in_the_lens():
    settings = DEFAULTS._replace(label_source='categories', camera_height=1.2)
    processing = Processing(None, lambda: settings, Poses(None, settings), Publishers(), CONFIG)
    info = CameraInfo(width=1280, height=960, binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 200, 100, 640, 320
    info.k = [800.0, 0.0, 520.0, 0.0, 800.0, 220.0, 0.0, 0.0, 1.0]
    processing._inputs['camera_info'] = types.SimpleNamespace(at=lambda stamp: info)
    labels = np.ones((160, 320), np.uint8)
    lens, _ = processing._camera(array_to_image(labels, 'mono8', Header(frame_id='camera')), labels)
    assert lens == (320, 160, 400.0, 400.0, 159.75, 59.75, '', ())


def test_an_overlay_that_waits_for_its_image_is_forgotten_with_its_subscriber():
    publishers = Publishers()
    source = types.SimpleNamespace(at=lambda stamp: None, adapt=lambda: None, close=lambda: None)
    processing = Processing(None, lambda: DEFAULTS._replace(label_source='categories', camera_height=1.2),
                            Poses(None, DEFAULTS._replace(camera_height=1.2)), publishers, CONFIG)
    header = Header(frame_id='camera')
    info = CameraInfo(header=header, width=320, height=160)
    info.k = [200.0, 0.0, 160.0, 0.0, 200.0, 60.0, 0.0, 0.0, 1.0]
    camera_info = types.SimpleNamespace(at=lambda stamp: info, adapt=lambda: None)
    processing._inputs, processing._labels = {'camera_info': camera_info, 'image': source}, source
    for name, publisher in publishers.items():
        publisher.get_subscription_count = lambda name=name: name in ('scan', 'overlay')
    processing.adapt()
    labels = array_to_image(np.ones((160, 320), np.uint8), 'mono8', header)
    processing.process(labels)
    publishers['overlay'].get_subscription_count = lambda: 0
    processing.adapt()
    processing.process(labels)
    assert processing.problems == {} and publishers.sent == ['scan', 'scan']
