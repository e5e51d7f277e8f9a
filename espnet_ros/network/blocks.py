"""Other modules in the place of ESP (paper Fig. 3 and 5), each from N to N channels at the same size."""
import torch
from torch import nn

from espnet_ros.network.modules import ConvNormAct, NormAct, convolution

SHUFFLE_GROUPS = SHUFFLE_DIVIDER = 4
"""ShuffleNet: convolution groups g, and K, the bottleneck's width being N / K."""
RESNEXT_BRANCHES = 4
INCEPTION_BRANCHES = 5


def depthwise(channels, kind):
    """Return a 3x3 depthwise convolution with batch normalization and non-linearity."""
    return ConvNormAct(channels, channels, 3, kind=kind, groups=channels)


class MobileNetBlock(nn.Sequential):
    """Depthwise separable convolution, without a skip connection (Fig. 3a)."""

    def __init__(self, channels, kind='prelu'):
        super().__init__(depthwise(channels, kind), ConvNormAct(channels, channels, 1, kind=kind))


class ShuffleNetBlock(nn.Module):
    """Grouped reduction, channel shuffle, depthwise convolution, grouped expansion, sum (Fig. 3b)."""

    def __init__(self, channels, kind='prelu'):
        super().__init__()
        width = channels // SHUFFLE_DIVIDER
        self.reduce = ConvNormAct(channels, width, 1, kind=kind, groups=SHUFFLE_GROUPS)
        self.transform = depthwise(width, kind)
        self.expand = ConvNormAct(width, channels, 1, kind=kind, groups=SHUFFLE_GROUPS)
        self.post = NormAct(channels, kind)

    def forward(self, x):
        y = self.reduce(x)
        n, c, h, w = y.shape
        y = y.view(n, SHUFFLE_GROUPS, c // SHUFFLE_GROUPS, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.post(x + self.expand(self.transform(y)))


class InceptionBlock(nn.Module):
    """Homogeneous Inception: branches of 1x1 and 3x3, concatenated (Fig. 3c).

    The first branch takes the channels that the number of branches does not divide.
    """

    def __init__(self, channels, kind='prelu'):
        super().__init__()
        width = channels // INCEPTION_BRANCHES
        outputs = [channels - (INCEPTION_BRANCHES - 1) * width] + [width] * (INCEPTION_BRANCHES - 1)
        self.branches = nn.ModuleList([nn.Sequential(
            ConvNormAct(channels, width, 1, kind=kind), ConvNormAct(width, output, 3, kind=kind))
            for output in outputs])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class ResNeXtBlock(nn.Module):
    """Parallel bottlenecks of width N / 4, summed with the input (Fig. 3d)."""

    def __init__(self, channels, kind='prelu'):
        super().__init__()
        width = channels // RESNEXT_BRANCHES
        self.branches = nn.ModuleList([nn.Sequential(
            ConvNormAct(channels, width, 1, kind=kind), ConvNormAct(width, width, 3, kind=kind),
            ConvNormAct(width, channels, 1, kind=kind)) for _ in range(RESNEXT_BRANCHES)])
        self.post = NormAct(channels, kind)

    def forward(self, x):
        return self.post(x + sum(branch(x) for branch in self.branches))


class ResNetBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection."""

    def __init__(self, channels, kind='prelu'):
        super().__init__()
        self.first = ConvNormAct(channels, channels, 3, kind=kind)
        self.second = convolution(channels, channels, 3)
        self.post = NormAct(channels, kind)

    def forward(self, x):
        return self.post(x + self.second(self.first(x)))


BLOCKS = {'mobilenet': MobileNetBlock, 'shufflenet': ShuffleNetBlock, 'inception': InceptionBlock,
          'resnext': ResNeXtBlock, 'resnet': ResNetBlock}
"""Blocks by the name that an architecture gives them."""
