"""What the node warns of: silence, clocks, quality of service, slow cameras; and how it adapts to a camera's offer."""
import time

import pytest
from ros_process import wait_until
from segmentation_rig import picture, write_model

from espnet_ros.labels import LabelClass, LabelSet
from espnet_ros.nodes.common.messages import array_to_image

WARN, ERROR = 1, 2


@pytest.fixture
def image():
    from std_msgs.msg import Header
    return array_to_image(picture(), 'bgr8', Header())


def shift_stamps(rig, image, seconds, count=3):
    """Publish images whose stamps are `seconds` off."""
    publisher = rig.camera(type(image))
    for _ in range(count):
        now = rig.node.get_clock().now().nanoseconds + int(seconds * 1e9)
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 10 ** 9)
        publisher.publish(image)
        time.sleep(0.05)


def log_lines(rig, text):
    return [line for line in rig.log.splitlines() if text in line]


def test_silence_is_an_error_with_a_remedy_logged_once(restart, image):
    rig = restart()
    status = rig.wait_for_status('Input', 'nothing publishes it; start the camera or remap `image`', ERROR)
    assert 'no image on {}/image for '.format(rig.namespace) in status.message
    rig.fresh('Input')  # two more
    assert len(log_lines(rig, 'nothing publishes it')) == 1
    rig.camera(type(image))
    rig.wait_for_status('Input', 'its publisher is silent', ERROR)
    rig.show(image)
    rig.wait_for_status('Input', ' Hz', 0)


@pytest.mark.parametrize('seconds, sentence', [
    (3600.0, 's in the future; synchronize the clocks'), (-3600.0, 's old; for recordings play with --clock')])
def test_stamps_of_another_clock(restart, image, seconds, sentence):
    rig = restart()
    shift_stamps(rig, image, seconds)
    rig.wait_for_status('Input', sentence, WARN)
    assert len(log_lines(rig, sentence)) == 1
    assert 'stamp to output p50 (ms)' not in rig.values('Latency')  # such an age means nothing


def test_zero_stamps_and_stamps_that_jump_back(restart, image):
    rig = restart()
    image.header.stamp.sec = image.header.stamp.nanosec = 0
    rig.camera(type(image)).publish(image)
    rig.wait_for_status('Input', 'stamps are zero', WARN)
    began = time.monotonic()
    while rig.status('Input').level != b'\0':  # a problem stays in sight for 5 s
        shift_stamps(rig, image, 0.0)
        assert time.monotonic() < began + 120.0
    shift_stamps(rig, image, -2.0, count=1)
    rig.wait_for_status('Input', 'backwards', WARN)


def test_stamps_that_come_twice(restart, image):
    rig = restart()
    rig.show(image)
    for _ in range(3):  # one may get lost
        time.sleep(0.1)
        rig.camera(type(image)).publish(image)
    assert 'publishing an image twice?' in rig.wait_for_status('Input', 'two images have the stamp', WARN).message


def test_a_camera_that_offers_less_than_is_asked_for(restart, image):
    from rclpy.qos import qos_profile_sensor_data
    rig = restart(image_reliability='reliable')
    rig.node.create_publisher(type(image), rig.namespace + '/image', qos_profile_sensor_data)
    rig.wait_for_status('Input', 'set image_reliability to auto')
    assert len(log_lines(rig, 'set image_reliability to auto')) == 1


def wait_until_asked_for(rig, reliability):
    """Wait until the node's subscription to images has the ReliabilityPolicy."""
    wait_until(lambda: [info.qos_profile.reliability for info in rig.node.get_subscriptions_info_by_topic(
        rig.namespace + '/image')] == [reliability])


def test_reliability_follows_the_camera(restart, image):
    from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
    rig = restart()
    topic = rig.namespace + '/image'
    wait_until_asked_for(rig, ReliabilityPolicy.BEST_EFFORT)  # nobody offers anything yet
    camera = rig.node.create_publisher(type(image), topic, QoSProfile(depth=1))
    wait_until_asked_for(rig, ReliabilityPolicy.RELIABLE)
    rig.node.destroy_publisher(camera)
    rig.node.create_publisher(type(image), topic, qos_profile_sensor_data)
    wait_until_asked_for(rig, ReliabilityPolicy.BEST_EFFORT)
    assert not log_lines(rig, 'quality of service')


def test_large_images_of_a_reliable_camera_all_arrive(restart):
    from rclpy.qos import ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    rig = restart()
    large = array_to_image(picture(1280, 720), 'bgr8', Header())  # 2.6 MiB: five times Fast DDS's shared memory
    labels = rig.collect(Image, 'labels')
    rig.show(large)
    wait_until_asked_for(rig, ReliabilityPolicy.RELIABLE)
    rig.ask(large, labels)
    before = rig.counts()
    for _ in range(20):
        rig.show(large)
        time.sleep(0.1)
    wait_until(lambda: rig.counts()['received'] + rig.counts()['lost'] - before['received'] - before['lost'] == 20)
    assert rig.counts()['lost'] - before['lost'] <= 2


