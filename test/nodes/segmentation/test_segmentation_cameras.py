"""Several cameras of one node: exact counts, no camera hurts another, and labels as with one camera."""
import collections
import copy
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from ros_process import environment, wait_until
from segmentation_rig import FP32, picture, pixels_of, write_model

from espnet_ros.errors import ParameterError
from espnet_ros.nodes.common.messages import array_to_image
from espnet_ros.nodes.segmentation.settings import SegmentationParameters, check_cameras

CAMERAS = 'front', 'left', 'rear'
PUBLISHER = pathlib.Path(__file__).resolve().parents[2] / 'support' / 'flood_publisher.py'
SETTLED = 'dropped', 'refused', 'published', 'failed', 'skipped'


@pytest.fixture(scope='module')
def rig(start_rig, small_model):
    return start_rig('model:={}'.format(small_model), 'cameras:=[{}]'.format(', '.join(CAMERAS)), *FP32)


@pytest.fixture
def views(rig):
    """The rig as it looks from each camera: topics and diagnostics below the camera's name."""
    return views_of(rig)


def views_of(rig):
    found = collections.OrderedDict()
    for name in CAMERAS:
        found[name] = copy.copy(rig)
        found[name].name = '{}/{}'.format(rig.name, name)
    return found


def image(seed=0, width=160, height=120):
    from std_msgs.msg import Header
    return array_to_image(picture(width, height, seed), 'bgr8', Header())


