"""Every topic of the segmentation node holds exactly what the network and the renderer give for the image shown."""
import functools
import json

import cv2
import numpy as np
import pytest
from ros_process import wait_until
from segmentation_rig import picture, pixels_of

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.images import render
from espnet_ros.labels import CAMVID, CATEGORIES, autoware
from espnet_ros.segmenter import Segmenter

MONO = ['labels', 'categories', 'confidence'] + ['mask/' + name for name in CATEGORIES[1:]]


@functools.lru_cache(maxsize=None)
def engine_of(card_path):
    model = models.find(card_path)
    return build_engine(model.card, models.load(model), model.card.input_width, model.card.input_height)


def expected(card_path, image, threshold=0.0):
    """The Segmentation, computed in this process."""
    return Segmenter(engine_of(card_path)).segment(image, True, threshold)


def camera_info():
    """A calibration with distortion, of another size than the small model's."""
    from sensor_msgs.msg import CameraInfo
    info = CameraInfo(width=203, height=117, k=[100.0, 0.0, 101.0, 0.0, 100.0, 58.0, 0.0, 0.0, 1.0],
                      d=[0.1, 0.2, 0.0, 0.0, 0.0], distortion_model='plumb_bob')
    info.header.frame_id = 'another'
    return info


def bgr8(image):
    from std_msgs.msg import Header

    from espnet_ros.nodes.common.messages import array_to_image
    return array_to_image(image, 'bgr8', Header())


@pytest.fixture(scope='module')
def rig(start_rig, small_model):
    return start_rig('model:={}'.format(small_model), 'overlay_alpha:=0.4')


@pytest.fixture(scope='module')
def outputs(rig):
    """All topics of the node, each a list of messages; the node has a camera_info."""
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image
    found = {name: rig.collect(Image, name) for name in MONO + ['color', 'overlay']}
    found['overlay/compressed'] = rig.collect(CompressedImage, 'overlay/compressed')
    found['labels/compressed'] = rig.collect(CompressedImage, 'labels/compressed')
    found['probabilities'] = rig.collect(Image, 'probabilities')
    found['autoware/mask'] = rig.collect(Image, 'autoware/mask')
    found['camera_info'] = rig.collect(CameraInfo, 'camera_info')
    found['mask/camera_info'] = rig.collect(CameraInfo, 'mask/camera_info')
    wait_until(lambda: rig.fresh('Output')['subscribers'] == str(len(found)))
    calibrate(rig, camera_info(), found['labels'], found['camera_info'])
    return found


def calibrate(rig, info, labels, infos):
    """Publish a CameraInfo until the node uses it."""
    def is_used():
        rig.camera(type(info), 'camera_info').publish(info)
        rig.ask(bgr8(picture()), labels)
        return infos
    wait_until(is_used)


def all_of(rig, outputs, image_message):
    """Show the image and return every topic's answer to it."""
    labels = rig.ask(image_message, outputs['labels'])

    def answers():
        found = {name: [m for m in messages if m.header == labels.header] for name, messages in outputs.items()}
        return all(found.values()) and {name: messages[0] for name, messages in found.items()}
    return wait_until(answers)


