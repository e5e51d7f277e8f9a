"""Fixtures of the tests that run nodes as real processes."""
from ros_process import observer, ros_context, ros_domain, start_node  # noqa: F401
from segmentation_rig import restart, shared_rig, small_model, start_rig  # noqa: F401
