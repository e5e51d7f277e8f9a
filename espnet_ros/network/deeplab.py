"""DeepLab-v2 (Chen et al., 2018): a dilated ResNet-101 and an atrous spatial pyramid, without CRF."""
import typing

from torch import nn

from espnet_ros.network.family import CLASSES, Family
from espnet_ros.network.resnet import OUTPUTS, resnet101

RATES = (6, 12, 18, 24)
"""Dilations of the pyramid."""


class DeepLabConfig(typing.NamedTuple):
    """Configuration of DeepLab-v2. classes: output channels."""

    classes: int = 20

    family = 'deeplab-v2'
    stride = 8


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


FAMILY = Family('deeplab-v2', 'DeepLab-v2', DeepLabConfig, DeepLab, {'classes': CLASSES},
                'Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, '
                'and Fully Connected CRFs, IEEE Transactions on Pattern Analysis and Machine Intelligence, 2018')
