"""Fixtures of the faults around running nodes."""
from ros_process import ros_context, ros_domain  # noqa: F401
