"""The inference form of a network: camera bytes in, labels and confidence out."""
import torch
from torch import nn

from espnet_ros.deploy.folding import ShuffledDeconvolution, fold
from espnet_ros.deploy.heads import DeconvolutionHead, UpsamplingHead
from espnet_ros.deploy.tiled import TiledDeconvolutionHead, TiledUpsamplingHead, use_row_prelu
from espnet_ros.network.espnet import ESPNet


def normalization(card):
    """Return (scale, shift), float32 [1, 3, 1, 1] in B, G, R order: a network sees BGR 0..255 * scale + shift."""
    std = torch.tensor(card.std, dtype=torch.float64) * card.divisor
    mean = torch.tensor(card.mean, dtype=torch.float64)
    return (1.0 / std).float().view(1, 3, 1, 1), (-mean / std).float().view(1, 3, 1, 1)


class Deployed(nn.Module):
    """Normalize, run the network, take the most probable class.

    network: features from float [N, 3, H, W]; by default these are logits. card: whose mean, std, divisor and outputs
    are used. head: makes logits, classes and probabilities of the features (deploy.heads).

    forward takes BGR uint8 or float 0..255 [N, 3, H, W] and returns (labels, confidence), both uint8 [N, H, W]:
    class ids (255 for background) and the top softmax probability times 255. Confidence is None unless asked for.
    """

    scale: torch.Tensor
    shift: torch.Tensor
    outputs: torch.Tensor

    def __init__(self, network, card, head=None):
        super().__init__()
        self.network = network
        self.head = UpsamplingHead() if head is None else head
        scale, shift = normalization(card)
        self.register_buffer('scale', scale)
        self.register_buffer('shift', shift)
        self.register_buffer('outputs', torch.tensor(card.outputs, dtype=torch.uint8))

    def normalize(self, image):
        """Return (image - mean) / std / divisor as float32."""
        return image.float() * self.scale + self.shift

    def features(self, normalized):
        """Return what the network makes of a normalized image."""
        # In float32 also for a network in half precision: a quarter fewer labels change (bfloat16, Cityscapes).
        return self.network(normalized.to(next(self.network.parameters()).dtype))

    def logits(self, image):
        """Return the logits [N, classes, H, W] at the size of `image`."""
        return self.head.logits(self.features(self.normalize(image)), *image.shape[2:])

    def best(self, normalized, confidence=False):
        """As forward, of a normalized image."""
        index, probability = self.head(self.features(normalized), *normalized.shape[2:], confidence)
        labels = self.outputs[index.long()]
        return labels, (probability * 255.0).round().to(torch.uint8) if confidence else None

    def forward(self, image, confidence=False):
        return self.best(self.normalize(image), confidence)


def deploy(network, card, tiled=False):
    """Return the fast form of Deployed(network, card), in eval mode: folded, with the classes found early.

    tiled: the form that suits PyTorch on a CPU, whose head works in tiles that fit into the cache (deploy.tiled). The
    form for all else can be traced.
    """
    network = fold(network)
    upsampling, deconvolution = (TiledUpsamplingHead, TiledDeconvolutionHead) if tiled else (
        UpsamplingHead, DeconvolutionHead)
    if isinstance(network, ESPNet):
        head: nn.Module = deconvolution(network.up1)
        network.up1 = nn.Identity()
        network.up2 = ShuffledDeconvolution(network.up2)
        network.up3 = ShuffledDeconvolution(network.up3)
    else:
        head = upsampling()
    if tiled:
        use_row_prelu(network)
    return Deployed(network, card, head).eval()
