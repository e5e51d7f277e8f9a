"""Semantic segmentation on a robot with ESPNet (Mehta et al., ECCV 2018)."""
import os

__version__ = '0.2.0'

# From 1.29 on ONNX Runtime reports the models that it loads to its makers, unless told before it is imported.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')


def load(model='', **options):
    """Return a Segmenter of a model: segmenter.load_segmenter, imported only now, for it takes PyTorch."""
    from espnet_ros.segmenter import load_segmenter
    return load_segmenter(model, **options)
