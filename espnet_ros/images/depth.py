"""Depth image messages to arrays, the same for the robot and for its recordings; ROS is not needed."""
import typing

import numpy as np

from espnet_ros.errors import ImageError, quoted
from espnet_ros.limits import MESSAGE_BYTES

DEPTH_ENCODINGS: typing.Dict[str, np.dtype] = {
    '32FC1': np.dtype('<f4'), '16UC1': np.dtype('<u2'), 'mono16': np.dtype('<u2')}


def image_to_depth(message):
    """Return a sensor_msgs/Image of depth as float32 meters or uint16 millimeters [H, W]. Raises ImageError."""
    if message.encoding not in DEPTH_ENCODINGS:
        raise ImageError('depth has the encoding {}; it must be 32FC1 (meters) or 16UC1 (millimeters)'.format(
            quoted(message.encoding)))
    kind = DEPTH_ENCODINGS[message.encoding]
    depth = image_to_rows(message, kind.newbyteorder('>') if message.is_bigendian else kind, 'depth')
    return depth.astype(kind, copy=False)


def image_to_rows(message, kind, what):
    """Return the data of a sensor_msgs/Image of one channel as `kind` [H, W]. Raises ImageError, which names `what`."""
    width, height, step = message.width, message.height, message.step
    if not width or not height or step < width * kind.itemsize or len(message.data) < step * height \
            or step * height > MESSAGE_BYTES:
        raise ImageError('{} of {}x{} with a step of {} and {} bytes make no image; look at who publishes them'.format(
            what, width, height, step, len(message.data)))
    data = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    return np.ascontiguousarray(data[:, :width * kind.itemsize]).view(kind)
