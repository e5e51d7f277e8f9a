"""A warning for nodes that wait for simulated time."""
from rclpy.clock import Clock, ClockType

NO_CLOCK = ('use_sim_time is true, but nothing publishes /clock; play the recording with --clock, start the simulator, '
            'or set use_sim_time to false')
PATIENCE = 3.0
"""Seconds until a node without simulated time says so."""


def warn_without_clock(node):
    """Log a warning, once, when the node uses simulated time and has none after PATIENCE seconds."""
    def look():
        node.destroy_timer(timer)
        if node.get_clock().now().nanoseconds == 0:
            node.get_logger().warning(NO_CLOCK)
    timer = node.create_timer(PATIENCE, look, clock=Clock(clock_type=ClockType.STEADY_TIME))
