"""Label images: the values as they are, or a sentence. What becomes of pictures is tested with the node's messages."""
import types

import cv2
import numpy as np
import pytest

from espnet_ros.errors import ImageError
from espnet_ros.images.decoding import (
    compressed_to_label_pixels,
    image_to_bgr,
    image_to_label_pixels,
    png_to_label_pixels,
)

IDS = np.random.default_rng(5).integers(0, 256, (5, 7), dtype=np.uint8)
BGR = np.random.default_rng(6).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def message(pixels, encoding, bigendian=0):
    pixels = pixels.astype(pixels.dtype.newbyteorder('>' if bigendian else '<'))
    return types.SimpleNamespace(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                                 step=pixels.strides[0], is_bigendian=bigendian, data=pixels.tobytes())


def png(pixels):
    return cv2.imencode('.png', pixels)[1].tobytes()


@pytest.mark.parametrize('bigendian', [0, 1])
@pytest.mark.parametrize('pixels, encoding', [
    (IDS, 'mono8'), (IDS, '8UC1'), (IDS.astype(np.uint16) * 257, 'mono16'), (IDS.astype(np.uint16) * 3, '16UC1'),
    (IDS.astype(np.int32) - 70000, '32SC1'), (BGR, 'bgr8')])
def test_values_stay_as_they_are(pixels, encoding, bigendian):
    np.testing.assert_array_equal(image_to_label_pixels(message(pixels, encoding, bigendian)), pixels)


def test_colors_come_as_bgr():
    np.testing.assert_array_equal(image_to_label_pixels(message(BGR[..., ::-1], 'rgb8')), BGR)


@pytest.mark.parametrize('encoding', ['32FC1', '64FC1', 'nonsense'])
def test_other_encodings_are_refused_with_or_without_a_reader_for_foreign_ones(encoding):
    with pytest.raises(ImageError, match='image encoding'):
        image_to_label_pixels(message(IDS, encoding))
    with pytest.raises(ImageError, match="cannot read image encoding 'nonsense'; publish one of bgr8, rgb8"):
        image_to_bgr(message(IDS, 'nonsense'))
    assert image_to_bgr(message(IDS, 'nonsense'), lambda m: m.encoding) == 'nonsense'


@pytest.mark.parametrize('pixels', [IDS, IDS.astype(np.uint16) * 257, BGR])
def test_png(pixels):
    np.testing.assert_array_equal(png_to_label_pixels(png(pixels), 'x'), pixels)
    compressed = types.SimpleNamespace(format='mono8; png compressed ', data=png(pixels))
    np.testing.assert_array_equal(compressed_to_label_pixels(compressed), pixels)


def test_alpha_is_dropped():
    np.testing.assert_array_equal(png_to_label_pixels(png(np.dstack([BGR, IDS])), 'x'), BGR)


def test_bits_that_opencv_would_stretch_are_refused():
    bilevel = cv2.imencode('.png', IDS & 1, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    with pytest.raises(ImageError, match='the file has 1 bits a value; save it with 8'):
        png_to_label_pixels(bilevel, 'the file')
    with pytest.raises(ImageError, match='the file has 16 bits a value; save it with 8'):
        png_to_label_pixels(png(BGR.astype(np.uint16)), 'the file')


@pytest.mark.parametrize('data', [b'', b'x', cv2.imencode('.jpg', BGR)[1].tobytes(), png(IDS)[:20], png(IDS)[:-1],
                                  png(IDS)[:40] + b'?' + png(IDS)[41:]])
def test_what_is_no_whole_png_is_refused(data):
    with pytest.raises(ImageError):
        png_to_label_pixels(data, 'the file')


def test_depth_is_no_label_image():
    with pytest.raises(ImageError, match='holds numbers such as depth'):
        compressed_to_label_pixels(types.SimpleNamespace(format='16UC1; compressedDepth', data=png(IDS)))
