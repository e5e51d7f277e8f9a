"""DeepLab-v2 (Chen et al., 2018): a dilated ResNet-101 and an atrous spatial pyramid, without CRF."""
from torch import nn

from espnet_ros.network.resnet import OUTPUTS, resnet101

RATES = (6, 12, 18, 24)
"""Dilations of the pyramid."""


class DeepLab(nn.Module):
    """DeepLab-v2: logits at 1/8 of the size of the input."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.backbone = resnet101()
        self.pyramid = nn.ModuleList([
            nn.Conv2d(OUTPUTS, config.classes, 3, padding=rate, dilation=rate) for rate in RATES])

    def forward(self, x):
        x = self.backbone(x)
        return sum(branch(x) for branch in self.pyramid)
