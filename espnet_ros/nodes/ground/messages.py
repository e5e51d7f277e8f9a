"""Results of espnet_ros.ground to and from ROS messages."""
import array

import numpy as np
from geometry_msgs.msg import Point32, PolygonStamped
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import LaserScan, PointField
from std_msgs.msg import Header

from espnet_ros.errors import ImageError, quoted
from espnet_ros.images.depth import image_to_depth, image_to_rows
from espnet_ros.nodes.common.geometry_messages import depth_to_image, points_to_cloud

MOST_BYTES = 1 << 28
"""A larger message is refused before it is copied."""


def image_to_labels(message):
    """Return a mono8 sensor_msgs/Image of ids as uint8 [H, W]. Raises ImageError."""
    if message.encoding not in ('mono8', '8UC1'):
        raise ImageError('labels have the encoding {}; remap `labels` to ~/labels or ~/categories of the segmentation '
                         'node, which are mono8'.format(quoted(message.encoding)))
    return image_to_rows(message, np.dtype('u1'), 'labels')


def cloud_to_points(message):
    """Return x, y, z of a sensor_msgs/PointCloud2 as float32 [N, 3]. Raises ImageError."""
    fields = {field.name: field for field in message.fields}
    for name in 'xyz':
        if name not in fields or fields[name].datatype not in (PointField.FLOAT32, PointField.FLOAT64):
            raise ImageError('the cloud has no float field {}, but {}; remap `points` to a cloud with x, y and z'
                             .format(name, quoted(', '.join(sorted(fields)[:10]) or 'no fields')))
    count, step = message.width * message.height, message.point_step
    order = '>' if message.is_bigendian else '<'
    kinds = [np.dtype(order + ('f4' if fields[name].datatype == PointField.FLOAT32 else 'f8')) for name in 'xyz']
    ends = max(fields[name].offset + kind.itemsize for name, kind in zip('xyz', kinds))
    row = message.row_step or message.width * step
    if ends > step or count * step > MOST_BYTES or row < message.width * step \
            or len(message.data) < row * (message.height - 1) + message.width * step:
        raise ImageError('a cloud of {}x{} points of {} bytes does not fit its {} bytes; look at who publishes it'
                         .format(message.width, message.height, step, len(message.data)))
    if not count:
        return np.zeros((0, 3), np.float32)
    kind = np.dtype({'names': list('xyz'), 'formats': kinds, 'offsets': [fields[name].offset for name in 'xyz'],
                     'itemsize': step})
    data = np.frombuffer(message.data, np.uint8)
    if row != message.width * step:
        data = np.concatenate([data[i * row:i * row + message.width * step] for i in range(message.height)])
    points = np.frombuffer(data[:count * step].tobytes(), kind)
    return np.stack([points[name].astype(np.float32) for name in 'xyz'], 1)


def scan_to_message(scan, header):
    """Return a ground.scan.Scan as a sensor_msgs/LaserScan."""
    message = LaserScan(header=header, angle_min=scan.angle_min, angle_increment=scan.angle_increment,
                        angle_max=scan.angle_min + scan.angle_increment * (len(scan.ranges) - 1),
                        range_min=scan.range_min, range_max=scan.range_max)
    message.ranges = array.array('f', scan.ranges.tobytes())
    return message


def grid_to_message(grid, frame, stamp):
    """Return a ground.grid.Grid as a nav_msgs/OccupancyGrid."""
    message = OccupancyGrid(header=Header(frame_id=frame, stamp=stamp))
    message.info.map_load_time = stamp
    message.info.resolution = grid.resolution
    message.info.width = message.info.height = grid.cells
    message.info.origin.position.x, message.info.origin.position.y = grid.origin
    message.info.origin.orientation.w = 1.0
    message.data = array.array('b', grid.occupancy().tobytes())
    return message


def polygon_to_message(corners, header):
    """Return corners float [N, 2] on the ground as a geometry_msgs/PolygonStamped."""
    message = PolygonStamped(header=header)
    message.polygon.points = [Point32(x=float(x), y=float(y)) for x, y in corners]
    return message


__all__ = ['cloud_to_points', 'depth_to_image', 'grid_to_message', 'image_to_depth', 'image_to_labels',
           'points_to_cloud', 'polygon_to_message', 'scan_to_message']
