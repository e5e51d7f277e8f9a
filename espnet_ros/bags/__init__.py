"""Recordings: ROS 1 and ROS 2 bags as streams of labeled frames."""
