"""SQNet (Treml et al., 2016): a SqueezeNet encoder, parallel dilated convolutions, and bypasses to the decoder."""
import torch
from torch import nn
from torch.nn import functional


class SQNet(nn.Module):
    """SQNet: logits at the size of the input.

    Its paper leaves widths and kernels open in places; these have the 16.26 million parameters (19 classes) that the
    plots of ESPNet's paper show.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.level1 = nn.Sequential(nn.Conv2d(3, 96, 3, stride=2, padding=1), nn.ELU())
        self.level2 = nn.Sequential(_halve(), Fire(96, 16, 64), Fire(128, 16, 64))
        self.level3 = nn.Sequential(_halve(), Fire(128, 32, 128), Fire(256, 32, 128))
        self.level4 = nn.Sequential(_halve(), Fire(256, 64, 256), Fire(512, 64, 256), Fire(512, 64, 256))
        self.context = nn.ModuleList([nn.Conv2d(512, 512, 3, padding=rate, dilation=rate) for rate in (1, 2, 3, 4)])
        self.merge3 = Merge(512, 256)
        self.merge2 = Merge(512, 128)
        self.merge1 = Merge(256, 96)
        self.full = _double(192, config.classes)

    def forward(self, x):
        level1 = self.level1(x)
        level2 = self.level2(level1)
        level3 = self.level3(level2)
        level4 = self.level4(level3)
        up = functional.elu(sum(branch(level4) for branch in self.context))
        up = self.merge1(self.merge2(self.merge3(up, level3), level2), level1)
        return self.full(up)


class Fire(nn.Module):
    """SqueezeNet's module: 1x1 to few channels, then 1x1 and 3x3 side by side."""

    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = functional.elu(self.squeeze(x))
        return functional.elu(torch.cat([self.expand1(x), self.expand3(x)], 1))


class Merge(nn.Module):
    """Double the size, concatenate the encoder's features behind a convolution, and convolve both."""

    def __init__(self, inputs, channels):
        super().__init__()
        self.up = _double(inputs, channels)
        self.bypass = nn.Conv2d(channels, channels, 3, padding=1)
        self.refine = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)

    def forward(self, x, encoded):
        up = functional.elu(self.up(x))[:, :, :encoded.shape[2], :encoded.shape[3]]  # halves are rounded up
        both = torch.cat([up, functional.elu(self.bypass(encoded))], 1)
        return functional.elu(self.refine(both))


def _halve():
    return nn.MaxPool2d(3, stride=2, padding=1)


def _double(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
