"""The VGG16 backbone's convolutions (Simonyan and Zisserman, 2015)."""
from torch import nn

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of the convolutions of each block; a block ends with 2x2 max-pooling."""


def block(inputs, widths, norm):
    """Return 3x3 convolutions to those widths, each with ReLU, and batch normalization where `norm` is set."""
    layers = []
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, padding=1)] + ([nn.BatchNorm2d(width)] if norm else []) + [nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)


def blocks(norm):
    """Return the five blocks, without their pooling, as an nn.ModuleList."""
    return nn.ModuleList([block(inputs, widths, norm) for inputs, widths in zip(
        (3,) + tuple(widths[-1] for widths in WIDTHS), WIDTHS)])
