"""ROS 2 nodes: the only package that imports rclpy or ROS messages; wiring, no algorithms."""
