"""Segmentation networks of other libraries, small, with random weights, and ONNX files of any kind."""
import contextlib
import io
import re
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from espnet_ros.engine.verification import example_images

NETWORKS = ('lraspp', 'deeplabv3', 'segformer')
CLASSES, WIDTH, HEIGHT = 19, 96, 64
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def foreign_network(name):
    """Return a network, from normalized RGB [1, 3, H, W] to logits; skips the test where its library is missing."""
    torch.manual_seed(0)
    if name == 'segformer':
        _torchvision()
        transformers = pytest.importorskip('transformers', reason='SegFormer needs the package transformers')
        # B0 with half its widths and one block a stage
        inner = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(
            num_labels=CLASSES, depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 40, 64], decoder_hidden_size=64))
        network = _Logits(inner, lambda result: result.logits)
    else:
        models = _torchvision().models.segmentation
        make = {'lraspp': models.lraspp_mobilenet_v3_large, 'deeplabv3': models.deeplabv3_mobilenet_v3_large}[name]
        network = _Logits(make(weights=None, weights_backbone=None, num_classes=CLASSES), lambda result: result['out'])
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 3, HEIGHT, WIDTH))  # statistics for batch norms
    network.eval()
    # Random weights prefer one class everywhere: without the mean of each, many win somewhere.
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == CLASSES][-1]
    with torch.no_grad():
        last.bias -= network(normalized(example_images(WIDTH, HEIGHT)[0])).mean((0, 2, 3))
    return network


class _Logits(nn.Module):
    def __init__(self, network, pick):
        super().__init__()
        self.network, self.pick = network, pick

    def forward(self, x):
        return self.pick(self.network(x))


def _torchvision():
    """Import torchvision; a build for CUDA lacks its operators beside a PyTorch for CPUs, which needs none here."""
    if 'torchvision' in sys.modules:
        return sys.modules['torchvision']
    for _ in range(20):
        try:
            import torchvision
            return torchvision
        except ImportError as error:
            pytest.skip('LR-ASPP and DeepLabV3 need the package torchvision ({})'.format(error))
        except RuntimeError as error:
            missing = re.match(r'operator torchvision::(\w+) does not exist', str(error))
            if not missing:
                raise
            library = torch.library.Library('torchvision', 'FRAGMENT')
            library.define(missing.group(1) + '(Tensor x) -> Tensor')
            _KEPT.append(library)
            for module in [key for key in sys.modules if key.split('.')[0] == 'torchvision']:
                del sys.modules[module]
    pytest.skip('torchvision does not fit this PyTorch')


_KEPT = []


def onnx_bytes(network, opset=13, width=WIDTH, height=HEIGHT, dynamic=False):
    """Return a network exported by PyTorch."""
    content = io.BytesIO()
    axes = {'dynamic_axes': {'image': {2: 'h', 3: 'w'}, 'logits': {2: 'h', 3: 'w'}}} if dynamic else {}
    with warnings.catch_warnings(), torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        torch.onnx.export(network, (torch.zeros(1, 3, height, width),), content, opset_version=opset,
                          input_names=['image'], output_names=['logits'], dynamo=False, **axes)
    return content.getvalue()


def normalized(image):
    """Return BGR uint8 [H, W, 3] as torchvision's networks take it: RGB float [1, 3, H, W]."""
    pixels = (image.astype(np.float64) - MEAN) / STD
    return torch.from_numpy(pixels[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32).copy())
