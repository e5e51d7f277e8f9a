"""Fixtures of the tests that run nodes as real processes."""
from segmentation_rig import restart, shared_rig, small_model, start_rig  # noqa: F401
