"""Fixtures of the tests that talk to nodes in real processes."""
from ros_process import observer, ros_context, ros_domain, start_node  # noqa: F401
from segmentation_rig import small_model, start_rig  # noqa: F401
