"""Semantic segmentation on a robot with ESPNet (Mehta et al., ECCV 2018)."""
__version__ = '0.2.0'


def load(model='', **options):
    """Return a Segmenter of a model: segmenter.load_segmenter, imported only now, for it takes PyTorch."""
    from espnet_ros.segmenter import load_segmenter
    return load_segmenter(model, **options)
