"""Whole-slide images: reading in regions, segmentation in overlapping tiles."""
