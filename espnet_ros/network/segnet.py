"""SegNet (Badrinarayanan et al., 2017): VGG16 and its mirror image, which unpools where maxima were."""
from torch import nn

from espnet_ros.network import vgg
from espnet_ros.network.pooling import MaxPool2x2, unpool


class SegNet(nn.Module):
    """SegNet: logits at the size of the input."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder = vgg.blocks(norm=True)
        self.pool = MaxPool2x2()
        decoder = []
        for number in reversed(range(len(vgg.WIDTHS))):
            widths = vgg.WIDTHS[number]
            last = vgg.WIDTHS[number - 1][-1] if number else config.classes
            decoder.append(vgg.block(widths[-1], widths[:-1] + (last,), norm=True))
        decoder[-1] = decoder[-1][:-2]  # logits: neither normalized nor rectified
        self.decoder = nn.ModuleList(decoder)

    def forward(self, x):
        places = []
        for block in self.encoder:
            x = block(x)
            pooled, place = self.pool(x)
            places.append((place, x))
            x = pooled
        for block, (place, like) in zip(self.decoder, reversed(places)):
            x = block(unpool(x, place, like))
        return x
