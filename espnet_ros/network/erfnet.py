"""ERFNet (Romera et al., 2017): residual layers of factorized convolutions."""
import torch
from torch import nn
from torch.nn import functional

EPS = 1e-3


class ERFNet(nn.Module):
    """ERFNet: logits at the size of the input (Table I of its paper).

    `head` serves the encoder's own training; the whole network does not use it.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder = nn.Sequential(
            Downsampler(3, 16), Downsampler(16, 64), *[NonBottleneck1D(64, 1, 0.03) for _ in range(5)],
            Downsampler(64, 128), *[NonBottleneck1D(128, rate, 0.3) for _ in range(2) for rate in (2, 4, 8, 16)])
        self.head = nn.Conv2d(128, config.classes, 1)
        self.decoder = nn.Sequential() if config.encoder_only else nn.Sequential(
            _upsampler(128, 64), NonBottleneck1D(64), NonBottleneck1D(64),
            _upsampler(64, 16), NonBottleneck1D(16), NonBottleneck1D(16),
            nn.ConvTranspose2d(16, config.classes, 2, stride=2))

    def forward(self, x):
        features = self.encoder(x)
        return self.head(features) if self.config.encoder_only else self.decoder(features)


class Downsampler(nn.Module):
    """A strided convolution beside max-pooling, concatenated."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs - inputs, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(outputs, eps=EPS)

    def forward(self, x):
        return functional.relu(self.norm(torch.cat([self.conv(x), functional.max_pool2d(x, 2)], 1)))


class NonBottleneck1D(nn.Module):
    """Two 3x3 convolutions, each as 3x1 and 1x3, the second pair dilated, with a skip connection (Fig. 2c)."""

    def __init__(self, channels, dilation=1, dropout=0.0):
        super().__init__()
        layers = []
        for rate in (1, dilation):
            layers += [nn.Conv2d(channels, channels, (3, 1), padding=(rate, 0), dilation=(rate, 1)), nn.ReLU(),
                       nn.Conv2d(channels, channels, (1, 3), padding=(0, rate), dilation=(1, rate)),
                       nn.BatchNorm2d(channels, eps=EPS), nn.ReLU()]
        self.branch = nn.Sequential(*(layers[:-1] + [nn.Dropout2d(dropout)]))

    def forward(self, x):
        return functional.relu(x + self.branch(x))


def _upsampler(inputs, outputs):
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
                         nn.BatchNorm2d(outputs, eps=EPS), nn.ReLU())
