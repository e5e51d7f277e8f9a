"""ESPNet-A, -B, -C and ESPNet (paper Fig. 4, appendix B)."""
import reprlib
import typing

import torch
from torch import nn

from espnet_ros.errors import ModelError
from espnet_ros.network.modules import ESP, NORM_EPS, ConvNormAct, InputReinforcement, NormAct, convolution

VARIANTS = ('espnet-a', 'espnet-b', 'espnet-c', 'espnet')
DOWNSAMPLING = ('esp', 'conv')
LEVEL1, LEVEL2, LEVEL3 = 16, 64, 128
"""Channels at the three spatial levels (Fig. 4)."""


class NetworkConfig(typing.NamedTuple):
    """Everything that decides a network's shape; the defaults are the paper's ESPNet for Cityscapes.

    variant: one of VARIANTS. classes: output channels, background included where there is one. alpha2, alpha3: how
    often the ESP module repeats at levels 2 and 3. width_divider: K. The switches below are those of Table 2:
    activation 'prelu' or 'relu' (2a), residual (2b), downsampling 'esp' or 'conv' (2c), reduce_kernel 1 or 3 and
    dilated (2d). fuse_input: the decoder's last merge also sees the reduced input image, as in the authors' CamVid
    model.
    """

    variant: str = 'espnet'
    classes: int = 20
    alpha2: int = 2
    alpha3: int = 8
    width_divider: int = 5
    activation: str = 'prelu'
    residual: bool = True
    downsampling: str = 'esp'
    reduce_kernel: int = 1
    dilated: bool = True
    fuse_input: bool = False

    @property
    def stride(self):
        """Input pixels per output pixel, along each side."""
        return 1 if self.variant == 'espnet' else 8


_ALLOWED = {
    'variant': VARIANTS, 'classes': range(1, 256), 'alpha2': range(1, 65), 'alpha3': range(1, 65),
    'width_divider': range(2, 9), 'activation': ('prelu', 'relu'), 'residual': (False, True),
    'downsampling': DOWNSAMPLING, 'reduce_kernel': (1, 3), 'dilated': (False, True), 'fuse_input': (False, True)}


def check(config):
    """Raise ModelError when a field of `config` has a value that no network can be built from."""
    for field, allowed in _ALLOWED.items():
        value = getattr(config, field)
        if type(value) is not type(allowed[0]) or value not in allowed:
            described = ('{}..{}'.format(allowed[0], allowed[-1]) if isinstance(allowed, range)
                         else ', '.join(str(a) for a in allowed))
            raise ModelError('architecture: {} is {}; it must be one of {}'.format(
                field, reprlib.repr(value), described))


def build(config=NetworkConfig()):
    """Return the network of that configuration with fresh weights, in training mode. Raises ModelError.

    Its forward takes float [N, 3, H, W], H and W multiples of 8, and returns logits float [N, classes, h, w] with
    h, w = H, W for 'espnet' and H / 8, W / 8 for the other variants.
    """
    check(config)
    network = ESPNet(config) if config.variant == 'espnet' else Encoder(config)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight)
    return network


def parameter_count(network):
    """Return the number of learned values, as the paper's tables count them."""
    return sum(p.numel() for p in network.parameters())


