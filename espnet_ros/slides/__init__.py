"""Whole-slide images: reading in regions, segmentation in overlapping tiles."""

SLIDE_SUFFIXES = ('.svs', '.ndpi', '.mrxs', '.scn', '.bif', '.svslide', '.vms', '.vmu')
"""Files that only scanners of slides write. Slides also come as .tif, .tiff and .dcm, which other images may be."""
