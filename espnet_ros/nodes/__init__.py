"""ROS nodes: wiring, no algorithms; the only package that imports rclpy."""
import os
import sys

# ROS from wheels lies in the Python environment, where rclpy looks for it only when told to.
if 'AMENT_PREFIX_PATH' not in os.environ and os.path.isdir(os.path.join(sys.prefix, 'share', 'ament_index')):
    os.environ['AMENT_PREFIX_PATH'] = sys.prefix
