"""sensor_msgs <-> numpy: the only place that knows how images lie in messages."""
import array
import copy
import re
import typing
import zlib

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from espnet_ros.errors import ImageError

MAX_PIXELS = 64 * 1024 * 1024
"""Larger images are refused before memory is taken for them."""


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


def image_to_bgr(message):
    """Return a sensor_msgs/Image as BGR uint8 [H, W, 3], C-contiguous. Raises ImageError.

    Every encoding in ENCODINGS is read with any `step`; 8UC3 counts as BGR. 16 bits become 8 by v * 255 / 65535, as
    in cv_bridge, so a camera that fills only the low 12 bits looks dark; `is_bigendian` is honoured. Any other named
    encoding is left to cv_bridge, where that is installed. Numbers that are no picture, such as depth (32FC1, 16UC1),
    are refused, and so is a message that does not hold exactly `step` bytes a row.

    bgr8 and 8UC3 without padding are not copied: the result is a view of the message, not to be written to.
    """
    _check_size(message.width, message.height)
    layout = ENCODINGS.get(message.encoding)
    if layout is None:
        return _foreign_to_bgr(message)
    pixels = _pixels(message, layout)
    try:
        if layout.dtype is np.uint16:
            pixels = cv2.convertScaleAbs(np.ascontiguousarray(pixels, np.uint16), alpha=255.0 / 65535.0)
        return np.ascontiguousarray(pixels) if layout.code is None else cv2.cvtColor(pixels, layout.code)
    except (cv2.error, MemoryError) as error:
        raise ImageError('cannot convert the {} image of {}x{} pixels: {}'.format(
            message.encoding, message.width, message.height, _short(error)))


def compressed_to_bgr(message):
    """Return a sensor_msgs/CompressedImage, JPEG or PNG, as BGR uint8 [H, W, 3]. Raises ImageError.

    The bytes decide which of the two it is, and their colours are taken as the file means them. Alpha is dropped,
    16 bits become 8, and an EXIF orientation is ignored, because camera_info describes the picture as it was taken.
    Depth and files that stop before their end are refused.
    """
    encoding = message.format.split(';')[0].strip()
    if 'compressedDepth' in message.format or _holds_numbers(encoding):
        raise ImageError(_NOT_A_PICTURE.format('the compressed image of format', _short(message.format)))
    data = bytes(message.data)
    size_of = next((reader for magic, reader in _FILE_SIZES if data.startswith(magic)), None)
    if size_of is None:
        raise ImageError('the compressed image of format {} ({} bytes) is neither JPEG nor PNG; publish one of these'
                         .format(_short(message.format), len(data)))
    width, height = size_of(data)
    _check_size(width, height)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None or image.shape != (height, width, 3):
        raise ImageError('the compressed image of format {} ({} bytes, {}x{} pixels) is damaged and cannot be decoded'
                         .format(_short(message.format), len(data), width, height))
    return image


def array_to_image(pixels, encoding, header):
    """Return a sensor_msgs/Image with packed rows (`step` = width * channels) and a copy of `header`.

    `pixels` is uint8 [H, W] for mono8 or [H, W, 3] for rgb8 and bgr8, contiguous or not. Raises ImageError.
    """
    fits = pixels.dtype == np.uint8 and pixels.ndim >= 2 and pixels.shape[2:] == _CHANNELS_OUT.get(encoding)
    if not fits or pixels.size == 0:
        raise ImageError('cannot publish {} {} as {}; mono8 takes uint8 [H, W], rgb8 and bgr8 uint8 [H, W, 3]'.format(
            pixels.dtype, list(pixels.shape), _short(encoding)))
    message = Image()
    message.header = copy.deepcopy(header)
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = pixels.size // pixels.shape[0]
    message.data = _bytes(pixels)
    return message


