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
from torch.nn import functional

from espnet_ros.engine.verification import example_images

NETWORKS = ('lraspp', 'deeplabv3', 'segformer')
"""The first two from torchvision; the third from transformers where it is installed, else of the same structure."""
CLASSES, WIDTH, HEIGHT = 19, 96, 64
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def foreign_network(name):
    """Return a network, from normalized RGB [1, 3, H, W] to logits; skips the test without torchvision."""
    torch.manual_seed(0)
    network: nn.Module
    if name == 'segformer':
        _torchvision()
        try:
            import transformers
        except ImportError:
            network = SegFormer(CLASSES)
        else:  # B0 with half its widths and one block a stage
            network = _Logits(transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(
                num_labels=CLASSES, depths=[1, 1, 1, 1], hidden_sizes=[16, 32, 40, 64], decoder_hidden_size=64)),
                lambda result: result.logits)
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


class SegFormer(nn.Module):
    """SegFormer (Xie et al., 2021): overlapping patches, attention to fewer keys, Mix-FFN, decoder of linear layers."""

    WIDTHS, HEADS, REDUCTIONS, DECODER = (16, 32, 40, 64), (1, 2, 5, 8), (8, 4, 2, 1), 64

    def __init__(self, classes):
        super().__init__()
        before = (3, *self.WIDTHS)
        self.embeddings = nn.ModuleList(nn.Conv2d(before[i], width, 3 if i else 7, 2 if i else 4, 1 if i else 3)
                                        for i, width in enumerate(self.WIDTHS))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in self.WIDTHS)
        self.blocks = nn.ModuleList(map(_Block, self.WIDTHS, self.HEADS, self.REDUCTIONS))
        self.linear = nn.ModuleList(nn.Linear(width, self.DECODER) for width in self.WIDTHS)
        self.fuse = nn.Sequential(nn.Conv2d(4 * self.DECODER, self.DECODER, 1, bias=False),
                                  nn.BatchNorm2d(self.DECODER), nn.ReLU())
        self.classifier = nn.Conv2d(self.DECODER, classes, 1)

    def forward(self, x):
        features = []
        for embed, norm, block, linear in zip(self.embeddings, self.norms, self.blocks, self.linear):
            x = embed(x)
            tokens, sides = block(norm(_tokens(x)), x.shape[2:]), x.shape[2:]
            x = _image(tokens, sides)
            features.append(functional.interpolate(
                _image(linear(tokens), sides), size=features[0].shape[2:] if features else sides, mode='bilinear',
                align_corners=False))
        return self.classifier(self.fuse(torch.cat(features[::-1], 1)))


class _Block(nn.Module):
    def __init__(self, width, heads, reduction):
        super().__init__()
        self.norm, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.reduce = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else nn.Identity()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mix = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width)

    def forward(self, tokens, sides):
        x = self.norm(tokens)
        few = self.norm3(_tokens(self.reduce(_image(x, sides))))
        q, k, v = (each.unflatten(2, (self.heads, -1)).transpose(1, 2) for each in (
            self.query(x), self.key(few), self.value(few)))
        weights = (q @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(3)
        tokens = tokens + self.out((weights @ v).transpose(1, 2).flatten(2))
        x = self.grow(self.norm2(tokens))
        return tokens + self.shrink(functional.gelu(_tokens(self.mix(_image(x, sides)))))


def _tokens(x):
    return x.flatten(2).transpose(1, 2)


def _image(tokens, sides):
    return tokens.transpose(1, 2).unflatten(2, (sides[0], sides[1]))


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
