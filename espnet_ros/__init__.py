"""Semantic segmentation on a robot with ESPNet (Mehta et al., ECCV 2018)."""
__version__ = '0.1.0'