def bgr_to_compressed(image, quality, header):
    """Return BGR uint8 [H, W, 3] as a JPEG sensor_msgs/CompressedImage with a copy of `header`. Raises ImageError.

    `quality` is 1..100. The format is what image_transport writes for an rgb8 image, so that its subscribers decode
    to rgb8.
    """
    try:
        done, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    except cv2.error:
        done = False
    if not done:
        raise ImageError('cannot write {} {} as JPEG, which takes uint8 [H, W, 3] up to 65500 pixels a side'.format(
            image.dtype, list(image.shape)))
    message = CompressedImage()
    message.header = copy.deepcopy(header)
    message.format = 'rgb8; jpeg compressed bgr8'
    message.data = _bytes(jpeg)
    return message


def scale_camera_info(info, width, height):
    """Return a copy of a sensor_msgs/CameraInfo for its picture resized to width x height. Raises ImageError.

    A picture that keeps its size keeps its info, region of interest and binning included. Otherwise K and P are those
    of a camera that takes the resized picture as a whole: region and binning go into them and are cleared. Pixel
    centres lie at whole coordinates: cx' = (cx + 0.5) * s - 0.5. Distortion and R do not depend on the size.
    """
    if 0 in (info.width, info.height) or width < 1 or height < 1:
        raise ImageError('cannot scale camera_info from {}x{} to {}x{} pixels; the camera driver must fill in '
                         'width and height'.format(info.width, info.height, width, height))
    scaled = copy.deepcopy(info)
    roi = info.roi
    taken = (roi.width or info.width, roi.height or info.height)
    if (width, height) == (taken[0] // max(1, info.binning_x), taken[1] // max(1, info.binning_y)):
        return scaled
    sx, sy = width / taken[0], height / taken[1]
    resize = np.array([[sx, 0.0, (0.5 - roi.x_offset) * sx - 0.5],
                       [0.0, sy, (0.5 - roi.y_offset) * sy - 0.5],
                       [0.0, 0.0, 1.0]])
    scaled.width, scaled.height = width, height
    scaled.k = resize.dot(np.reshape(info.k, (3, 3))).ravel()
    scaled.p = resize.dot(np.reshape(info.p, (3, 4))).ravel()
    scaled.binning_x = scaled.binning_y = 0
    scaled.roi = type(roi)()
    return scaled


def stamp_to_seconds(stamp):
    """Return a builtin_interfaces/Time as seconds, good to about a microsecond."""
    return stamp.sec + stamp.nanosec * 1e-9


_CHANNELS_OUT = {'mono8': (), 'rgb8': (3,), 'bgr8': (3,)}

_NOT_A_PICTURE = '{} {} holds numbers such as depth, not a picture; subscribe to a colour or grey camera topic'


def _holds_numbers(encoding):
    return encoding not in ENCODINGS and re.match('(8|16|32|64)[USF]', encoding) is not None


def _short(value):
    """Foreign text fit for a message: quoted, on one line, ASCII, not long."""
    text = str(value)
    return ascii(text if len(text) <= 100 else text[:100] + '...')


def _check_size(width, height):
    if width < 1 or height < 1:
        raise ImageError('the image is {}x{} pixels, so it is empty; repair its publisher'.format(width, height))
    if width * height > MAX_PIXELS:
        raise ImageError('the image is {}x{} pixels, more than the {} allowed; publish smaller images'.format(
            width, height, MAX_PIXELS))


def _pixels(message, layout):
    """View the message's data as `layout` says, uint8 or uint16 [rows, width] or [rows, width, channels]."""
    if (message.width % layout.grid[0] or message.height % layout.grid[1]
            or min(message.width, message.height) < layout.smallest):
        raise ImageError('a {} image cannot be {}x{} pixels; its sides must be multiples of {} and {}, and at least {}'
                         .format(message.encoding, message.width, message.height, *layout.grid, layout.smallest))
    pixel = layout.channels * np.dtype(layout.dtype).itemsize
    if message.step < message.width * pixel:
        raise ImageError('a row of {} {} pixels takes {} bytes, but step is {}; repair its publisher'.format(
            message.width, message.encoding, message.width * pixel, message.step))
    rows = message.height * 3 // 2 if layout.chroma_below else message.height
    if len(message.data) != rows * message.step:
        raise ImageError('a {} image of {}x{} pixels with step {} takes {} bytes, but its data has {}; repair its '
                         'publisher'.format(message.encoding, message.width, message.height, message.step,
                                            rows * message.step, len(message.data)))
    dtype = np.dtype(layout.dtype).newbyteorder('>' if message.is_bigendian else '<')
    shape = (rows, message.width, layout.channels)[:2 if layout.channels == 1 else 3]
    return np.ndarray(shape, dtype, message.data, strides=(message.step, pixel, dtype.itemsize)[:len(shape)])


def _foreign_to_bgr(message):
    """Let cv_bridge convert an encoding that is not in the table."""
    if _holds_numbers(message.encoding):
        raise ImageError(_NOT_A_PICTURE.format('image encoding', _short(message.encoding)))
    try:
        from cv_bridge import CvBridge
        image = CvBridge().imgmsg_to_cv2(message, 'bgr8')
        if image.shape != (message.height, message.width, 3) or image.dtype != np.uint8:
            raise TypeError('gives {} {}'.format(image.dtype, list(image.shape)))
    except Exception as error:  # what it raises differs between its versions, and it may be missing or broken
        raise ImageError('cannot read image encoding {} (cv_bridge: {}); publish one of {}'.format(
            _short(message.encoding), _short(error), ', '.join(ENCODINGS)))
    return np.ascontiguousarray(image)


def _bytes(pixels):
    """Copy to array.array, the one type that message setters of every distribution take without a look at each byte."""
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).data)
    return data


