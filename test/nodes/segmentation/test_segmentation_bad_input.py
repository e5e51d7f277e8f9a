"""Images that are none: each is refused with a sentence and counted, and the next good one is answered."""
import time

import cv2
import numpy as np
import pytest
from segmentation_rig import picture, pixels_of

from espnet_ros.nodes.common.messages import array_to_image


def good(width=160, height=120):
    from std_msgs.msg import Header
    return array_to_image(picture(width, height), 'bgr8', Header())


def bad(**fields):
    message = good()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


BAD = {
    'unknown encoding': ({'encoding': 'rgb99'}, "cannot read image encoding 'rgb99'"),
    'depth': ({'encoding': '32FC1'}, "image encoding '32FC1' holds numbers such as depth"),
    'short data': ({'data': bytes(1000)}, 'takes 57600 bytes, but its data has 1000'),
    'no data': ({'data': b''}, 'takes 57600 bytes, but its data has 0'),
    'long data': ({'data': bytes(57601)}, 'takes 57600 bytes, but its data has 57601'),
    'zero width': ({'width': 0}, 'the image is 0x120 pixels, so it is empty'),
    'zero height': ({'height': 0}, 'the image is 160x0 pixels, so it is empty'),
    'short step': ({'step': 479}, 'but step is 479'),
    'zero step': ({'step': 0}, 'but step is 0'),
    'huge size': ({'width': 4294967295, 'height': 4294967295}, 'more than the 67108864 allowed'),
    'huge height': ({'height': 16000}, 'takes 7680000 bytes, but its data has 57600'),
}


@pytest.fixture
def rig(restart):
    return restart()


@pytest.fixture
def labels(rig):
    from sensor_msgs.msg import Image
    return rig.collect(Image, 'labels')


def show_until_refused(rig, message, sentence, topic='image'):
    """Show a bad image until diagnostics has the sentence, for an image may get lost; return how often it was shown."""
    for count in range(1, 20):
        rig.show(message, topic)
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            refusal = rig.values('Input')['last refusal']
            if sentence in refusal:
                assert '\n' not in refusal and 'Traceback' not in refusal
                return count
            time.sleep(0.02)
    pytest.fail('no {!r} but {!r}'.format(sentence, refusal))


def test_each_is_refused_with_its_sentence_and_counted(rig, labels):
    rig.ask(good(), labels)
    before = rig.settled_counts()
    shown = sum(show_until_refused(rig, bad(**fields), sentence) for fields, sentence in BAD.values())
    change = {name: value - before[name] for name, value in rig.settled_counts().items()}
    assert len(BAD) <= change['refused'] == change['received'] - change['dropped']
    assert change['received'] + change['lost'] == shown and change['failed'] == change['published'] == 0
    rig.wait_for_status('Input', 'the last image was refused: ', level=1)
    rig.ask(good(), labels)
    rig.wait_for_status('Input', ' Hz', level=0)
    assert rig.values('Input')['last refusal'] == 'none'


def test_a_size_that_changes_in_mid_stream(rig, labels):
    for width, height in ((160, 120), (1, 1), (640, 480), (3, 200), (161, 119)):
        answer = rig.ask(good(width, height), labels)
        assert pixels_of(answer).shape == (height, width)


def test_refusals_are_logged_once_in_five_seconds(rig, labels):
    rig.ask(good(), labels)
    before = rig.settled_counts()
    logged = rig.log.count('refused an image on ')
    for _ in range(60):  # three seconds
        rig.show(bad(data=b''))
        time.sleep(0.05)
    change = {name: value - before[name] for name, value in rig.settled_counts().items()}
    assert change['received'] == change['refused'] + change['dropped'] > 30
    assert change['received'] + change['lost'] == 60
    assert 0 <= rig.log.count('refused an image on ') - logged <= 2
    assert rig.process.is_running() and 'Traceback' not in rig.log


def test_compressed_images_that_are_none(restart):
    from sensor_msgs.msg import CompressedImage, Image
    rig = restart(image_transport='compressed')
    labels = rig.collect(Image, 'labels')
    jpeg = cv2.imencode('.jpg', picture())[1].tobytes()
    message = CompressedImage(format='jpeg', data=jpeg)
    topic = 'image/compressed'
    rig.ask(message, labels, topic)
    for data, sentence in (
            (jpeg[:len(jpeg) // 2], 'stops after'), (b'', '(0 bytes) is neither JPEG nor PNG'),
            (b'GIF89a', '(6 bytes) is neither JPEG nor PNG')):
        show_until_refused(rig, CompressedImage(format='jpeg', data=data), sentence, topic)
    answer = rig.ask(message, labels, topic)
    assert pixels_of(answer).shape == (120, 160) and len(np.unique(pixels_of(answer))) > 1
    damaged = bytearray(cv2.imencode('.jpg', picture(640, 480))[1].tobytes())
    damaged[3000:3040] = bytes(40)
    damaged = CompressedImage(format='jpeg', data=damaged)
    rig.ask(damaged, labels, topic)
    rig.wait_for_status('Input', 'the last image is damaged and was used all the same: Corrupt JPEG', 1)
    assert rig.set(refuse_damaged=True) == {}
    show_until_refused(rig, damaged, 'it is damaged: Corrupt JPEG', topic)
    rig.ask(message, labels, topic)
    rig.wait_for_status('Input', ' Hz', 0)


def test_an_image_that_takes_its_decoder_too_long(restart):
    from sensor_msgs.msg import CompressedImage, Image
    rig = restart(image_transport='compressed', max_decode_time=0.01)
    labels = rig.collect(Image, 'labels')
    noise = np.random.default_rng(0).integers(0, 256, (4000, 4000, 3), np.uint8)
    slow = CompressedImage(format='png', data=cv2.imencode('.png', noise)[1].tobytes())
    show_until_refused(rig, slow, 'not decoded: it took longer than 0.01 s', 'image/compressed')
    rig.ask(CompressedImage(format='jpeg', data=cv2.imencode('.jpg', picture())[1].tobytes()), labels,
            'image/compressed')