class Encoder(nn.Module):
    """ESPNet-A, -B and -C: logits at 1/8 of the input size (Fig. 4a-c).

    A is the plain chain of Fig. 4a; B concatenates, at levels 2 and 3, the strided ESP's output with the last ESP's;
    C adds the reduced input image at levels 1 and 2 (input reinforcement).

    With 20 classes, alpha2 = 2 and alpha3 = 3, B has 186,464 parameters and C 187,529: 0.186 and 0.187 million, as in
    Table 2f. The chain of Fig. 4a has 168,352, not the 0.183 million of that table: the text speaks of a
    "convolution-based network width expansion" in A that the figure does not show.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.expand = config.variant != 'espnet-a'
        kind = config.activation
        image = 3 if config.variant in ('espnet-c', 'espnet') else 0
        self.reinforce = InputReinforcement() if image else None
        self.level1 = ConvNormAct(3, LEVEL1, 3, stride=2, kind=kind)
        self.norm1 = NormAct(LEVEL1 + image, kind) if image else None
        self.down2 = self._downsample(LEVEL1 + image, LEVEL2)
        self.level2 = nn.Sequential(*[self._esp(LEVEL2) for _ in range(config.alpha2)])
        width2 = 2 * LEVEL2 + image if self.expand else LEVEL2
        self.norm2 = NormAct(width2, kind) if self.expand else None
        self.down3 = self._downsample(width2, LEVEL3)
        self.level3 = nn.Sequential(*[self._esp(LEVEL3) for _ in range(config.alpha3)])
        width3 = 2 * LEVEL3 if self.expand else LEVEL3
        self.norm3 = NormAct(width3, kind) if self.expand else None
        self.classifier = convolution(width3, config.classes, 1)

    def _downsample(self, inputs, outputs):
        if self.config.downsampling == 'conv':
            return ConvNormAct(inputs, outputs, 3, stride=2, kind=self.config.activation)
        return ESP(inputs, outputs, self.config.width_divider, stride=2, kind=self.config.activation,
                   dilated=self.config.dilated)

    def _esp(self, channels):
        c = self.config
        return ESP(channels, channels, c.width_divider, 1, c.residual, c.activation, c.reduce_kernel, c.dilated)

    def features(self, x):
        """Return what the decoder needs: level 1, level 1 with the image, level 2, and the logits at 1/8."""
        level1 = self.level1(x)
        merged1 = level1
        images: typing.Tuple[torch.Tensor, ...] = ()
        if self.reinforce is not None:
            half, quarter = self.reinforce(x)
            merged1 = self.norm1(torch.cat([level1, half], 1))
            images = (quarter,)
        down2 = self.down2(merged1)
        level2 = self.level2(down2)
        if self.expand:
            level2 = self.norm2(torch.cat((level2, down2) + images, 1))
        down3 = self.down3(level2)
        level3 = self.level3(down3)
        if self.expand:
            level3 = self.norm3(torch.cat([down3, level3], 1))
        return level1, merged1, level2, self.classifier(level3)

    def forward(self, x):
        return self.features(x)[-1]


class ESPNet(nn.Module):
    """ESPNet-C with the light-weight decoder: logits at the input's size (Fig. 4d).

    The decoder reduces to C channels, upsamples with 2x2 deconvolutions, merges with the level above by
    concatenation (RUM, appendix B), and does so until the input's size is reached.
    """

    def __init__(self, config):
        super().__init__()
        c, kind = config.classes, config.activation
        self.config = config
        self.encoder = Encoder(config)
        self.norm3 = nn.BatchNorm2d(c, eps=NORM_EPS)
        self.up3 = _deconvolution(c)
        self.reduce2 = convolution(2 * LEVEL2 + 3, c, 1)
        self.merge2_norm = NormAct(2 * c, kind)
        self.merge2 = ESP(2 * c, c, config.width_divider, residual=False, kind=kind, dilated=config.dilated)
        self.up2 = _deconvolution(c)
        self.up2_norm = NormAct(c, kind)
        self.merge1 = ConvNormAct(LEVEL1 + c + (3 if config.fuse_input else 0), c, 3, kind=kind)
        self.up1 = _deconvolution(c)

    def forward(self, x):
        level1, merged1, level2, logits = self.encoder.features(x)
        up = self.up3(self.norm3(logits))
        up = self.merge2(self.merge2_norm(torch.cat([self.reduce2(level2), up], 1)))
        up = self.up2_norm(self.up2(up))
        up = self.merge1(torch.cat([up, merged1 if self.config.fuse_input else level1], 1))
        return self.up1(up)


def _deconvolution(channels):
    return nn.ConvTranspose2d(channels, channels, 2, stride=2, bias=False)
