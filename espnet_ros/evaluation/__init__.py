"""Evaluation of models on labeled frames: scores and latency."""
