"""Semantic segmentation on a robot with ESPNet (Mehta et al., ECCV 2018)."""
import os

__version__ = '0.1.0'

# OpenMP's threads sleep between two layers instead of spinning: on two cores with one other busy process, spinning
# takes six times as long an image. It is read when PyTorch is loaded, so it stands here.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
