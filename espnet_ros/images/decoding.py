"""Image messages, raw or compressed, to arrays, the same for the robot and for the evaluation of its recordings.

A message is any object with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage; ROS is not needed.
"""
import re
import typing
import zlib

import cv2
import numpy as np

from espnet_ros.errors import ImageError, quoted
from espnet_ros.images.decoder import decode
from espnet_ros.images.headers import JPEG_END, JPEG_MAGIC, PNG_MAGIC, jpeg_frame_size, jpeg_segments, png_chunks
from espnet_ros.images.limits import check_size


class Layout(typing.NamedTuple):
    """How the pixels of an encoding lie in memory, and the cv2.cvtColor code to BGR (None: they are BGR).

    Width and height must be multiples of `grid` and at least `smallest`. `chroma_below`: a half-height chroma plane
    follows the luma.
    """

    dtype: type
    channels: int
    code: typing.Optional[int]
    grid: typing.Tuple[int, int] = (1, 1)
    smallest: int = 1
    chroma_below: bool = False


# OpenCV names a Bayer pattern by the second and third pixel of the second row, ROS by the first two rows.
_BAYER_CODES = {
    'rggb': cv2.COLOR_BayerBG2BGR, 'bggr': cv2.COLOR_BayerRG2BGR,
    'gbrg': cv2.COLOR_BayerGR2BGR, 'grbg': cv2.COLOR_BayerGB2BGR}

_UYVY = Layout(np.uint8, 2, cv2.COLOR_YUV2BGR_UYVY, grid=(2, 1))
_YUYV = Layout(np.uint8, 2, cv2.COLOR_YUV2BGR_YUY2, grid=(2, 1))

ENCODINGS = {
    'bgr8': Layout(np.uint8, 3, None),
    'rgb8': Layout(np.uint8, 3, cv2.COLOR_RGB2BGR),
    'bgra8': Layout(np.uint8, 4, cv2.COLOR_BGRA2BGR),
    'rgba8': Layout(np.uint8, 4, cv2.COLOR_RGBA2BGR),
    'mono8': Layout(np.uint8, 1, cv2.COLOR_GRAY2BGR),
    '8UC1': Layout(np.uint8, 1, cv2.COLOR_GRAY2BGR),
    '8UC3': Layout(np.uint8, 3, None),
    'bgr16': Layout(np.uint16, 3, None),
    'rgb16': Layout(np.uint16, 3, cv2.COLOR_RGB2BGR),
    'bgra16': Layout(np.uint16, 4, cv2.COLOR_BGRA2BGR),
    'rgba16': Layout(np.uint16, 4, cv2.COLOR_RGBA2BGR),
    'mono16': Layout(np.uint16, 1, cv2.COLOR_GRAY2BGR),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': Layout(np.uint8, 1, cv2.COLOR_YUV2BGR_NV12, grid=(2, 2), chroma_below=True),
    'nv21': Layout(np.uint8, 1, cv2.COLOR_YUV2BGR_NV21, grid=(2, 2), chroma_below=True),
}
ENCODINGS.update({
    'bayer_{}{}'.format(name, bits): Layout(dtype, 1, code, smallest=3)  # OpenCV makes smaller ones black
    for bits, dtype in ((8, np.uint8), (16, np.uint16)) for name, code in _BAYER_CODES.items()})


