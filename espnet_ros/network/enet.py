"""ENet (Paszke et al., 2016): bottlenecks with early downsampling and a small decoder."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.network.pooling import MaxPool2x2, unpool

PROJECTION = 4
"""How many times narrower a bottleneck is than its block."""


def _stage(dilations_and_kinds):
    return [('dilated', rate) if isinstance(rate, int) else (rate, 1) for rate in dilations_and_kinds]


_CONTEXT = _stage(['regular', 2, 'asymmetric', 4, 'regular', 8, 'asymmetric', 16])
"""Bottlenecks of stage 2 behind its downsampling, and of stage 3."""


class ENet(nn.Module):
    """ENet: logits at the size of the input (Table 1 of its paper).

    With layout 'pytorch-enet' as in that implementation: branches end with an activation, asymmetric convolutions have
    one between them, the image is pooled by 3x3, deconvolutions have other kernels, branches that change the size other
    widths, and convolutions no bias.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        public = config.layout != 'paper'
        self.initial = Initial(16, public)
        self.down1 = DownBottleneck(16, 64, 0.01, public)
        self.stage1 = nn.Sequential(*[Bottleneck(64, dropout=0.01, public=public) for _ in range(4)])
        self.down2 = DownBottleneck(64, 128, 0.1, public)
        self.stage2 = nn.Sequential(*[Bottleneck(128, kind, rate, public=public) for kind, rate in _CONTEXT])
        self.stage3 = nn.Sequential(*[Bottleneck(128, kind, rate, public=public) for kind, rate in _CONTEXT])
        self.up4 = UpBottleneck(128, 64, public)
        self.stage4 = nn.Sequential(*[Bottleneck(64, public=public) for _ in range(2)])
        self.up5 = UpBottleneck(64, 16, public)
        self.stage5 = Bottleneck(16, public=public)
        self.full = nn.ConvTranspose2d(16, config.classes, 3, 2, 1, 1, bias=False) if public else nn.ConvTranspose2d(
            16, config.classes, 2, stride=2)

    def forward(self, x):
        initial = self.initial(x)
        level1, places1 = self.down1(initial)
        level1 = self.stage1(level1)
        level2, places2 = self.down2(level1)
        level2 = self.stage3(self.stage2(level2))
        up = self.stage4(self.up4(level2, places2, level1))
        return self.full(self.stage5(self.up5(up, places1, initial)))


class Initial(nn.Module):
    """A strided convolution beside max-pooling of the image (Fig. 2a)."""

    def __init__(self, outputs, public):
        super().__init__()
        self.conv = nn.Conv2d(3, outputs - 3, 3, stride=2, padding=1, bias=not public)
        self.post = nn.Sequential(nn.BatchNorm2d(outputs), nn.PReLU(outputs))
        self.public = public

    def forward(self, x):
        if not self.public:
            return self.post(torch.cat([self.conv(x), functional.max_pool2d(x, 2)], 1))
        pooled = functional.max_pool2d(x, 3, 2, 1)
        # R, G, B, as public weights have them; the convolution's are turned around when they are read.
        return self.post(torch.cat([self.conv(x), pooled[:, 2:], pooled[:, 1:2], pooled[:, :1]], 1))


def _reduce(inputs, width, kernel=1):
    return [nn.Conv2d(inputs, width, kernel, stride=kernel, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)]


def _expand(width, outputs, dropout, activated=False):
    return [nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)] + (
        [nn.PReLU(outputs)] if activated else []) + [nn.Dropout2d(dropout)]


class Bottleneck(nn.Module):
    """Reduce, transform, expand, add the input (Fig. 2b).

    kind: 'regular', 'dilated' (by `dilation`), or 'asymmetric', a 5x1 and a 1x5 convolution.
    """

    def __init__(self, channels, kind='regular', dilation=1, dropout=0.1, public=False):
        super().__init__()
        width = channels // PROJECTION
        if kind == 'asymmetric':
            middle = [nn.Conv2d(width, width, (5, 1), padding=(2, 0), bias=False),
                      *([nn.BatchNorm2d(width), nn.PReLU(width)] if public else []),
                      nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=not public)]
        else:
            middle = [nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=not public)]
        self.branch = nn.Sequential(*(_reduce(channels, width) + middle + [nn.BatchNorm2d(width), nn.PReLU(width)] +
                                      _expand(width, channels, dropout, public)))
        self.act = nn.PReLU(channels)

    def forward(self, x):
        return self.act(x + self.branch(x))


class DownBottleneck(nn.Module):
    """A bottleneck of half the size; returns the places of its maxima, too. Missing channels are zero."""

    def __init__(self, inputs, outputs, dropout, public=False):
        super().__init__()
        width = (inputs if public else outputs) // PROJECTION
        self.branch = nn.Sequential(*(
            _reduce(inputs, width, 2) +
            [nn.Conv2d(width, width, 3, padding=1, bias=not public), nn.BatchNorm2d(width), nn.PReLU(width)] +
            _expand(width, outputs, dropout, public)))
        self.pool = MaxPool2x2()
        self.missing = outputs - inputs
        self.act = nn.PReLU(outputs)

    def forward(self, x):
        pooled, places = self.pool(x)
        main = functional.pad(pooled, (0, 0, 0, 0, 0, self.missing))
        return self.act(main + self.branch(x)), places


class UpBottleneck(nn.Module):
    """A bottleneck of twice the size, with max-unpooling beside it."""

    def __init__(self, inputs, outputs, public=False):
        super().__init__()
        width = (inputs if public else outputs) // PROJECTION
        enlarge = nn.ConvTranspose2d(width, width, 2, 2, bias=False) if public else nn.ConvTranspose2d(
            width, width, 3, stride=2, padding=1, output_padding=1)
        self.main = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.branch = nn.Sequential(*(
            _reduce(inputs, width) + [enlarge, nn.BatchNorm2d(width), nn.PReLU(width)] +
            _expand(width, outputs, 0.1)))
        self.act = nn.PReLU(outputs)

    def forward(self, x, places, like):
        return self.act(unpool(self.main(x), places, like) + self.branch(x))
