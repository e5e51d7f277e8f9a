"""Models in int8 for OpenVINO on CPUs."""
