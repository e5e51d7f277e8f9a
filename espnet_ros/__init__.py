"""Semantic segmentation on a robot with ESPNet (Mehta et al., ECCV 2018)."""
import os

__version__ = '0.1.0'

# OpenMP's threads soon sleep between two layers instead of spinning: on two cores with one other busy process, an image
# takes 75 ms so, and 440 ms otherwise. It is read when PyTorch is loaded, so it stands here.
if 'OMP_WAIT_POLICY' not in os.environ:
    os.environ.setdefault('GOMP_SPINCOUNT', '1000')
