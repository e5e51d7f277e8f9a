"""Optimizer, learning rate, loss and weight averaging of a training step."""
import math

import torch
from torch.nn import functional

from espnet_ros.labels import UNLABELED

_OPTIMIZERS = {'adam': torch.optim.Adam, 'adamw': torch.optim.AdamW, 'sgd': torch.optim.SGD}


def make_optimizer(settings, network, variant):
    """Return the optimizer for the network of a stage.

    Each parameter group has a key `share`: the factor on the learning rate, `encoder_rate` for the encoder in the
    stage that trains the decoder too.
    """
    encoder = list(network.encoder.parameters()) if variant == 'espnet' else []
    ids = set(map(id, encoder))
    groups = [{'params': encoder, 'share': settings.encoder_rate},
              {'params': [p for p in network.parameters() if id(p) not in ids], 'share': 1.0}]
    own = {'momentum': settings.momentum} if settings.optimizer == 'sgd' else {}
    return _OPTIMIZERS[settings.optimizer]([group for group in groups if group['params']], lr=settings.learning_rate,
                                           weight_decay=settings.weight_decay, **own)


def learning_rate(settings, progress, epoch):
    """Return the learning rate; progress: completed share of the stage (0..1), epoch: completed epochs."""
    if settings.schedule == 'step':
        factor = settings.step_factor ** (epoch // settings.step_epochs)
    else:
        decay = {'poly': (1 - progress) ** settings.poly_power,
                 'cosine': (1 + math.cos(math.pi * progress)) / 2}[settings.schedule]
        factor = settings.final_rate + (1 - settings.final_rate) * decay
    # Warm-up does not start at exactly zero: the first step would have no effect.
    warmup = min(1.0, (progress + 1e-3) / (settings.warmup + 1e-3)) if settings.warmup else 1.0
    return settings.learning_rate * factor * warmup


def mixed_precision(settings, device):
    """Return the dtype for autocast and a GradScaler, each None where it is not used.

    CPUs always use float32: oneDNN's weight gradient of dilated convolutions in bfloat16 gives NaN or crashes (PyTorch
    2.13, Zen 5).
    """
    if not settings.mixed_precision or device.type != 'cuda':
        return None, None
    if torch.cuda.get_device_capability(device) >= (8, 0):  # older GPUs only emulate bfloat16
        return torch.bfloat16, None
    return torch.float16, torch.amp.GradScaler('cuda')


def weighted_loss(logits, labels, weights, smoothing):
    """Return the summed cross entropy and the summed class weights of the labeled pixels.

    logits: [N, C, H, W]. labels: int64 [N, H, W], 255 = unlabeled. weights: float32 [256], 0 for 255. smoothing: label
    smoothing, 0..1.
    """
    # As rows of a matrix, which is their memory layout (channels last): a softmax over images would copy them first.
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    loss = functional.cross_entropy(rows.float(), labels.flatten(), weights[:logits.shape[1]], ignore_index=UNLABELED,
                                    reduction='sum', label_smoothing=smoothing)
    return loss, weights[labels].sum()


def update_ema(ema, network, decay):
    """Move the exponential moving average toward the network: ema = decay * ema + (1 - decay) * network."""
    with torch.no_grad():
        for kept, new in zip(ema.state_dict().values(), network.state_dict().values()):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)