# A marker other than a stuffed byte (00), a restart (D0..D7) or TEM (01), which stand inside compressed data or alone.
_JPEG_MARKER = re.compile(b'\xff([^\x00\x01\xd0-\xd7\xff])')
_JPEG_END = 0xd9
_JPEG_FRAMES = frozenset(range(0xc0, 0xd0)) - {0xc4, 0xc8, 0xcc}


def _jpeg_size(data):
    """Return (width, height) of a JPEG after walking all its segments; OpenCV would fill a missing end with grey."""
    size = None
    found = _JPEG_MARKER.search(data, 2)
    while found:
        marker, start = found.group(1)[0], found.end()
        if marker == _JPEG_END:
            if size is None:
                raise ImageError('the JPEG image of {} bytes has no frame header; repair its publisher'.format(
                    len(data)))
            return size
        if marker in _JPEG_FRAMES and size is None:
            size = int.from_bytes(data[start + 5:start + 7], 'big'), int.from_bytes(data[start + 3:start + 5], 'big')
        found = _JPEG_MARKER.search(data, start + max(2, int.from_bytes(data[start:start + 2], 'big')))
    raise ImageError('the JPEG image stops after {} bytes, before its end; a message was cut short'.format(len(data)))


def _png_size(data):
    """Return (width, height) of a PNG after checking that all its chunks are there and whole."""
    if data[12:16] != b'IHDR':
        raise ImageError('the PNG image of {} bytes has no header; repair its publisher'.format(len(data)))
    start = 8
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start:start + 4], 'big')
        if end > len(data):
            break
        kind = data[start + 4:start + 8]
        if zlib.crc32(data[start + 4:end - 4]) != int.from_bytes(data[end - 4:end], 'big'):
            raise ImageError('the PNG image of {} bytes is damaged in its chunk {}; a message was garbled'.format(
                len(data), _short(kind.decode('latin-1'))))
        if kind == b'IEND':
            return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')
        start = end
    raise ImageError('the PNG image stops after {} bytes, before its end; a message was cut short'.format(len(data)))


_FILE_SIZES = ((b'\xff\xd8\xff', _jpeg_size), (b'\x89PNG\r\n\x1a\n', _png_size))
