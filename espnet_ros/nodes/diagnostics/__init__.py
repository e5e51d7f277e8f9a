"""The diagnostics node."""
