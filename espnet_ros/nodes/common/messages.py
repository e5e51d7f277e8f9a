"""sensor_msgs <-> numpy: images as ROS messages."""
import array
import copy

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from espnet_ros.errors import ImageError
from espnet_ros.images import decoding
from espnet_ros.images.decoding import ENCODINGS, compressed_to_bgr, quoted, unknown_encoding
from espnet_ros.labels.autoware import run_lengths

__all__ = ['ENCODINGS', 'array_to_image', 'autoware_mask', 'bgr_to_compressed', 'compressed_to_bgr', 'image_to_bgr',
           'scale_camera_info', 'stamp_to_seconds']


def image_to_bgr(message):
    """Return a sensor_msgs/Image as BGR uint8 [H, W, 3], C-contiguous (decoding.image_to_bgr). Raises ImageError.

    Encodings that are not in ENCODINGS are left to cv_bridge, where that is installed.
    """
    return decoding.image_to_bgr(message, _foreign_to_bgr)


def array_to_image(pixels, encoding, header):
    """Return a sensor_msgs/Image with packed rows (`step` = width * channels) and a copy of `header`.

    `pixels` is uint8 [H, W] for mono8 or [H, W, 3] for rgb8 and bgr8, contiguous or not; float32 [H, W, 7] for 32FC7.
    Raises ImageError.
    """
    kind = np.float32 if encoding == '32FC7' else np.uint8
    fits = pixels.dtype == kind and pixels.ndim >= 2 and pixels.shape[2:] == _CHANNELS_OUT.get(encoding)
    if not fits or pixels.size == 0:
        raise ImageError('cannot publish {} {} as {}; mono8 takes uint8 [H, W], rgb8 and bgr8 uint8 [H, W, 3], '
                         '32FC7 float32 [H, W, 7]'.format(
            pixels.dtype, list(pixels.shape), quoted(encoding)))
    message = Image()
    message.header = copy.deepcopy(header)
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = pixels.nbytes // pixels.shape[0]
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


def autoware_mask(labels, table, header):
    """Return labels as Autoware takes them: a mono8 sensor_msgs/Image whose data are run lengths, not pixels.

    labels: uint8 [H, W]. table: uint8 [256], as of labels.autoware.table_of.
    """
    message = Image(header=copy.deepcopy(header), height=labels.shape[0], width=labels.shape[1], encoding='mono8',
                    step=labels.shape[1])
    message.data = array.array('B', run_lengths(table[labels]))
    return message


def picture_size(info):
    """Return (width, height) of the pictures of a sensor_msgs/CameraInfo: of its region of interest, binned."""
    return ((info.roi.width or info.width) // max(1, info.binning_x),
            (info.roi.height or info.height) // max(1, info.binning_y))


def scale_camera_info(info, width, height, whole=False):
    """Return a copy of a sensor_msgs/CameraInfo for its picture resized to width x height. Raises ImageError.

    A picture that keeps its size keeps its info, region of interest and binning included, unless `whole`. Otherwise K
    and P are those of a camera that takes the resized picture as a whole: region and binning go into them and are
    cleared. Pixel centers lie at whole coordinates: cx' = (cx + 0.5) * s - 0.5. Distortion and R do not depend on the
    size.
    """
    if 0 in (info.width, info.height) or width < 1 or height < 1:
        raise ImageError('cannot scale camera_info from {}x{} to {}x{} pixels; the camera driver must fill in '
                         'width and height'.format(info.width, info.height, width, height))
    scaled = copy.deepcopy(info)
    if (width, height) == picture_size(info) and not whole:
        return scaled
    roi = info.roi
    sx, sy = width / (roi.width or info.width), height / (roi.height or info.height)
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


_CHANNELS_OUT = {'mono8': (), 'rgb8': (3,), 'bgr8': (3,), '32FC7': (7,)}


def _foreign_to_bgr(message):
    """Let cv_bridge convert an encoding that is not in the table."""
    try:
        from cv_bridge import CvBridge
        image = CvBridge().imgmsg_to_cv2(message, 'bgr8')
        if image.shape != (message.height, message.width, 3) or image.dtype != np.uint8:
            raise TypeError('gives {} {}'.format(image.dtype, list(image.shape)))
    except Exception as error:  # what it raises differs between its versions, and it may be missing or broken
        raise unknown_encoding(message, ' (cv_bridge: {})'.format(quoted(error)))
    return np.ascontiguousarray(image)


def _bytes(pixels):
    """Copy to array.array, the one type that message setters of every distribution take without a look at each byte."""
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).view(np.uint8).data)
    return data