def test_every_topic_at_camera_resolution(rig, outputs, small_model):
    info = camera_info()
    image = picture(203, 117)
    found = all_of(rig, outputs, bgr8(image))
    want = expected(small_model, image)
    assert len(np.unique(want.labels)) >= 4 and len(np.unique(want.confidence)) > 20  # or this would test nothing
    np.testing.assert_array_equal(pixels_of(found['labels']), want.labels)
    np.testing.assert_array_equal(pixels_of(found['confidence']), want.confidence)
    categories = CAMVID.category_table()[want.labels]
    np.testing.assert_array_equal(pixels_of(found['categories']), categories)
    for i, name in enumerate(CATEGORIES):
        if i > 0:
            np.testing.assert_array_equal(pixels_of(found['mask/' + name]), np.where(categories == i, 255, 0))
    probabilities = found['probabilities']
    assert (probabilities.encoding, probabilities.width, probabilities.height) == ('32FC7', 203, 117)
    assert probabilities.step == 203 * 7 * 4 and not probabilities.is_bigendian
    shares = np.frombuffer(bytes(probabilities.data), np.float32).reshape(117, 203, 7)
    np.testing.assert_array_equal(shares, render.category_probabilities(categories, want.confidence, 7))
    mask = found['autoware/mask']
    assert (mask.encoding, mask.width, mask.height, mask.step) == ('mono8', 203, 117, 203)
    assert bytes(mask.data) == autoware.run_lengths(autoware.table_of(CAMVID)[want.labels])
    color = CAMVID.palette()[want.labels]
    np.testing.assert_array_equal(pixels_of(found['color']), color)
    overlay = render.overlay(image[:, :, ::-1].copy(), color, 0.4, want.labels)
    np.testing.assert_array_equal(pixels_of(found['overlay']), overlay)
    jpeg = cv2.imencode('.jpg', overlay[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    assert bytes(found['overlay/compressed'].data) == jpeg.tobytes()
    assert found['overlay/compressed'].format == 'rgb8; jpeg compressed bgr8'
    png = found['labels/compressed']
    assert png.format == 'mono8; png compressed '  # image_transport reads the encoding from it
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(bytes(png.data), np.uint8), cv2.IMREAD_UNCHANGED),
                                  want.labels)
    assert {m.encoding for name, m in found.items() if name in MONO} == {'mono8'}
    info.header = found['labels'].header
    assert found['camera_info'] == found['mask/camera_info'] == info
    assert found['labels'].header.frame_id == 'camera'


@pytest.mark.parametrize('encoding', ['rgb8', 'bayer_rggb8', 'mono8'])
def test_other_encodings(rig, outputs, small_model, encoding):
    from espnet_ros.nodes.common.messages import image_to_bgr
    message = bgr8(picture(96, 64, seed=3))
    message.encoding = encoding
    if encoding != 'rgb8':  # three numbers a pixel become three pixels
        message.width, message.step = 3 * 96, 3 * 96
    found = all_of(rig, outputs, message)
    np.testing.assert_array_equal(pixels_of(found['labels']), expected(small_model, image_to_bgr(message)).labels)


def test_confidence_threshold_unlabels_and_is_announced(rig, outputs, small_model):
    from std_msgs.msg import String

    from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS
    image = picture(seed=4)
    certainty = expected(small_model, image).confidence
    threshold = float(np.median(certainty)) / 255.0
    label_maps = rig.collect(String, 'label_map', LATCHED_QOS)
    wait_until(lambda: label_maps)  # a subscriber that came late
    said = json.loads(label_maps[0].data)
    assert said == {
        'label_set': 'camvid', 'unlabeled': 255, 'threshold': 0.0, 'classes': [
            {'id': c.id, 'name': c.name, 'category': CATEGORIES[c.category], 'category_id': c.category,
             'color': list(c.color)} for c in CAMVID.classes]}
    assert rig.set(confidence_threshold=threshold) == {}
    found = all_of(rig, outputs, bgr8(image))
    want = expected(small_model, image, threshold=threshold).labels
    assert 0.1 < np.mean(want == 255) < 0.9
    np.testing.assert_array_equal(pixels_of(found['labels']), want)
    wait_until(lambda: abs(json.loads(label_maps[-1].data)['threshold'] - threshold) < 1e-12)
    assert rig.set(confidence_threshold=0) == {}


