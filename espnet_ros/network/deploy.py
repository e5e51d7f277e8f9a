"""The inference form of a network: camera bytes in, labels and confidence out."""
import torch
from torch import nn
from torch.nn import functional


class Deployed(nn.Module):
    """Normalise, run the network, take the most probable class.

    network: logits from float [N, 3, H, W]. mean, std, divisor, outputs: as in the model card.

    forward takes BGR uint8 or float 0..255 [N, 3, H, W] and returns (labels, confidence), both uint8 [N, H, W]:
    class ids (255 for background) and the top softmax probability times 255. Confidence is None unless asked for.
    Networks that answer at 1/8 of the size are upsampled bilinearly first, as in the paper's section 4.1.
    """

    def __init__(self, network, card):
        super().__init__()
        self.network = network
        std = torch.tensor(card.std, dtype=torch.float64) * card.divisor
        self.register_buffer('scale', (1.0 / std).float().view(1, 3, 1, 1))
        self.register_buffer('shift', (-torch.tensor(card.mean, dtype=torch.float64) / std).float().view(1, 3, 1, 1))
        self.register_buffer('outputs', torch.tensor(card.outputs, dtype=torch.uint8))

    def logits(self, image):
        """Return the network's logits [N, classes, H, W] at the size of `image`."""
        # In float32 also for a network in half precision: a quarter fewer labels change (bfloat16, Cityscapes).
        x = (image.float() * self.scale + self.shift).to(next(self.network.parameters()).dtype)
        logits = self.network(x)
        if logits.shape[2:] != image.shape[2:]:
            logits = functional.interpolate(logits, size=image.shape[2:], mode='bilinear', align_corners=False)
        return logits

    def forward(self, image, confidence=False):
        logits = self.logits(image)
        top, index = logits.max(1)
        labels = self.outputs[index]
        if not confidence:
            return labels, None
        probability = 1.0 / torch.exp(logits - top.unsqueeze(1)).sum(1)
        return labels, (probability * 255.0).round().to(torch.uint8)
