"""sensor_msgs/CompressedImage to numpy and back: every kind of file, every one that cannot be right."""
import struct
import zlib

import cv2
import hypothesis
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from espnet_ros.errors import ImageError
from espnet_ros.nodes.common import messages

HEADER = Header(stamp=Time(sec=1234, nanosec=567000000), frame_id='camera_optical')


def compressed_message(data, text='jpeg'):
    message = CompressedImage(header=HEADER, format=text)
    message.data = bytes(data)
    return message


def encoded(image, extension, *options):
    return cv2.imencode(extension, image, list(options))[1].tobytes()


SMOOTH = cv2.resize(np.random.default_rng(7).integers(0, 256, (4, 5, 3), dtype=np.uint8), (50, 40),
                    interpolation=cv2.INTER_CUBIC)
PNG = encoded(SMOOTH, '.png')
JPEGS = {
    'baseline': encoded(SMOOTH, '.jpg', cv2.IMWRITE_JPEG_QUALITY, 95),
    'progressive': encoded(SMOOTH, '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'restarts': encoded(SMOOTH, '.jpg', cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    'gray': encoded(SMOOTH[..., 0], '.jpg'),
}


@pytest.mark.parametrize('text', ['png', 'bgr8; png compressed bgr8', ''])
def test_png_is_exact(text):
    np.testing.assert_array_equal(messages.compressed_to_bgr(compressed_message(PNG, text)), SMOOTH)


@pytest.mark.parametrize('pixels, expected', [
    (SMOOTH[..., 0], np.dstack([SMOOTH[..., 0]] * 3)),
    (np.dstack((SMOOTH, SMOOTH[..., :1])), SMOOTH),
    (SMOOTH.astype(np.uint16) * 257, SMOOTH),
    (SMOOTH[..., 0].astype(np.uint16) * 257, np.dstack([SMOOTH[..., 0]] * 3))])
def test_other_png_depths_become_bgr8(pixels, expected):
    result = messages.compressed_to_bgr(compressed_message(encoded(pixels, '.png'), 'png'))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize('kind', sorted(JPEGS))
def test_jpeg(kind):
    expected = np.dstack([SMOOTH[..., 0]] * 3) if kind == 'gray' else SMOOTH
    for tail in (b'', b'\0' * 9, b'rubbish of the camera'):
        result = messages.compressed_to_bgr(compressed_message(JPEGS[kind] + tail))
        assert result.shape == SMOOTH.shape and result.dtype == np.uint8
        assert np.abs(result.astype(int) - expected).mean() < 5


def with_segment(jpeg, marker, payload):
    return jpeg[:2] + b'\xff' + bytes([marker]) + struct.pack('>H', len(payload) + 2) + payload + jpeg[2:]


def test_exif_orientation_does_not_turn_the_image():
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    turned = with_segment(JPEGS['baseline'], 0xe1, exif)
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (50, 40, 3)
    result = messages.compressed_to_bgr(compressed_message(turned))
    np.testing.assert_array_equal(result, messages.compressed_to_bgr(compressed_message(JPEGS['baseline'])))


@pytest.mark.parametrize('kind', sorted(JPEGS) + ['thumbnail', 'png'])
def test_no_truncated_file_is_accepted(kind):
    """Cut at every byte, also with zeros in place of what is missing; a thumbnail's end is not the image's."""
    if kind == 'thumbnail':
        data = with_segment(JPEGS['baseline'], 0xe1, b'Exif\0\0' + JPEGS['gray'])
    else:
        data = PNG if kind == 'png' else JPEGS[kind]
    messages.compressed_to_bgr(compressed_message(data))
    for end in range(len(data)):
        for tail in (b'', b'\0' * (len(data) - end)) if end < len(data) - 1 else (b'',):
            with pytest.raises(ImageError):
                messages.compressed_to_bgr(compressed_message(data[:end] + tail))


def test_truncation_says_so():
    with pytest.raises(ImageError, match=r'the JPEG image stops after 300 bytes, before its end'):
        messages.compressed_to_bgr(compressed_message(JPEGS['baseline'][:300]))
    with pytest.raises(ImageError, match=r'the PNG image stops after 300 bytes, before its end'):
        messages.compressed_to_bgr(compressed_message(PNG[:300]))


def png_chunk(kind, payload):
    return struct.pack('>I', len(payload)) + kind + payload + struct.pack('>I', zlib.crc32(kind + payload))


def png_of_size(width, height, pixels=b''):
    return (PNG[:8] + png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + png_chunk(b'IDAT', zlib.compress(pixels)) + png_chunk(b'IEND', b''))


def jpeg_of_size(width, height):
    frame = JPEGS['baseline'].index(b'\xff\xc0')
    return JPEGS['baseline'][:frame + 5] + struct.pack('>HH', height, width) + JPEGS['baseline'][frame + 9:]


@pytest.mark.parametrize('data, text, sentence', [
    (b'', 'jpeg', r"format 'jpeg' \(0 bytes\) is neither JPEG nor PNG"),
    (b'\0\0\0\x01\x67', 'h264', r"format 'h264' \(5 bytes\) is neither JPEG nor PNG"),
    (b'BM' + bytes(60), 'bmp' * 1000, r"format '(bmp){33}b\.\.\.' \(62 bytes\) is neither"),
    (bytes(12) + PNG, '16UC1; compressedDepth png', "format '16UC1; compressedDepth png' holds numbers such as depth"),
    (PNG, '32FC1; compressedDepth', 'holds numbers such as depth'),
    (PNG, '16UC1; png compressed ', "'16UC1; png compressed ' holds numbers such as depth"),
    (b'\xff\xd8\xff\xd9', 'jpeg', 'the JPEG image of 4 bytes has no frame header'),
    (jpeg_of_size(65500, 65500), 'jpeg', '65500x65500 pixels, more than the 67108864 allowed'),
    (jpeg_of_size(50, 0), 'jpeg', 'the image is 50x0 pixels, so it is empty'),
    (png_of_size(2**31 - 1, 2**31 - 1), 'png', '2147483647x2147483647 pixels, more than the 67108864'),
    (png_of_size(0, 4), 'png', 'the image is 0x4 pixels, so it is empty'),
    (png_of_size(40, 30, b'\0' * 50), 'png', r'40x30 pixels\) is damaged and cannot be decoded'),
    (PNG[:8] + PNG[33:], 'png', 'the PNG image of .* bytes has no header'),
    (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], 'png', "damaged in its chunk 'IDAT'"),
])
def test_compressed_images_that_cannot_be_right_are_refused(data, text, sentence):
    with pytest.raises(ImageError, match=sentence):
        messages.compressed_to_bgr(compressed_message(data, text))


