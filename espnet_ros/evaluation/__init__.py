"""Evaluation of models on labeled frames: scores, latency and a report."""
