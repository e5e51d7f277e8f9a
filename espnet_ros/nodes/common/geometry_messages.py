"""Depth and points as ROS messages."""
import array

import numpy as np
from sensor_msgs.msg import Image, PointCloud2, PointField

_FIELD_TYPES = {'f': {4: PointField.FLOAT32, 8: PointField.FLOAT64}, 'u': {1: PointField.UINT8, 4: PointField.UINT32}}


def depth_to_image(depth, header):
    """Return depth, float32 meters or uint16 millimeters [H, W], as a sensor_msgs/Image."""
    encoding = {'f': '32FC1', 'u': '16UC1'}[depth.dtype.kind]
    message = Image(header=header, height=depth.shape[0], width=depth.shape[1], encoding=encoding, is_bigendian=0,
                    step=depth.shape[1] * depth.itemsize)
    message.data = _bytes(depth)
    return message


def points_to_cloud(points, header):
    """Return a structured array [N] or [H, W] as a sensor_msgs/PointCloud2; 2-D ones are organized."""
    organized = points.ndim == 2
    message = PointCloud2(header=header, height=points.shape[0] if organized else 1, width=points.shape[-1],
                          is_bigendian=False, point_step=points.dtype.itemsize, is_dense=not organized)
    message.row_step = message.width * message.point_step
    message.fields = [PointField(name=name, offset=offset, count=1, datatype=_FIELD_TYPES[kind.kind][kind.itemsize])
                      for name, (kind, offset) in points.dtype.fields.items()]
    message.data = _bytes(points)
    return message


def _bytes(pixels):
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).view(np.uint8).data)
    return data
