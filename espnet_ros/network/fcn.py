"""FCN-8s (Long et al., 2015): VGG16 made convolutional, with scores of three levels added."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.network import vgg


class FCN8s(nn.Module):
    """FCN-8s: logits at the size of the input.

    Where its paper pads the image by 100 pixels and crops the scores, here the 7x7 convolution pads, which gives scores
    of the same places and does not compute the margin.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        c = config.classes
        self.encoder = vgg.blocks(norm=False)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fully = nn.Sequential(nn.Conv2d(512, 4096, 7, padding=3), nn.ReLU(), nn.Dropout2d(),
                                   nn.Conv2d(4096, 4096, 1), nn.ReLU(), nn.Dropout2d())
        self.score5 = nn.Conv2d(4096, c, 1)
        self.score4 = nn.Conv2d(512, c, 1)
        self.score3 = nn.Conv2d(256, c, 1)
        self.up5 = nn.ConvTranspose2d(c, c, 4, stride=2, padding=1, bias=False)
        self.up4 = nn.ConvTranspose2d(c, c, 4, stride=2, padding=1, bias=False)
        self.up3 = nn.ConvTranspose2d(c, c, 16, stride=8, padding=4, bias=False)

    def initialize(self):
        """Begin the deconvolutions as bilinear interpolation, as in the paper."""
        for up in (self.up5, self.up4, self.up3):
            with torch.no_grad():
                up.weight.copy_(_bilinear(up.kernel_size[0]) * torch.eye(self.config.classes).view(
                    self.config.classes, self.config.classes, 1, 1))

    def forward(self, x):
        levels = []
        for block in self.encoder:
            x = self.pool(block(x))
            levels.append(x)
        level3, level4 = levels[2:4]
        up = _at(level4, self.up5(self.score5(self.fully(x)))) + self.score4(level4)
        up = _at(level3, self.up4(up)) + self.score3(level3)
        return self.up3(up)


def _at(level, x):
    return x[:, :, :level.shape[2], :level.shape[3]]  # halves are rounded up


def _bilinear(kernel):
    center = (kernel - 1) / 2.0
    line = 1 - (torch.arange(kernel) - center).abs() / (kernel / 2.0)
    return functional.relu(line.view(-1, 1) * line)
