"""sensor_msgs to numpy and back: every encoding, every lie a message can tell."""
import re
import struct
import sys
import types
import zlib

import cv2
import hypothesis
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from espnet_ros.errors import ImageError
from espnet_ros.nodes.common import messages

HEADER = Header(stamp=Time(sec=1234, nanosec=567000000), frame_id='camera_optical')
RNG = np.random.default_rng(7)
BGR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (6, 8, 1), dtype=np.uint8)


def image_message(pixels, encoding, padding=0, bigendian=0, height=None):
    """Lay `pixels` ([rows, width] or [rows, width, channels]) out row by row, with rubbish in the padding."""
    pixels = pixels.astype(pixels.dtype.newbyteorder('>' if bigendian else '<'))
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.hstack((rows, np.full((rows.shape[0], padding), 171, np.uint8)))
    message = Image(header=HEADER, height=height or pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                    is_bigendian=bigendian, step=rows.shape[1])
    message.data = rows.tobytes()
    return message


def compressed_message(data, text='jpeg'):
    message = CompressedImage(header=HEADER, format=text)
    message.data = bytes(data)
    return message


def encoded(image, extension, *options):
    return cv2.imencode(extension, image, list(options))[1].tobytes()


# Every byte as 16 bit, with low bytes that only right rounding survives: v * 257 +- 128 is v again.
def deep(pixels):
    return (pixels.astype(np.int64) * 257 + RNG.integers(-128, 129, pixels.shape)).clip(0, 65535).astype(np.uint16)


EXACT = {
    'bgr8': (BGR, BGR),
    '8UC3': (BGR, BGR),
    'rgb8': (BGR[..., ::-1], BGR),
    'bgra8': (np.dstack((BGR, ALPHA)), BGR),
    'rgba8': (np.dstack((BGR[..., ::-1], ALPHA)), BGR),
    'mono8': (GRAY, np.dstack([GRAY] * 3)),
    '8UC1': (GRAY, np.dstack([GRAY] * 3)),
    'bgr16': (deep(BGR), BGR),
    'rgb16': (deep(BGR[..., ::-1]), BGR),
    'bgra16': (deep(np.dstack((BGR, ALPHA))), BGR),
    'rgba16': (deep(np.dstack((BGR[..., ::-1], ALPHA))), BGR),
    'mono16': (deep(GRAY), np.dstack([GRAY] * 3)),
}


@pytest.mark.parametrize('bigendian', [0, 1])
@pytest.mark.parametrize('padding', [0, 1, 5])
@pytest.mark.parametrize('encoding', sorted(EXACT))
def test_packed_encodings_are_exact(encoding, padding, bigendian):
    pixels, expected = EXACT[encoding]
    result = messages.image_to_bgr(image_message(pixels, encoding, padding, bigendian))
    assert result.dtype == np.uint8 and result.flags.c_contiguous
    np.testing.assert_array_equal(result, expected)


