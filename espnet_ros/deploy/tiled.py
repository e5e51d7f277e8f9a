"""Heads and PReLU in forms that PyTorch runs faster on a CPU."""
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.deploy.heads import DeconvolutionHead, UpsamplingHead, shuffle_pixels

TILE = 8192
"""Pixels processed together, so that the logits of 20 classes in float32 stay in the cache."""


class TiledUpsamplingHead(UpsamplingHead):
    """UpsamplingHead that computes the logits in tiles that fit into the cache."""

    def forward(self, features, height, width, confidence=False):
        """As UpsamplingHead."""
        batch, classes = features.shape[:2]
        pixels = _Pixels((batch, height, width), confidence)
        rows = max(1, TILE // width)
        if features.shape[2:] == (height, width):
            for n in range(batch):
                for top in range(0, height, rows):
                    here = slice(top, top + rows)
                    logits = features[n, :, here].float().contiguous().clone()
                    pixels.put((n, here), logits.view(1, classes, -1), lambda tile: tile.view(-1, width))
            return pixels.index, pixels.probability
        wide = functional.interpolate(features.float(), size=(features.shape[2], width), mode='bilinear',
                                      align_corners=False).contiguous()
        # Rows between which each row of the result lies, and where between them (half-pixel centers).
        position = (torch.arange(height) + 0.5) * (features.shape[2] / height) - 0.5
        position = position.clamp(0, features.shape[2] - 1)
        above = position.long()
        below = (above + 1).clamp(max=features.shape[2] - 1)
        part = (position - above).view(-1, 1)
        for n in range(batch):
            for top in range(0, height, rows):
                here = slice(top, top + rows)
                logits = torch.lerp(wide[n, :, above[here]], wide[n, :, below[here]], part[here])
                pixels.put((n, here), logits.view(1, classes, -1), lambda tile: tile.view(-1, width))
        return pixels.index, pixels.probability


class TiledDeconvolutionHead(DeconvolutionHead):
    """DeconvolutionHead that computes the logits in tiles that fit into the cache."""

    def forward(self, features, height, width, confidence=False):
        """As DeconvolutionHead."""
        batch, inputs, h, w = features.shape
        weight = self.last.weight.float().view(-1, inputs)
        pixels = _Pixels((batch, 4, h, w), confidence)
        rows = max(1, TILE // w)
        for n in range(batch):
            for top in range(0, h, rows):
                here = slice(top, top + rows)
                columns = features[n, :, here].permute(1, 2, 0).reshape(-1, inputs).t().float()
                pixels.put((n, slice(None), here), torch.mm(weight, columns).view(4, -1, columns.shape[1]),
                           lambda tile: tile.view(4, -1, w))
        return shuffle_pixels(pixels.index), shuffle_pixels(pixels.probability) if confidence else None


class _Pixels:
    """Index and probability of the best class, filled in tile by tile."""

    def __init__(self, shape, confidence):
        self.index = torch.empty(shape, dtype=torch.uint8)
        self.probability = torch.empty(shape) if confidence else None

    def put(self, where, logits, shaped):
        """Take the best of logits, float32 [n, C, pixels], which are overwritten; `shaped` gives a result its form."""
        top = None if self.probability is None else logits.amax(1, keepdim=True)
        # PyTorch finds a maximum ten times as fast as its place. So the place goes into the lowest bits of the number
        # (5 for 20 classes), and only logits that agree to some millionths may change their order. It goes there
        # counted from the end, so that of equal ones the first wins.
        bits = (1 << (logits.shape[1] - 1).bit_length()) - 1
        order = (bits - torch.arange(logits.shape[1], dtype=torch.int32)).view(1, -1, 1)
        packed = logits.view(torch.int32).bitwise_and(~bits).bitwise_or_(order).view(torch.float32)
        self.index[where] = shaped(packed.amax(1).view(torch.int32).bitwise_and_(bits).bitwise_xor_(bits))
        if self.probability is not None:
            self.probability[where] = shaped(1.0 / logits.sub_(top).exp_().sum(1))


class RowPReLU(nn.Module):
    """PReLU on whole rows of a channels-last image, so that the loop over few channels becomes one over many values.

    PyTorch's own takes 30 times as long on 20 channels in bfloat16.
    """

    def __init__(self, prelu):
        super().__init__()
        self.weight = nn.Parameter(prelu.weight.detach())
        self._row = self.weight.data[:0]

    def forward(self, x):
        """Return float [N, C, H, W]."""
        n, c, h, w = x.shape
        if len(self._row) != w * c or self._row.dtype != x.dtype:
            self._row = self.weight.data.to(x.dtype).repeat(w)
        rows = x.permute(0, 2, 3, 1).reshape(n * h, w * c)
        return functional.prelu(rows, self._row).view(n, h, w, c).permute(0, 3, 1, 2)


def use_row_prelu(network):
    """Replace every PReLU of the network, in place, by a RowPReLU."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.PReLU):
                setattr(module, name, RowPReLU(child))
