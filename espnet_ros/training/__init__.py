"""Labeled images to weights: the paper's two stages (section 4.1)."""