def test_16_bit_is_scaled_by_255_over_65535():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.rint(values * (255 / 65535)).astype(np.uint8)
    np.testing.assert_array_equal(messages.image_to_bgr(image_message(values, 'mono16'))[..., 0], expected)


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('bits, bigendian', [(8, 0), (16, 0), (16, 1)])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_colors(pattern, bits, bigendian, padding):
    """A mosaic of one color is that color again; its pixels are named row by row from the top left corner."""
    color = {'r': 200, 'g': 120, 'b': 30}
    tile = np.array([color[c] for c in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (5, 6)) if bits == 8 else np.tile(tile, (5, 6)).astype(np.uint16) * 257
    result = messages.image_to_bgr(image_message(mosaic, 'bayer_{}{}'.format(pattern, bits), padding, bigendian))
    assert result.shape == (10, 12, 3)
    np.testing.assert_array_equal(result, np.full((10, 12, 3), (30, 120, 200)))


# Colors in video range (BT.601): Y, U, V and what they are in BGR.
YUV = {'red': ((81, 90, 240), (0, 0, 255)), 'green': ((145, 54, 34), (0, 255, 0)),
       'blue': ((41, 240, 110), (255, 0, 0)), 'gray': ((126, 128, 128), (128, 128, 128))}
PACKED = {'yuv422': 'uyvy', 'uyvy': 'uyvy', 'yuv422_yuy2': 'yuyv', 'yuyv': 'yuyv'}


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', sorted(PACKED))
def test_yuv422_colors(encoding, padding):
    rows, expected = [], []
    for (y, u, v), bgr in YUV.values():
        values = iter((u, v) * 4) if PACKED[encoding] == 'uyvy' else None
        rows.append([(next(values), y) if values else (y, (u, v)[i % 2]) for i in range(8)])
        expected.append([bgr] * 8)
    result = messages.image_to_bgr(image_message(np.array(rows, np.uint8), encoding, padding))
    np.testing.assert_allclose(result.astype(int), expected, atol=2)


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_yuv420_colors(encoding, padding):
    luma, chroma, expected = [], [], []
    for (y, u, v), bgr in YUV.values():
        luma += [[y] * 8] * 2
        chroma += [(u, v) * 4 if encoding == 'nv12' else (v, u) * 4]
        expected += [[bgr] * 8] * 2
    message = image_message(np.array(luma + chroma, np.uint8), encoding, padding, height=8)
    np.testing.assert_allclose(messages.image_to_bgr(message).astype(int), expected, atol=2)


def test_every_encoding_of_the_table_is_tested():
    bayer = {'bayer_{}{}'.format(p, b) for p in ('rggb', 'bggr', 'gbrg', 'grbg') for b in (8, 16)}
    assert set(messages.ENCODINGS) == set(EXACT) | bayer | set(PACKED) | {'nv12', 'nv21'}


def test_bgr8_is_a_view_of_the_message_when_rows_are_packed():
    message = image_message(BGR, 'bgr8')
    assert np.shares_memory(messages.image_to_bgr(message), np.frombuffer(message.data, np.uint8))
    message = image_message(BGR, 'bgr8', padding=4)
    assert not np.shares_memory(messages.image_to_bgr(message), np.frombuffer(message.data, np.uint8))


def broken(**changes):
    message = image_message(BGR, 'bgr8')
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize('message, sentence', [
    (broken(width=0), 'the image is 0x6 pixels, so it is empty'),
    (broken(height=0, data=[]), 'the image is 8x0 pixels, so it is empty'),
    (broken(width=2**32 - 1, height=2**32 - 1), '4294967295x4294967295 pixels, more than the 67108864 allowed'),
    (broken(width=8193, height=8192), '8193x8192 pixels, more than the 67108864 allowed'),
    (broken(step=23), 'a row of 8 bgr8 pixels takes 24 bytes, but step is 23'),
    (broken(step=0), 'but step is 0'),
    (broken(data=bytes(143)), 'a bgr8 image of 8x6 pixels with step 24 takes 144 bytes, but its data has 143'),
    (broken(data=bytes(145)), 'takes 144 bytes, but its data has 145'),
    (broken(data=b''), 'its data has 0'),
    (broken(width=4, height=12), 'with step 24 takes 288 bytes, but its data has 144'),
    (broken(step=2**32 - 1), 'with step 4294967295 takes 25769803770 bytes, but its data has 144'),
    (broken(encoding='mono16', width=13), 'a row of 13 mono16 pixels takes 26 bytes, but step is 24'),
    (broken(encoding='uyvy', width=7), 'a uyvy image cannot be 7x6 pixels; its sides must be multiples of 2 and 1'),
    (broken(encoding='nv21', height=5), 'a nv21 image cannot be 8x5 pixels; its sides must be multiples of 2 and 2'),
    (broken(encoding='nv21'), 'a nv21 image of 8x6 pixels with step 24 takes 216 bytes, but its data has 144'),
    (broken(encoding='bayer_rggb8', height=2), 'bayer_rggb8 image cannot be 8x2 pixels; .* at least 3'),
    (broken(encoding='32FC1'), "image encoding '32FC1' holds numbers such as depth, not a picture"),
    (broken(encoding='16UC1'), "'16UC1' holds numbers such as depth"),
    (broken(encoding='8UC' + '9' * 10**6), r"'8UC9{97}\.\.\.' holds numbers"),
    (broken(encoding=''), "cannot read image encoding '' .*; publish one of bgr8, rgb8, .*, bayer_grbg16$"),
    (broken(encoding='BGR8'), "cannot read image encoding 'BGR8'"),
    (broken(encoding='\u2603\n\x1b[0m'), re.escape(r"encoding '\u2603\n\x1b[0m'")),
    (broken(encoding='x' * 10**6), r"cannot read image encoding 'x{100}\.\.\.'"),
])
def test_images_that_do_not_add_up_are_refused(message, sentence):
    with pytest.raises(ImageError, match=sentence) as refusal:
        messages.image_to_bgr(message)
    text = str(refusal.value)
    assert '\n' not in text and text.isascii() and len(text) < 700


def bridge_module(convert):
    class CvBridge:
        def imgmsg_to_cv2(self, message, wanted):
            assert wanted == 'bgr8'
            return convert(message)
    return types.SimpleNamespace(CvBridge=CvBridge)


def test_other_encodings_go_through_cv_bridge(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', bridge_module(lambda message: BGR[:, ::-1]))
    result = messages.image_to_bgr(broken(encoding='nv24'))
    np.testing.assert_array_equal(result, BGR[:, ::-1])
    assert result.flags.c_contiguous


def fail(message):
    raise RuntimeError('[nv24] is not a\ncolor format')


@pytest.mark.parametrize('module, reason', [
    (None, "cv_bridge: '.*cv_bridge.*'"),
    (bridge_module(fail), re.escape(r"(cv_bridge: '[nv24] is not a\ncolor format')")),
    (bridge_module(lambda message: GRAY), r"cv_bridge: 'gives uint8 \[6, 8\]'"),
    (bridge_module(lambda message: BGR.astype(np.float32)), r"cv_bridge: 'gives float32 \[6, 8, 3\]'"),
    (bridge_module(lambda message: None), 'cv_bridge: "\'NoneType\' object'),
])
def test_a_cv_bridge_that_fails_is_a_sentence(monkeypatch, module, reason):
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    with pytest.raises(ImageError, match="cannot read image encoding 'nv24' .*" + reason):
        messages.image_to_bgr(broken(encoding='nv24'))


SIZES = st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1))


