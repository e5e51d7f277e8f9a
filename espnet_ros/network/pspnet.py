"""PSPNet (Zhao et al., 2017): a dilated ResNet-101 and a pyramid of pooled features."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.network.pooling import adaptive_average
from espnet_ros.network.resnet import OUTPUTS, conv_norm, resnet101

BINS = (1, 2, 3, 6)
"""Regions along each side that the pyramid pools."""


class PSPNet(nn.Module):
    """PSPNet without the auxiliary head of its training: logits at 1/8 of the size of the input."""

    size_matters = True
    """The exported graph is of one input size: the pyramid's regions are in it."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.backbone = resnet101(deep_stem=True)
        width = OUTPUTS // len(BINS)
        self.pyramid = nn.ModuleList([conv_norm(OUTPUTS, width, 1) for _ in BINS])
        self.head = nn.Sequential(conv_norm(2 * OUTPUTS, 512, 3), nn.Dropout2d(0.1), nn.Conv2d(512, config.classes, 1))

    def forward(self, x):
        x = self.backbone(x)
        pooled = [functional.interpolate(level(adaptive_average(x, bins)), size=x.shape[2:], mode='bilinear',
                                         align_corners=False) for bins, level in zip(BINS, self.pyramid)]
        return self.head(torch.cat([x] + pooled, 1))
