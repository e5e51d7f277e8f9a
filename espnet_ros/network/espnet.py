"""ESPNet-A, -B, -C and ESPNet (paper Fig. 4, appendix B)."""
import typing

import torch
from torch import nn

from espnet_ros.network import blocks
from espnet_ros.network.modules import (
    ESP,
    NORM_EPS,
    ConvNormAct,
    InputFusion,
    InputReinforcement,
    NormAct,
    convolution,
)

LEVEL1, LEVEL2, LEVEL3 = 16, 64, 128
"""Channels at the three spatial levels (Fig. 4)."""


class Encoder(nn.Module):
    """ESPNet-A, -B and -C: logits at 1/8 of the input size (Fig. 4a-c).

    B concatenates, at levels 2 and 3, the strided ESP's output with the last ESP's; A does so at level 2 only; C adds
    the reduced input image to B at levels 1 and 2 (input reinforcement).

    With 20 classes, alpha2 = 2 and alpha3 = 3, A has 183,136 parameters, B 186,464 and C 187,529, as in Table 2. The
    plain chain that Fig. 4a draws has 168,352: none of the table's nine counts of A fits it.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        kind = config.activation
        has_image = config.variant in ('espnet-c', 'espnet')
        reinforced = has_image and not config.input_fusion
        image = 3 if reinforced else 0
        self.reinforce = InputReinforcement() if reinforced else None
        self.fusion = InputFusion(LEVEL1, LEVEL2, config.width_divider, kind, config.hff) if (
            has_image and config.input_fusion) else None
        self.level1 = ConvNormAct(3, LEVEL1, 3, stride=2, kind=kind)
        self.norm1 = NormAct(LEVEL1 + image, kind) if image else None
        self.down2 = self._downsample(LEVEL1 + image, LEVEL2)
        self.level2 = nn.Sequential(*[self._block(LEVEL2) for _ in range(config.alpha2)])
        self.norm2 = NormAct(2 * LEVEL2 + image, kind)
        self.down3 = self._downsample(2 * LEVEL2 + image, LEVEL3)
        self.level3 = nn.Sequential(*[self._block(LEVEL3) for _ in range(config.alpha3)])
        self.norm3 = NormAct(2 * LEVEL3, kind) if config.variant != 'espnet-a' else None
        self.classifier = convolution(2 * LEVEL3 if self.norm3 is not None else LEVEL3, config.classes, 1)

    def _downsample(self, inputs, outputs):
        c = self.config
        if c.downsampling == 'conv':
            return ConvNormAct(inputs, outputs, 3, stride=2, kind=c.activation)
        return ESP(inputs, outputs, c.stride_divider or c.width_divider, stride=2, kind=c.activation,
                   dilated=c.dilated, hff=c.hff)

    def _block(self, channels):
        c = self.config
        if c.block != 'esp':
            return blocks.BLOCKS[c.block](channels, c.activation)
        return ESP(channels, channels, c.width_divider, 1, c.residual, c.activation, c.reduce_kernel, c.dilated, c.hff)

    def features(self, x):
        """Return what the decoder needs: level 1, level 1 with the image, level 2, and the logits at 1/8."""
        level1 = self.level1(x)
        merged1 = level1
        images: typing.Tuple[torch.Tensor, ...] = ()
        if self.reinforce is not None:
            half, quarter = self.reinforce(x)
            merged1 = self.norm1(torch.cat([level1, half], 1))
            images = (quarter,)
        if self.fusion is None:
            down2 = self.down2(merged1)
            level2 = self.level2(down2)
        else:
            added1, before, after = self.fusion(x)
            merged1 = level1 + added1
            down2 = self.down2(merged1) + before
            level2 = self.level2(down2) + after
        level2 = self.norm2(torch.cat((level2, down2) + images, 1))
        down3 = self.down3(level2)
        level3 = self.level3(down3)
        if self.norm3 is not None:
            level3 = self.norm3(torch.cat([down3, level3], 1))
        return level1, merged1, level2, self.classifier(level3)

    def forward(self, x):
        return self.features(x)[-1]


class ESPNet(nn.Module):
    """ESPNet-C with the light-weight decoder: logits at the input's size (Fig. 4d).

    The decoder reduces to C channels, upsamples with 2x2 deconvolutions, merges with the level above by
    concatenation (RUM, appendix B), and does so until the input's size is reached. Its merges are those of the
    authors' code and weights (3x3 and ESP, 202,649 parameters at alpha3 = 3, Table 2d's .202); Fig. 4d draws 1x1
    convolutions, with which there would be 197,349.
    """

    def __init__(self, config):
        super().__init__()
        c, kind = config.classes, config.activation
        self.config = config
        self.encoder = Encoder(config)
        self.norm3 = nn.BatchNorm2d(c, eps=NORM_EPS)
        self.up3 = _deconvolution(c)
        self.reduce2 = convolution(2 * LEVEL2 + (0 if config.input_fusion else 3), c, 1)
        self.merge2_norm = NormAct(2 * c, kind)
        self.merge2 = ESP(2 * c, c, config.width_divider, residual=False, kind=kind, dilated=config.dilated,
                          hff=config.hff)
        self.up2 = _deconvolution(c)
        self.up2_norm = NormAct(c, kind)
        self.merge1 = ConvNormAct(LEVEL1 + c + (3 if config.fuse_input and not config.input_fusion else 0), c, 3,
                                  kind=kind)
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


def build(config):
    """Return the network of a NetworkConfig."""
    return ESPNet(config) if config.variant == 'espnet' else Encoder(config)