@hypothesis.settings(max_examples=400, deadline=None)
@hypothesis.given(st.data())
def test_any_image_message_converts_or_is_refused(data):
    encoding = data.draw(st.one_of(st.sampled_from(sorted(messages.ENCODINGS)), st.text(max_size=20),
                                   st.from_regex(r'(8|16|32|64)[USF]C[0-9]*', fullmatch=True)))
    message = Image(height=data.draw(SIZES), width=data.draw(SIZES), encoding=encoding,
                    is_bigendian=data.draw(st.integers(0, 255)))
    layout = messages.ENCODINGS.get(encoding, messages.ENCODINGS['rgb16'])
    row = message.width * layout.channels * np.dtype(layout.dtype).itemsize
    message.step = min(2**32 - 1, max(0, row + data.draw(st.sampled_from((0, 0, 0, 1, 2, 7, -1)))))
    rows = message.height * 3 // 2 if layout.chroma_below else message.height
    size = rows * message.step + data.draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    message.data = bytes(max(0, size) if size < 10**5 else 50)
    try:
        result = messages.image_to_bgr(message)
    except ImageError as error:
        assert str(error).isascii()
    else:
        assert result.shape == (message.height, message.width, 3)
        assert result.dtype == np.uint8 and result.flags.c_contiguous
        assert size == len(message.data) and message.step >= row


SMOOTH = cv2.resize(RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8), (50, 40), interpolation=cv2.INTER_CUBIC)
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


@hypothesis.settings(max_examples=300, deadline=None)
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


@pytest.mark.parametrize('pixels, encoding', [
    (GRAY, 'mono8'), (BGR, 'bgr8'), (BGR[..., ::-1], 'rgb8'), (GRAY[::2, 1::3], 'mono8'), (BGR[1:, :3], 'bgr8')])
def test_array_to_image(pixels, encoding):
    message = messages.array_to_image(pixels, encoding, HEADER)
    channels = 1 if encoding == 'mono8' else 3
    assert (message.height, message.width) == pixels.shape[:2]
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    assert message.step == message.width * channels and len(message.data) == message.step * message.height
    assert message.data.typecode == 'B' and message.data.tobytes() == pixels.tobytes()
    assert message.header == HEADER and message.header is not HEADER
    expected = pixels[..., ::-1] if encoding == 'rgb8' else pixels.reshape(pixels.shape[:2] + (channels,))
    np.testing.assert_array_equal(messages.image_to_bgr(message), np.broadcast_to(expected, pixels.shape[:2] + (3,)))