def test_network_resolution_scales_the_camera_info(restart):
    from sensor_msgs.msg import CameraInfo, Image
    rig = restart(output_size='network', input_width=128, input_height=96)
    labels, infos = rig.collect(Image, 'labels'), rig.collect(CameraInfo, 'camera_info')
    info = CameraInfo(width=256, height=192, k=[100.0, 0.0, 99.5, 0.0, 120.0, 50.5, 0.0, 0.0, 1.0],
                      p=[100.0, 0.0, 99.5, 0.0, 0.0, 120.0, 50.5, 0.0, 0.0, 0.0, 1.0, 0.0])
    calibrate(rig, info, labels, infos)
    label = rig.ask(bgr8(picture(256, 192)), labels)
    answer = wait_until(lambda: [i for i in infos if i.header == label.header])[0]
    assert (label.width, label.height, label.step) == (128, 96, 128)
    assert (answer.width, answer.height) == (128, 96)
    np.testing.assert_allclose(answer.k, [50, 0, 49.5, 0, 60, 25, 0, 0, 1])
    np.testing.assert_allclose(answer.p, [50, 0, 49.5, 0, 0, 60, 25, 0, 0, 0, 1, 0])


def test_a_small_output_for_a_costmap_and_label_infos_that_come_again(restart, small_model):
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image
    from std_msgs.msg import String

    from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS
    rig = restart(output_width=80, output_height=60, label_info_period=1.0)
    found = {name: rig.collect(Image, name) for name in ('labels', 'categories', 'confidence', 'mask/flat', 'overlay',
                                                         'probabilities', 'autoware/mask')}
    found['labels/compressed'] = rig.collect(CompressedImage, 'labels/compressed')
    found['camera_info'] = rig.collect(CameraInfo, 'camera_info')
    label_maps = rig.collect(String, 'label_map', LATCHED_QOS)
    info = CameraInfo(width=160, height=120, k=[100.0, 0.0, 79.5, 0.0, 120.0, 59.5, 0.0, 0.0, 1.0])
    calibrate(rig, info, found['labels'], found['camera_info'])
    image = picture(160, 120)
    answer = all_of(rig, found, bgr8(image))
    png = answer.pop('labels/compressed')
    assert {(m.width, m.height) for m in answer.values()} == {(80, 60)}
    want = expected(small_model, image)
    # Nearest at pixel centers: every other pixel, the one below the center.
    np.testing.assert_array_equal(pixels_of(answer['labels']), want.labels[1::2, 1::2])
    np.testing.assert_array_equal(pixels_of(answer['confidence']), want.confidence[1::2, 1::2])
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(bytes(png.data), np.uint8), cv2.IMREAD_UNCHANGED),
                                  want.labels[1::2, 1::2])
    np.testing.assert_allclose(answer['camera_info'].k, [50, 0, 39.5, 0, 60, 29.5, 0, 0, 1])
    wait_until(lambda: len(label_maps) >= 3)
    assert len({m.data for m in label_maps}) == 1
    assert 'camera 80x60' in rig.values('Engine')['output size']


def test_compressed_input_remapped_in_a_namespace(start_rig, small_model):
    from sensor_msgs.msg import CompressedImage, Image
    rig = start_rig('model:={}'.format(small_model), 'image_transport:=compressed', remap=['image:=/cam/image_raw'])
    labels = rig.collect(Image, 'labels')
    done, jpeg = cv2.imencode('.jpg', picture(seed=5))
    message = CompressedImage(format='jpeg', data=jpeg.tobytes())
    answer = rig.ask(message, labels, '/cam/image_raw/compressed')
    want = expected(small_model, cv2.imdecode(jpeg, cv2.IMREAD_COLOR)).labels
    np.testing.assert_array_equal(pixels_of(answer), want)
    rig.fresh('Input')
    assert rig.values('Input')['topic'] == '/cam/image_raw/compressed'
    rig.close()


def test_colors_for_all_kinds_of_color_vision(restart, small_model):
    from sensor_msgs.msg import Image

    from espnet_ros.labels.palettes import PALETTES
    rig = restart(palette='color-blind')
    colors = rig.collect(Image, 'color')
    answer = rig.ask(bgr8(picture()), colors)
    label_set = PALETTES['color-blind'](models.find(small_model).card.label_set)
    want = label_set.palette()[expected(small_model, picture()).labels]
    np.testing.assert_array_equal(np.frombuffer(answer.data, np.uint8).reshape(want.shape), want)
