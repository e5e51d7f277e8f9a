"""sensor_msgs/Image to numpy and back: every encoding, every lie a message can tell."""
import re
import sys
import types

import hypothesis
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from sensor_msgs.msg import Image
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


@hypothesis.settings(max_examples=400)
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


def test_stamp_to_seconds():
    assert messages.stamp_to_seconds(HEADER.stamp) == 1234.567
