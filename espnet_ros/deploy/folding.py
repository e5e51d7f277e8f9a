"""Folding of batch normalizations and other linear steps into adjacent weights."""
import copy

import torch
from torch import nn
from torch.nn import functional

from espnet_ros.network.espnet import ESPNet
from espnet_ros.network.modules import ConvNormAct


def fold(network):
    """Return a copy in eval mode that computes the same with fewer steps.

    In any network those batch normalizations are folded that follow a convolution or deconvolution directly, in a
    ConvNormAct or an nn.Sequential. In ESPNet's decoder these are, too: the one after the second deconvolution, the one
    after the classifier, and the two halves of the one after the first concatenation. Those after a residual sum or
    around hierarchical feature fusion stay: each sum feeds several channels, each with a factor of its own.
    """
    network = copy.deepcopy(network).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ConvNormAct):
                module.conv = _scaled(module.conv, *_affine(module.norm))
                module.add_module('norm', nn.Identity())
            elif isinstance(module, nn.Sequential):
                _fold_pairs(module)
        if isinstance(network, ESPNet):
            _fold_decoder(network)
    return network


def _fold_pairs(sequence):
    for i in range(len(sequence) - 1):
        conv, norm = sequence[i], sequence[i + 1]
        grouped = isinstance(conv, nn.ConvTranspose2d) and conv.groups > 1
        if isinstance(conv, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(norm, nn.BatchNorm2d) and not grouped:
            sequence[i], sequence[i + 1] = _scaled(conv, *_affine(norm)), nn.Identity()


def _fold_decoder(network):
    encoder, classes = network.encoder, network.config.classes
    encoder.classifier = _scaled(encoder.classifier, *_affine(network.norm3))
    network.norm3 = nn.Identity()
    scale, shift = _affine(network.merge2_norm.norm)
    network.reduce2 = _scaled(network.reduce2, scale[:classes], shift[:classes])
    network.up3 = _scaled(network.up3, scale[classes:], shift[classes:])
    network.merge2_norm.norm = nn.Identity()
    network.up2 = _scaled(network.up2, *_affine(network.up2_norm.norm))
    network.up2_norm.norm = nn.Identity()


def _affine(norm):
    """Return what a batch normalization does in eval mode: factor and summand of each channel, float64."""
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _scaled(conv, scale, shift):
    """Return the convolution or deconvolution, whose output is then multiplied by scale, with shift added."""
    result = copy.deepcopy(conv)
    shape = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    result.weight = nn.Parameter((conv.weight.double() * scale.view(shape)).to(conv.weight.dtype))
    bias = shift if conv.bias is None else shift + conv.bias.double() * scale
    result.bias = nn.Parameter(bias.to(conv.weight.dtype))
    return result


class ShuffledDeconvolution(nn.Module):
    """A deconvolution of kernel 2 and stride 2 as a 1x1 convolution to four pixels and a shuffle: faster on CPUs.

    deconvolution: an nn.ConvTranspose2d of that kind.
    """

    def __init__(self, deconvolution):
        super().__init__()
        weight = deconvolution.weight.detach()
        self.weight = nn.Parameter(weight.permute(2, 3, 1, 0).reshape(-1, weight.shape[0], 1, 1).contiguous())
        bias = deconvolution.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().repeat(4))

    def phases(self, x):
        """Return [N, 4, C, h, w]: for each feature its upper left, upper right, lower left and lower right pixel."""
        n, _, h, w = x.shape
        return functional.conv2d(x, self.weight, self.bias).view(n, 4, -1, h, w)

    def forward(self, x):
        """Return [N, C, 2h, 2w]."""
        return shuffle(self.phases(x))


def shuffle(phases):
    """Put the four pixels of each feature, [N, 4, C, h, w], into their places: [N, C, 2h, 2w], channels last."""
    n, _, c, h, w = phases.shape
    placed = phases.permute(0, 3, 4, 1, 2).reshape(n, h, w, 2, 2, c).permute(0, 1, 3, 2, 4, 5)
    return placed.reshape(n, 2 * h, 2 * w, c).permute(0, 3, 1, 2)