def image_to_bgr(message, foreign=None):
    """Return an image message as BGR uint8 [H, W, 3], C-contiguous. Raises ImageError.

    Every encoding in ENCODINGS is read with any `step`; 8UC3 counts as BGR. 16 bits become 8 by v * 255 / 65535, as
    in cv_bridge, so a camera that fills only the low 12 bits looks dark; `is_bigendian` is honored. Any other named
    encoding is left to `foreign`, a function of the message, where there is one. Numbers that are no picture, such as
    depth (32FC1, 16UC1), are refused, and so is a message that does not hold exactly `step` bytes a row.

    bgr8 and 8UC3 without padding are not copied: the result is a view of the message, not to be written to.
    """
    check_size(message.width, message.height)
    layout = ENCODINGS.get(message.encoding)
    if layout is None:
        if _holds_numbers(message.encoding):
            raise ImageError(_NOT_A_PICTURE.format('image encoding ' + quoted(message.encoding)))
        if foreign is None:
            raise unknown_encoding(message)
        return foreign(message)
    pixels = _pixels(message, layout)
    try:
        if layout.dtype is np.uint16:
            pixels = cv2.convertScaleAbs(np.ascontiguousarray(pixels, np.uint16), alpha=255.0 / 65535.0)
        return np.ascontiguousarray(pixels) if layout.code is None else cv2.cvtColor(pixels, layout.code)
    except (cv2.error, MemoryError) as error:
        raise ImageError('cannot convert the {} image of {}x{} pixels: {}'.format(
            message.encoding, message.width, message.height, quoted(error)))


def compressed_to_bgr(message, note=None, seconds=0.0):
    """Return a compressed image message, JPEG or PNG, as BGR uint8 [H, W, 3]. Raises ImageError.

    The bytes decide which of the two it is, and their colors are taken as the file means them. Alpha is dropped,
    16 bits become 8, and an EXIF orientation is ignored, because camera_info describes the picture as it was taken.
    Depth and files that stop before their end are refused.

    note: called with what the decoder says about a file that is damaged and yet decoded, '' for one that is whole.
    seconds: the decoder is given up after these; 0: never.
    """
    name = _compressed_name(message)
    return _decode(bytes(message.data), name, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, note, seconds)


def image_to_label_pixels(message):
    """Return the pixels of a label image message as they are: integers [H, W], or BGR uint8 [H, W, 3] when colored.

    One channel of 8, 16 or signed 32 bits holds ids; the rest is read as by `image_to_bgr`. Raises ImageError.
    """
    layout = _ID_LAYOUTS.get(message.encoding)
    if layout is None:
        return image_to_bgr(message)
    check_size(message.width, message.height)
    return _pixels(message, layout)


def compressed_to_label_pixels(message):
    """Return the pixels of a compressed label image message as `png_to_label_pixels` does. Raises ImageError."""
    return png_to_label_pixels(bytes(message.data), _compressed_name(message))


def png_to_label_pixels(data, name):
    """Return the pixels of a PNG as they are: uint8 or uint16 [H, W], or BGR uint8 [H, W, 3] when colored.

    data: the file's bytes; name: of it in error messages. A palette is replaced by its colors, alpha is dropped. JPEG
    is refused, because it changes labels along every edge. Raises ImageError.
    """
    if not data.startswith(PNG_MAGIC):
        raise ImageError('{} ({} bytes) is no PNG; labels must be PNG, other formats may change them'.format(
            name, len(data)))
    depth, color = data[24:25], data[25:26]
    if (color == b'\0' and depth < b'\x08') or (color in (b'\x02', b'\x06') and depth > b'\x08'):
        raise ImageError('{} has {} bits a value; save it with 8'.format(name, ord(depth)))  # OpenCV would stretch them
    pixels = _decode(data, name, cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., :3])


def unknown_encoding(message, reason=''):
    """Return the ImageError for an encoding that nobody here reads; reason: what another reader said, in brackets."""
    return ImageError('cannot read image encoding {}{}; publish one of {}'.format(
        quoted(message.encoding), reason, ', '.join(ENCODINGS)))


_ID_LAYOUTS = {
    'mono8': Layout(np.uint8, 1, None), '8UC1': Layout(np.uint8, 1, None), 'mono16': Layout(np.uint16, 1, None),
    '16UC1': Layout(np.uint16, 1, None), '32SC1': Layout(np.int32, 1, None)}

_NOT_A_PICTURE = '{} holds numbers such as depth, not a picture; subscribe to a color or gray camera topic'


