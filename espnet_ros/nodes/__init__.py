"""ROS nodes: wiring, no algorithms; with `clients` the only package that imports rclpy."""
