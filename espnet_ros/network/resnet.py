"""The ResNet-101 backbone (He et al., 2016), dilated to 1/8 of the input size."""
from torch import nn

STAGES = ((64, 3, 1, 1), (128, 4, 2, 1), (256, 23, 1, 2), (512, 3, 1, 4))
"""Width, number of bottlenecks, stride and dilation of each stage: the last two are dilated instead of strided."""
EXPANSION = 4
OUTPUTS = STAGES[-1][0] * EXPANSION


def conv_norm(inputs, outputs, kernel, stride=1, dilation=1, act=True):
    """Return a convolution without bias, batch normalization and, if `act`, ReLU."""
    padding = (kernel - 1) // 2 * dilation
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
                         nn.BatchNorm2d(outputs), *([nn.ReLU()] if act else []))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, with a skip connection, projected where the shape changes."""

    def __init__(self, inputs, width, stride, dilation):
        super().__init__()
        outputs = width * EXPANSION
        self.branch = nn.Sequential(conv_norm(inputs, width, 1), conv_norm(width, width, 3, stride, dilation),
                                    conv_norm(width, outputs, 1, act=False))
        self.skip = nn.Sequential() if inputs == outputs and stride == 1 else conv_norm(
            inputs, outputs, 1, stride, act=False)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.branch(x) + self.skip(x))


def resnet101(deep_stem=False):
    """Return the backbone: from float [N, 3, H, W] to [N, 2048, H / 8, W / 8].

    deep_stem: three 3x3 convolutions in place of the 7x7 one, as in PSPNet.
    """
    if deep_stem:
        stem = [conv_norm(3, 64, 3, 2), conv_norm(64, 64, 3), conv_norm(64, 128, 3)]
        inputs = 128
    else:
        stem = [conv_norm(3, 64, 7, 2)]
        inputs = 64
    layers = stem + [nn.MaxPool2d(3, stride=2, padding=1)]
    for width, count, stride, dilation in STAGES:
        for i in range(count):
            layers.append(Bottleneck(inputs, width, stride if i == 0 else 1, dilation))
            inputs = width * EXPANSION
    return nn.Sequential(*layers)