def test_a_camera_that_loses_large_images_is_named(restart):
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header
    rig = restart()
    small, large = (array_to_image(picture(*size), 'bgr8', Header()) for size in ((160, 120), (1920, 1080)))
    camera = rig.node.create_publisher(type(large), rig.namespace + '/image', qos_profile_sensor_data)
    wait_until(camera.get_subscription_count)
    sentence = 'best effort loses what does not fit the shared memory'
    deadline = time.monotonic() + 30.0
    while not log_lines(rig, sentence) and time.monotonic() < deadline:
        for image in (large, large, large, small):  # a small one arrives, and tells by its number what did not
            image.header.stamp = rig.node.get_clock().now().to_msg()
            camera.publish(image)
            time.sleep(0.05)
    assert len(log_lines(rig, sentence)) == 1


def test_slow_camera_slow_output_and_two_cameras(restart, image):
    from sensor_msgs.msg import Image
    rig = restart(min_input_rate=50.0, max_latency=0.0001)
    labels = rig.collect(Image, 'labels')
    for _ in range(5):
        rig.ask(image, labels)
    rig.wait_for_status('Input', 'less than 50 Hz', WARN)
    rig.wait_for_status('Latency', 'more than 0 ms', WARN)
    rig.node.create_publisher(Image, rig.namespace + '/image', 1)
    wait_until(lambda: len(log_lines(rig, 'several publishers')) == 1)
    wait_until(lambda: rig.fresh('Input')['lost'] == 'unknown')
    rig.wait_for_status('Input', '2 programs publish {}/image: their images alternate'.format(rig.namespace), WARN)


def test_a_camera_info_that_is_missing_or_empty_is_told(restart, image):
    from sensor_msgs.msg import CameraInfo
    rig = restart()
    infos = rig.collect(CameraInfo, 'camera_info')

    def told(sentence, level):
        rig.show(image)
        status = rig.status('Output')
        return status and sentence in status.message and status.level[0] == level
    wait_until(lambda: told('none has come from the camera; remap `camera_info` to its topic', WARN))
    camera = rig.camera(CameraInfo, 'camera_info')
    camera.publish(CameraInfo())
    wait_until(lambda: told('the camera driver must fill in width and height', WARN))
    camera.publish(CameraInfo(width=160, height=120))
    rig.ask(image, infos)
    wait_until(lambda: told(' Hz', 0))


def test_classes_without_a_category_are_named(restart, tmp_path):
    fruit = LabelSet('fruit', (LabelClass(0, 'apple', 4, (255, 0, 0)), LabelClass(1, 'bowl', 0, (0, 0, 255))))
    rig = restart(model=str(write_model(tmp_path, fruit)))
    (line,) = log_lines(rig, 'no Cityscapes category for')
    assert 'bowl' in line and 'apple' not in line


def test_large_outputs_for_a_best_effort_subscriber_are_told(restart):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    rig = restart()
    labels = rig.collect(Image, 'labels')
    rig.collect(Image, 'overlay', qos_profile_sensor_data)
    large = array_to_image(picture(640, 480), 'bgr8', Header())  # an overlay of 900 KiB
    rig.ask(large, labels)
    status = rig.wait_for_status('Output', 'observer subscribes to {}/overlay at best effort'.format(rig.name), WARN)
    assert 'loses messages of 900 KiB; let it request reliable, set output_size to network' in status.message
    assert len(log_lines(rig, 'at best effort, which loses')) == 1
    assert rig.name + '/labels' not in status.message  # reliable
    small = array_to_image(picture(160, 120), 'bgr8', Header())
    rig.ask(small, labels)
    rig.wait_for_status('Output', ' Hz', 0)


def test_simulated_time_without_a_clock_is_told(restart, image):
    rig = restart(use_sim_time=True)
    sentence = 'use_sim_time is true, but nothing publishes /clock; play the recording with --clock'
    rig.wait_for_status('Input', sentence, WARN)
    rig.camera(type(image)).publish(image)  # a camera without a clock has stamps of zero
    wait_until(lambda: rig.counts()['received'] == 1)
    assert 'camera driver' not in rig.status('Input').message
    wait_until(lambda: log_lines(rig, sentence))
    assert len(log_lines(rig, sentence)) == 1


def test_it_says_in_a_line_what_it_listens_to_and_publishes(restart):
    rig = restart()
    (line,) = log_lines(rig, 'active: ')
    assert line.endswith('active: raw images from {}/image (reliability auto), outputs on {}/...'.format(
        rig.namespace, rig.name))