def key_of(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def change(before, after):
    """Return by how much the counts have grown, once it is asserted that each image received is accounted for."""
    found = {name: after[name] - before.get(name, 0) for name in after}  # the first image makes `lost` known
    assert found['received'] == sum(found[name] for name in SETTLED)
    return found


def start_flood(rig, domain, camera, rate, seconds):
    """Start a process that publishes images of a camera (flood_publisher); return it once it has begun."""
    process = subprocess.Popen(
        [sys.executable, str(PUBLISHER), '160', '120', str(rate), str(seconds), '--ros-args', '-r',
         '__ns:=' + rig.namespace, '-r', 'image:={}/image_raw'.format(camera)], env=environment(domain),
        stdout=subprocess.PIPE, universal_newlines=True)
    assert process.stdout.readline() == 'begin\n'
    return process


def test_labels_stamps_and_frame_ids_are_those_of_each_camera(rig, views, start_rig, small_model):
    from sensor_msgs.msg import CameraInfo, Image
    alone = start_rig('model:={}'.format(small_model), *FP32)
    expected = alone.collect(Image, 'labels')
    for number, (name, view) in enumerate(views.items()):
        message = image(number)
        labels, infos = view.collect(Image, 'labels'), view.collect(CameraInfo, 'camera_info')
        answer = view.ask(message, labels, name + '/image_raw')
        assert answer.header.frame_id == 'camera'
        assert (pixels_of(answer) == pixels_of(alone.ask(message, expected))).all()
        message.header.frame_id = name + '_optical'
        message.header.stamp.sec += 100
        view.camera(Image, name + '/image_raw').publish(message)
        wait_until(lambda: labels and key_of(labels[-1]) == key_of(message))  # noqa: B023
        assert labels[-1].header.frame_id == name + '_optical'
        while not infos:  # the calibration may get lost
            view.camera(CameraInfo, name + '/camera_info').publish(CameraInfo(width=160, height=120))
            view.ask(message, labels, name + '/image_raw')
        assert infos[-1].width == 160 and infos[-1].header.frame_id == 'camera'
    alone.close()


def test_every_camera_has_label_map_latency_and_diagnostics(rig, views):
    from std_msgs.msg import Float64MultiArray, String

    from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS
    maps = [view.collect(String, 'label_map', LATCHED_QOS) for view in views.values()]
    latencies = [view.collect(Float64MultiArray, 'latency') for view in views.values()]
    wait_until(lambda: all(maps) and all(latencies))
    assert len({found[0].data for found in maps}) == 1
    assert rig.fresh('Engine')['phase'] == 'ready'
    assert rig.status('Input') is None and rig.status('Output') is None
    for name, view in views.items():
        assert view.status('Engine') is None
        assert view.values('Input')['topic'] == '{}/{}/image_raw'.format(rig.namespace, name)
        assert view.status('Latency') is not None and view.values('Output')['phase'] in ('idle', 'running')


def test_garbage_and_a_new_size_of_one_camera_hurt_no_other(views):
    from sensor_msgs.msg import Image
    labels = {name: view.collect(Image, 'labels') for name, view in views.items()}
    before = {name: view.settled_counts() for name, view in views.items()}
    broken = image()
    broken.step = 1
    front = views['front']
    front.camera(Image, 'front/image_raw')
    shown = 0
    while front.counts()['refused'] == before['front']['refused']:
        front.show(broken, 'front/image_raw')
        shown += 1
    assert 'step is 1' in front.wait_for_status('Input', 'refused').message
    for name in ('left', 'rear'):
        views[name].ask(image(), labels[name], name + '/image_raw')
        found = change(before[name], views[name].settled_counts())
        assert found['refused'] == found['failed'] == 0 and found['published'] >= 1
        assert views[name].values('Input')['last refusal'] == 'none'
    for width, height in ((320, 240), (80, 40), (160, 120)):
        answer = front.ask(image(0, width, height), labels['front'], 'front/image_raw')
        assert (answer.width, answer.height) == (width, height)
        other = views['rear'].ask(image(), labels['rear'], 'rear/image_raw')
        assert (other.width, other.height) == (160, 120)
    assert change(before['front'], front.settled_counts())['refused'] <= shown


@pytest.mark.timeout(300)
def test_counts_are_exact_while_one_camera_floods_and_another_dies(ros_domain, start_rig, tmp_path):
    from sensor_msgs.msg import Image
    slow = write_model(tmp_path, alpha3=4, width=320, height=240)
    rig = start_rig('model:={}'.format(slow), 'cameras:=[{}]'.format(', '.join(CAMERAS)), *FP32)
    views = views_of(rig)
    labels = {name: [] for name in CAMERAS}
    for name, view in views.items():
        view.node.create_subscription(Image, view.name + '/labels', labels[name].append, 1000)
        view.ask(image(), labels[name], name + '/image_raw')
        view.node.destroy_publisher(view._publishers.pop(name + '/image_raw'))
    before = {name: view.settled_counts() for name, view in views.items()}
    for found in labels.values():
        del found[:]
    publishers = {name: start_flood(rig, ros_domain, name, rate, seconds) for name, rate, seconds in (
        ('rear', 10.0, 60.0), ('left', 10.0, 8.0), ('front', 100.0, 8.0))}
    wait_until(lambda: labels['rear'], 60.0)
    time.sleep(1.0)
    publishers['rear'].kill()  # it dies in the middle
    publishers['rear'].wait()
    sent = {name: int(publishers[name].stdout.readline().split()[1]) for name in ('left', 'front')}
    publishers['left'].wait()
    publishers['front'].wait()
    wait_until(lambda: all(labels[name] and labels[name][-1].header.frame_id == 'last' for name in sent))
    after = {name: view.settled_counts() for name, view in views.items()}
    changes = {name: change(before[name], after[name]) for name in CAMERAS}
    print('sent', sent, changes)
    for name in CAMERAS:
        assert len(labels[name]) == changes[name]['published']
        assert changes[name]['refused'] == changes[name]['failed'] == changes[name]['skipped'] == 0
        stamps = [key_of(message) for message in labels[name]]
        assert stamps == sorted(set(stamps)) and {m.header.frame_id for m in labels[name]} <= {'camera', 'last'}
    for name, count in sent.items():
        assert changes[name]['received'] + changes[name]['lost'] == count
    # A share of its own for each: neither does the flood push a steady camera away, nor the steady one the flood.
    assert changes['left']['published'] > 0.3 * changes['front']['published'] > 3
    assert changes['front']['published'] > 0.3 * changes['left']['published']
    views['rear'].wait_for_status('Input', 'no image on', level=2)
    assert views['left'].name != views['rear'].name and rig.process.is_running()
    answer = views['rear'].ask(image(), labels['rear'], 'rear/image_raw')  # and comes back
    assert np.unique(pixels_of(answer)).size > 1
    rig.close()


@pytest.mark.parametrize('values, sentence', [
    ({'cameras': ('front', '2nd')}, "has the name '2nd'; a name begins with a letter"),
    ({'cameras': ('a/b',)}, "has the name 'a/b'"),
    ({'cameras': ('a__b',)}, "has the name 'a__b'"),
    ({'cameras': ('',)}, "has the name ''"),
    ({'cameras': ('front', 'left', 'front')}, 'names front twice'),
    ({'cameras': tuple('abcdefghijklmnopq')}, 'has 17 names; it must have 16 or fewer'),
    ({'cameras': ('front', 'left'), 'camera_rates': (1.0,)}, 'camera_rates has 1 values for 2 cameras'),
    ({'camera_priorities': (1,)}, 'camera_priorities has 1 values for 0 cameras')])
def test_cameras_that_do_not_go_together(values, sentence):
    with pytest.raises(ParameterError) as caught:
        check_cameras(SegmentationParameters(**values))
    assert sentence in str(caught.value)


def test_parameters_that_are_fixed_or_wrong_at_start(start_rig, small_model, tmp_path):
    rig = start_rig('model:={}'.format(small_model), 'cameras:=[front, front]', 'camera_priorities:=[0, 1]', *FP32,
                    wait='not started')
    message = rig.wait_for_status('Engine', 'not configured', level=2).message
    assert 'parameter cameras names front twice' in message and 'camera_priorities' in message
    assert rig.set(cameras=['front', 'left']) == rig.set(camera_priorities=[2, 1], camera_rates=[10, 5]) == {}
    assert rig.change_state('configure') and rig.change_state('activate')
    assert 'cannot change now' in rig.set(cameras=[])['cameras']
    assert 'must be an array' in rig.set(camera_rates=5.0)['camera_rates']
    assert rig.change_state('deactivate') and rig.change_state('cleanup')
    assert rig.set(camera_priorities=[], camera_rates=[], cameras=[]) == {}
    assert rig.change_state('configure') and rig.change_state('activate')
    wait_until(lambda: rig.status('Input') and rig.status('Input').message)  # one camera again
    assert rig.values('Input')['topic'] == rig.namespace + '/image'
    rig.close()
