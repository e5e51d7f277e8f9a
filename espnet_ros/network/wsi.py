"""The U-shaped network of ESP modules for whole-slide images (Mehta et al., 2018)."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.network.modules import ESP, ConvNormAct, NormAct
from espnet_ros.network.pooling import adaptive_average

SHARES = (20, 16, 12, 9)
"""Regions along each side that a pyramid pools, in 24ths of the features': 40, 32, 24 and 18 at 1/8 of 384 pixels."""
LEVEL1, LEVEL2, LEVEL3 = 16, 128, 256
"""Channels at 1/2, 1/4 and 1/8 of the size of the input."""
_KIND = 'relu'


class WholeSlideNet(nn.Module):
    """Encoder of ESP modules with K = 4, decoder with a pooled pyramid at each level: logits at 1/2 of the input size.

    With 8 classes it has 2,755,488 parameters, 7.6 times those of ESPNet.
    """

    size_matters = True
    """The exported graph is of one input size: the pyramids' regions are in it."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        c = config.classes
        self.level1 = ConvNormAct(3, LEVEL1, 7, stride=2, kind=_KIND)
        self.down2 = ConvNormAct(LEVEL1, LEVEL2, 3, stride=2, kind=_KIND)
        self.level2 = nn.Sequential(*[_esp(LEVEL2) for _ in range(2)])
        self.norm2 = NormAct(2 * LEVEL2, _KIND)
        self.down3 = ConvNormAct(2 * LEVEL2, LEVEL3, 3, stride=2, kind=_KIND)
        self.level3 = nn.Sequential(*[_esp(LEVEL3) for _ in range(5)])
        self.norm3 = NormAct(2 * LEVEL3, _KIND)
        self.head3 = nn.Sequential(Pyramid(2 * LEVEL3, 128), ConvNormAct(2 * LEVEL3 + 4 * 128, 128, 1, kind=_KIND),
                                   ConvNormAct(128, c, 3, kind=_KIND), ConvNormAct(c, c, 1, kind=_KIND))
        self.head2 = nn.Sequential(Pyramid(c + 2 * LEVEL2, 64), ConvNormAct(c + 2 * LEVEL2 + 4 * 64, c, 3, kind=_KIND),
                                   ConvNormAct(c, c, 1, kind=_KIND))
        self.head1 = nn.Sequential(Pyramid(c + LEVEL1, c), ConvNormAct(5 * c + LEVEL1, c, 3, kind=_KIND),
                                   nn.Conv2d(c, c, 7, padding=3, bias=False))

    def forward(self, x):
        level1 = self.level1(x)
        down2 = self.down2(level1)
        level2 = self.norm2(torch.cat([down2, self.level2(down2)], 1))
        down3 = self.down3(level2)
        level3 = self.norm3(torch.cat([down3, self.level3(down3)], 1))
        scores = self.head2(torch.cat([_at(level2, self.head3(level3)), level2], 1))
        return self.head1(torch.cat([_at(level1, scores), level1], 1))


class Pyramid(nn.Module):
    """Means of regions of four sizes, projected to `outputs` channels each, concatenated with the features."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.levels = nn.ModuleList([ConvNormAct(inputs, outputs, 1, kind=_KIND) for _ in SHARES])

    def forward(self, x):
        pooled = [_at(x, level(adaptive_average(x, [max(1, int(side) * share // 24) for side in x.shape[2:]])))
                  for share, level in zip(SHARES, self.levels)]
        return torch.cat([x] + pooled, 1)


def _esp(channels):
    return ESP(channels, channels, 4, kind=_KIND, reduce_kernel=3)


def _at(like, x):
    return functional.interpolate(x, size=like.shape[2:], mode='bilinear', align_corners=False)
