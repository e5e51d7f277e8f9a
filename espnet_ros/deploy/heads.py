"""Heads: from a network's features to the class and the confidence of each pixel."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.deploy.folding import ShuffledDeconvolution


class UpsamplingHead(nn.Module):
    """For networks that return logits, at any size: bilinear upsampling, as in the paper's section 4.1."""

    def own_size(self, features):
        """Return height and width of the logits before any upsampling."""
        return features.shape[2:]

    def logits(self, features, height, width):
        """Return logits [N, C, height, width]."""
        if features.shape[2:] == (height, width):
            return features
        return functional.interpolate(features, size=(height, width), mode='bilinear', align_corners=False)

    def forward(self, features, height, width, confidence=False):
        """Return index (of the class) and probability, [N, height, width]; the latter None unless asked for."""
        return _best(self.logits(features, height, width), 1, confidence)


class DeconvolutionHead(nn.Module):
    """For networks without their last deconvolution: each of their features is worth the logits of 2x2 pixels.

    The best class is found before the four pixels are put into their places: bytes are shuffled, not logits.

    deconvolution: what was the last layer, an nn.ConvTranspose2d of kernel 2 and stride 2.
    """

    def __init__(self, deconvolution):
        super().__init__()
        self.last = ShuffledDeconvolution(deconvolution)

    def own_size(self, features):
        """Return height and width of the logits before any upsampling."""
        return 2 * features.shape[2], 2 * features.shape[3]

    def logits(self, features, height, width):
        """Return logits [N, C, height, width]."""
        return self.last(features.to(self.last.weight.dtype))

    def forward(self, features, height, width, confidence=False):
        """Return index (of the class) and probability, [N, height, width]; the latter None unless asked for."""
        index, probability = _best(self.last.phases(features.to(self.last.weight.dtype)), 2, confidence)
        return shuffle_pixels(index.to(torch.uint8)), shuffle_pixels(probability) if confidence else None


def _best(logits, dim, confidence):
    if not confidence:
        return logits.argmax(dim), None
    # Engines fuse a softmax; written out, it would keep three planes of floats for each class.
    return logits.argmax(dim), torch.softmax(logits, dim).max(dim)[0]


def shuffle_pixels(phases):
    """Put [N, 4, h, w], the four pixels of each feature, into their places: [N, 2h, 2w]."""
    n, _, h, w = phases.shape
    return phases.view(n, 2, 2, h, w).permute(0, 3, 1, 4, 2).reshape(n, 2 * h, 2 * w)