@pytest.mark.parametrize('pixels, encoding, found', [
    (BGR, 'mono8', r'uint8 \[6, 8, 3\] as .mono8.'), (GRAY, 'rgb8', r'uint8 \[6, 8\] as .rgb8.'),
    (GRAY.astype(float), 'mono8', r'float64 \[6, 8\]'), (GRAY[:0], 'mono8', r'uint8 \[0, 8\]'),
    (GRAY, '8UC1', r"uint8 \[6, 8\] as '8UC1'"), (GRAY[0], 'mono8', r'uint8 \[8\]')])
def test_array_to_image_refuses_what_does_not_fit(pixels, encoding, found):
    with pytest.raises(ImageError, match='cannot publish ' + found):
        messages.array_to_image(pixels, encoding, HEADER)


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


def camera_info(**changes):
    info = CameraInfo(header=HEADER, width=640, height=480, distortion_model='plumb_bob', d=[0.1, -0.2, 0.0, 0.0, 0.3])
    info.k = np.array([500.0, 0, 320.5, 0, 510.0, 239.5, 0, 0, 1])
    info.r = np.array([0.0, -1, 0, 1, 0, 0, 0, 0, 1])
    info.p = np.array([490.0, 0, 318.0, -49.0, 0, 495.0, 241.0, 7.0, 0, 0, 1, 0])
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def test_scale_camera_info():
    info = camera_info()
    scaled = messages.scale_camera_info(info, 1280, 240)
    np.testing.assert_allclose(scaled.k, [1000, 0, 641.5, 0, 255, 119.5, 0, 0, 1])
    np.testing.assert_allclose(scaled.p, [980, 0, 636.5, -98, 0, 247.5, 120.25, 3.5, 0, 0, 1, 0])
    assert (scaled.width, scaled.height) == (1280, 240)
    assert (scaled.header, scaled.distortion_model, list(scaled.d)) == (info.header, 'plumb_bob', list(info.d))
    np.testing.assert_array_equal(scaled.r, info.r)
    assert scaled.header is not info.header and info == camera_info()


def test_a_point_keeps_its_place_in_a_resized_picture():
    """The corner of the picture, half a pixel outside the first center, stays the corner."""
    scaled = messages.scale_camera_info(camera_info(), 160, 120)
    ray = np.linalg.inv(np.reshape(camera_info().k, (3, 3))).dot([-0.5, -0.5, 1])
    np.testing.assert_allclose(np.reshape(scaled.k, (3, 3)).dot(ray), [-0.5, -0.5, 1])


@pytest.mark.parametrize('info', [
    camera_info(), camera_info(width=1280, height=960, binning_x=2, binning_y=2),
    camera_info(width=1280, height=960, roi=RegionOfInterest(x_offset=5, y_offset=6, width=640, height=480))])
def test_a_picture_that_keeps_its_size_keeps_its_info(info):
    scaled = messages.scale_camera_info(info, 640, 480)
    assert scaled == info and scaled is not info
    scaled.k[0] = 1.0
    assert info.k[0] == 500.0


def test_region_and_binning_go_into_the_matrices():
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=400, height=300, do_rectify=True)
    scaled = messages.scale_camera_info(camera_info(binning_x=2, binning_y=2, roi=roi), 100, 100)
    np.testing.assert_allclose(scaled.k, [125, 0, 221 / 4 - 0.5, 0, 170, 190 / 3 - 0.5, 0, 0, 1])
    np.testing.assert_allclose(scaled.p[[0, 2, 3, 5, 6, 7]], [122.5, 54.125, -12.25, 165, 191.5 / 3 - 0.5, 7 / 3])
    assert (scaled.width, scaled.height, scaled.binning_x, scaled.binning_y) == (100, 100, 0, 0)
    assert scaled.roi == RegionOfInterest()


def test_an_uncalibrated_camera_stays_uncalibrated():
    scaled = messages.scale_camera_info(CameraInfo(width=640, height=480), 320, 240)
    assert not scaled.k.any() and not scaled.p.any() and (scaled.width, scaled.height) == (320, 240)


@pytest.mark.parametrize('info, width, height, sentence', [
    (camera_info(width=0), 320, 240, 'from 0x480 to 320x240 pixels; the camera driver must fill in'),
    (camera_info(height=0), 320, 240, 'from 640x0 to 320x240'),
    (camera_info(), 0, 240, 'from 640x480 to 0x240')])
def test_camera_info_without_a_size_is_refused(info, width, height, sentence):
    with pytest.raises(ImageError, match=sentence):
        messages.scale_camera_info(info, width, height)


def test_stamp_to_seconds():
    assert messages.stamp_to_seconds(HEADER.stamp) == 1234.567
