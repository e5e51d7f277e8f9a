"""The building blocks of ESPNet (paper sections 3.1 and 4.1, appendix B)."""
import torch
from torch import nn

NORM_EPS = 1e-3
"""Epsilon of every batch normalization, as in the authors' weights."""


def activation(kind, channels):
    """Return the non-linearity called `kind`: 'prelu' with one slope a channel, or 'relu' (Table 2a)."""
    return {'prelu': lambda: nn.PReLU(channels), 'relu': lambda: nn.ReLU(inplace=True)}[kind]()


def convolution(inputs, outputs, kernel, stride=1, dilation=1, groups=1):
    """Return a convolution without bias that keeps the spatial size, but for its stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=(kernel - 1) // 2 * dilation, dilation=dilation,
                     groups=groups, bias=False)


class NormAct(nn.Module):
    """Batch normalization, then the non-linearity."""

    def __init__(self, channels, kind='prelu'):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=NORM_EPS)
        self.act = activation(kind, channels)

    def forward(self, x):
        return self.act(self.norm(x))


class ConvNormAct(nn.Module):
    """Convolution, batch normalization, non-linearity."""

    def __init__(self, inputs, outputs, kernel, stride=1, kind='prelu', groups=1):
        super().__init__()
        self.conv = convolution(inputs, outputs, kernel, stride, groups=groups)
        self.norm = nn.BatchNorm2d(outputs, eps=NORM_EPS)
        self.act = activation(kind, outputs)

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class ESP(nn.Module):
    """Efficient spatial pyramid of dilated convolutions: reduce, split, transform, merge (Fig. 1).

    The input is reduced to N // K channels, K branches convolve it with dilations 1, 2, 4, ..., 2^(K-1), the dilated
    ones are summed cumulatively (hierarchical feature fusion, HFF, against gridding artifacts), and all are
    concatenated to N channels. The first branch takes the channels that K does not divide (footnote 4). Its output is
    not part of the sums: Fig. 1b draws it there, the authors' code and weights do without.

    inputs, outputs: channels M and N. width_divider: K. stride: 2 makes the strided ESP of appendix B, whose
    reduction is a 3x3 convolution and which has no residual. residual: add the input to the merged branches.
    reduce_kernel: 1, or 3 for Table 2d's C1. dilated: False gives every branch dilation 1, Table 2d's C3. hff: False
    concatenates the branches as they are (Fig. 2b).
    """

    def __init__(self, inputs, outputs, width_divider=5, stride=1, residual=True, kind='prelu', reduce_kernel=1,
                 dilated=True, hff=True):
        super().__init__()
        width_divider = min(width_divider, outputs)  # fewer classes than K: each branch needs at least one channel
        width = outputs // width_divider
        self.reduce = convolution(inputs, width, 3 if stride > 1 else reduce_kernel, stride)
        self.branches = nn.ModuleList([
            convolution(width, outputs - (width_divider - 1) * width if k == 0 else width, 3,
                        dilation=2 ** k if dilated else 1)
            for k in range(width_divider)])
        self.post = NormAct(outputs, kind)
        self.residual = residual and stride == 1 and inputs == outputs
        self.hff = hff

    def forward(self, x):
        reduced = self.reduce(x)
        merged = [self.branches[0](reduced)]
        fused = None
        for branch in self.branches[1:]:
            fused = branch(reduced) if fused is None or not self.hff else fused + branch(reduced)
            merged.append(fused)
        y = torch.cat(merged, 1)
        return self.post(x + y if self.residual else y)


class InputReinforcement(nn.Module):
    """The input image at 1/2 and 1/4 of its size, by repeated 3x3 average pooling (appendix B)."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)

    def forward(self, x):
        half = self.pool(x)
        return half, self.pool(half)


class InputFusion(nn.Module):
    """Input-aware fusion of Table 2f's C: features of the reduced image, added to those of levels 1 and 2.

    The paper names it without a drawing. This structure has its number of parameters; others may have it, too.
    """

    def __init__(self, level1, level2, width_divider, kind='prelu', hff=True):
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.level1 = nn.Sequential(convolution(3, level1, 1), ConvNormAct(level1, level1, 3, kind=kind))
        self.level2 = nn.ModuleList([nn.Sequential(
            ConvNormAct(3, level2, 1, kind=kind), ESP(level2, level2, width_divider, kind=kind, hff=hff))
            for _ in range(2)])

    def forward(self, x):
        """Return what is added at level 1, before the ESP modules of level 2, and after them."""
        half = self.pool(x)
        quarter = self.pool(half)
        return (self.level1(half),) + tuple(level(quarter) for level in self.level2)
