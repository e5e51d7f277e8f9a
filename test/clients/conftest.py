"""Fixtures of the tests that talk to nodes in real processes."""
from segmentation_rig import small_model, start_rig  # noqa: F401