def _holds_numbers(encoding):
    return encoding not in ENCODINGS and re.match('(8|16|32|64)[USF]', encoding) is not None


def _compressed_name(message):
    """Return what error messages call a compressed image; one that holds numbers such as depth is refused."""
    name = 'the compressed image of format {}'.format(quoted(message.format))
    if 'compressedDepth' in message.format or _holds_numbers(message.format.split(';')[0].strip()):
        raise ImageError(_NOT_A_PICTURE.format(name))
    return name


def _decode(data, name, flags, note=None, seconds=0.0):
    size_of = next((reader for magic, reader in _FILE_SIZES if data.startswith(magic)), None)
    if size_of is None:
        raise ImageError('{} ({} bytes) is neither JPEG nor PNG; publish one of these'.format(name, len(data)))
    width, height = size_of(data)
    image, warning = decode(data, (width, height), flags, 'the image', seconds)
    if image is None or image.shape[:2] != (height, width):
        raise ImageError('{} ({} bytes, {}x{} pixels) is damaged and cannot be decoded'.format(
            name, len(data), width, height))
    if note is not None:
        note(warning)
    return image


def _pixels(message, layout):
    """View the message's data as `layout` says, integers [rows, width] or [rows, width, channels]."""
    if (message.width % layout.grid[0] or message.height % layout.grid[1]
            or min(message.width, message.height) < layout.smallest):
        raise ImageError('a {} image cannot be {}x{} pixels; its sides must be multiples of {} and {}, and at least {}'
                         .format(message.encoding, message.width, message.height, *layout.grid, layout.smallest))
    pixel = layout.channels * np.dtype(layout.dtype).itemsize
    if message.step < message.width * pixel:
        raise ImageError('a row of {} {} pixels takes {} bytes, but step is {}; fix its publisher'.format(
            message.width, message.encoding, message.width * pixel, message.step))
    rows = message.height * 3 // 2 if layout.chroma_below else message.height
    if len(message.data) != rows * message.step:
        raise ImageError('a {} image of {}x{} pixels with step {} takes {} bytes, but its data has {}; fix its '
                         'publisher'.format(message.encoding, message.width, message.height, message.step,
                                            rows * message.step, len(message.data)))
    dtype = np.dtype(layout.dtype).newbyteorder('>' if message.is_bigendian else '<')
    shape = (rows, message.width, layout.channels)[:2 if layout.channels == 1 else 3]
    return np.ndarray(shape, dtype, message.data, strides=(message.step, pixel, dtype.itemsize)[:len(shape)])


def _jpeg_size(data):
    """Return (width, height) of a JPEG after walking all its segments; OpenCV would fill a missing end with gray."""
    size = None
    for marker, start in jpeg_segments(data):
        if marker == JPEG_END:
            if size is None:
                raise ImageError('the JPEG image of {} bytes has no frame header; fix its publisher'.format(
                    len(data)))
            return size
        if start + 7 <= len(data):
            size = size or jpeg_frame_size(data, marker, start)
    raise ImageError('the JPEG image stops after {} bytes, before its end; a message was truncated'.format(len(data)))


def _png_size(data):
    """Return (width, height) of a PNG after checking that all its chunks are there and whole."""
    if data[12:16] != b'IHDR':
        raise ImageError('the PNG image of {} bytes has no header; fix its publisher'.format(len(data)))
    for kind, start, end in png_chunks(data):
        if zlib.crc32(data[start + 4:end - 4]) != int.from_bytes(data[end - 4:end], 'big'):
            raise ImageError('the PNG image of {} bytes is damaged in its chunk {}; a message was corrupted'.format(
                len(data), quoted(kind.decode('latin-1'))))
        if kind == b'IEND':
            return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')
    raise ImageError('the PNG image stops after {} bytes, before its end; a message was truncated'.format(len(data)))


_FILE_SIZES = ((JPEG_MAGIC, _jpeg_size), (PNG_MAGIC, _png_size))
