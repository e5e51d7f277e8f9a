"""Evaluations as pages, one or two side by side."""
