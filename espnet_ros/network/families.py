"""The registry of network families: what a model card may name, and how each is configured and built."""
import reprlib

from espnet_ros.errors import ModelError
from espnet_ros.network.configs import FAMILIES

DEFAULT = 'espnet'
"""Family of a model card that names none."""


def configure(family, fields):
    """Return the checked configuration of a family's network.

    family: of FAMILIES. fields: by name; those that are missing have their defaults. Raises ModelError.
    """
    if not isinstance(family, str) or family not in FAMILIES:
        raise ModelError('family {} is none of {}'.format(reprlib.repr(family), ', '.join(sorted(FAMILIES))))
    kind = FAMILIES[family].config
    unknown = sorted(map(str, set(fields) - set(kind._fields)))
    if unknown:
        raise ModelError('architecture has no field {}{}'.format(
            reprlib.repr(unknown[0]), '' if family == DEFAULT else ' in family ' + family))
    return check(kind(**fields))


def check(config):
    """Return the configuration. Raises ModelError when a field has a value that no network can be built from."""
    for field, allowed in FAMILIES[config.family].allowed.items():
        value = getattr(config, field)
        if type(value) is not type(allowed[0]) or value not in allowed:
            described = ('{}..{}'.format(allowed[0], allowed[-1]) if isinstance(allowed, range)
                         else ', '.join(str(a) for a in allowed))
            raise ModelError('architecture: {} is {}; it must be one of {}'.format(
                field, reprlib.repr(value), described))
    return config


def build(config):
    """Return the network of a configuration with fresh weights, in training mode. Raises ModelError.

    Its forward takes float [N, 3, H, W], H and W multiples of 8, and returns logits float [N, classes, h, w] with
    h, w = H / config.stride, W / config.stride.
    """
    from torch import nn
    network = FAMILIES[check(config).family].build(config)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight)
    if hasattr(network, 'initialize'):
        network.initialize()
    network.config = config
    return network


def parameter_count(network):
    """Return the number of learned values, as the paper's tables count them."""
    return sum(p.numel() for p in network.parameters())


def count(config):
    """Return the `parameter_count` of a configuration's network, without its memory where PyTorch can (2.0)."""
    import torch
    if not hasattr(torch.device, '__enter__'):
        return parameter_count(build(config))
    with torch.device('meta'):
        return parameter_count(build(config))