@hypothesis.settings(max_examples=300)
@hypothesis.given(st.sampled_from(sorted(JPEGS) + ['png']), st.lists(st.tuples(
    st.integers(0, 4000), st.integers(0, 255)), max_size=6), st.text(max_size=12))
def test_any_compressed_message_converts_or_is_refused(kind, changes, text):
    data = bytearray(PNG if kind == 'png' else JPEGS[kind])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        result = messages.compressed_to_bgr(compressed_message(data, text))
    except ImageError as error:
        assert str(error).isascii()
    else:
        assert result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3


def test_bgr_to_compressed_round_trip():
    message = messages.bgr_to_compressed(SMOOTH, 95, HEADER)
    assert message.format == 'rgb8; jpeg compressed bgr8'
    assert message.header == HEADER and message.header is not HEADER
    assert np.abs(messages.compressed_to_bgr(message).astype(int) - SMOOTH).mean() < 3
    assert len(messages.bgr_to_compressed(SMOOTH, 10, HEADER).data) < len(message.data)


@pytest.mark.parametrize('image', [np.zeros((1, 70000, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_bgr_to_compressed_refuses_what_jpeg_cannot_hold(image):
    with pytest.raises(ImageError, match='cannot write uint8 .* as JPEG'):
        messages.bgr_to_compressed(image, 90, HEADER)
