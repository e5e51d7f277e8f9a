"""The ground node."""
