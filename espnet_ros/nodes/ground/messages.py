"""Results of espnet_ros.ground to and from ROS messages."""
import array

import numpy as np
from geometry_msgs.msg import Point32, PolygonStamped
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header

from espnet_ros.errors import ImageError, quoted
from espnet_ros.images.depth import image_to_rows


def image_to_labels(message):
    """Return a mono8 sensor_msgs/Image of ids as uint8 [H, W]. Raises ImageError."""
    if message.encoding not in ('mono8', '8UC1'):
        raise ImageError('labels have the encoding {}; remap `labels` to ~/labels or ~/categories of the segmentation '
                         'node, which are mono8'.format(quoted(message.encoding)))
    return image_to_rows(message, np.dtype('u1'), 'labels')


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
