"""State dicts of public implementations, renamed and rearranged for the networks of this package."""
import collections
import os
import re
import typing

from espnet_ros.errors import ModelError, ParameterError, one_line
from espnet_ros.models.checkpoint import read_weights, sha256_of

BACKBONE_BYTES = 1 << 30
"""Largest file of a backbone: that of VGG16 has 553 MB with its classifier."""
VGG_BLOCKS = (2, 2, 3, 3, 3)
RESNET_STAGES = (3, 4, 23, 3)
LAYOUTS = {
    'fcn8s': "torchvision's vgg16", 'segnet': "torchvision's vgg16_bn", 'deeplab-v2': "torchvision's resnet101",
    'pspnet': "resnet101 with a deep stem (conv1, bn1, conv2, bn2, conv3, bn3), otherwise as torchvision's"}
"""What weights of a backbone each family takes."""


class Backbone(typing.NamedTuple):
    """Weights of a backbone under this package's names; sha256: of their file."""

    tensors: typing.Dict[str, typing.Any]
    sha256: str

    def fill(self, network):
        """Copy the tensors into a network of their family; the others stay as they are."""
        own = network.state_dict()
        for name, tensor in self.tensors.items():
            own[name].copy_(tensor)


def read_backbone(path, config):
    """Return the Backbone in a file, for networks of a configuration.

    Public backbones see R, G, B; the first convolution is turned around, because networks here see B, G, R. Where the
    file's name ends with eight hexadecimal digits, as those of torchvision do, its SHA-256 must begin with them. Raises
    ModelError, and ParameterError for families without a backbone.
    """
    import torch  # takes seconds

    from espnet_ros.network import build
    if config.family not in LAYOUTS:
        raise ParameterError('the family {} takes no backbone; {} do'.format(
            config.family, ', '.join(LAYOUTS)))
    sha256 = sha256_of(path)
    digits = re.search(r'-([0-9a-f]{8})\.pth\Z', os.path.basename(str(path)))
    if digits and not sha256.startswith(digits.group(1)):
        raise ModelError("the weights '{}' are damaged or another file: their SHA-256 begins with {}; fetch them again"
                         .format(path, sha256[:8]))
    state = read_weights(path, BACKBONE_BYTES)
    with torch.device('meta'):  # names and shapes alone
        own = build(config).state_dict()
    names = _names(config.family)
    tensors, missing = collections.OrderedDict(), []
    for name, tensor in own.items():
        module, _, field = name.rpartition('.')
        theirs = '{}.{}'.format(names[module], field) if module in names else ''
        found = state.get(theirs)
        if found is not None and found.numel() == tensor.numel() and found.shape[0:1] == tensor.shape[0:1]:
            tensors[name] = found.float().reshape(tensor.shape) if tensor.is_floating_point() else found
        elif theirs and field != 'num_batches_tracked' and not (theirs.startswith('classifier') and found is None):
            missing.append(theirs)
    if missing:
        raise ModelError("the weights '{}' are not {}: {} of its tensors are missing or of another shape ({}); the "
                         'first in the file is {}'.format(path, LAYOUTS[config.family], len(missing), ', '.join(
                             missing[:2]), one_line(next(iter(state)))))
    first = next(iter(tensors))
    tensors[first] = tensors[first].flip(1)
    return Backbone(tensors, sha256)


def _names(family):
    """Return the public name of each module of a family's backbone by its name here."""
    if family in ('fcn8s', 'segnet'):
        return _vgg(norm=family == 'segnet', fully=family == 'fcn8s')
    return _resnet(3 if family == 'pspnet' else 1)


def _vgg(norm, fully):
    names, place, layers = {}, 0, 3 if norm else 2
    for block, count in enumerate(VGG_BLOCKS):
        for i in range(count):
            for layer in range(layers - 1):
                names['encoder.{}.{}'.format(block, layers * i + layer)] = 'features.{}'.format(place + layer)
            place += layers
        place += 1  # pooling
    if fully:  # the classifier is made convolutional
        names.update({'fully.0': 'classifier.0', 'fully.3': 'classifier.3'})
    return names


def _resnet(stem):
    names = {}
    for i in range(stem):
        names['backbone.{}.0'.format(i)], names['backbone.{}.1'.format(i)] = (
            '{}{}'.format(kind, i + 1) for kind in ('conv', 'bn'))
    place = stem + 1  # pooling
    for stage, count in enumerate(RESNET_STAGES, 1):
        for i in range(count):
            ours, theirs = 'backbone.{}.'.format(place), 'layer{}.{}.'.format(stage, i)
            for k in range(3):
                names.update({ours + 'branch.{}.0'.format(k): theirs + 'conv{}'.format(k + 1),
                              ours + 'branch.{}.1'.format(k): theirs + 'bn{}'.format(k + 1)})
            names.update({ours + 'skip.{}'.format(k): theirs + 'downsample.{}'.format(k) for k in range(2)})
            place += 1
    return names


_ERFNET_LAYERS = {'conv3x1_1': 'branch.0', 'conv1x3_1': 'branch.2', 'bn1': 'branch.3', 'conv3x1_2': 'branch.5',
                  'conv1x3_2': 'branch.7', 'bn2': 'branch.8'}


def rename_erfnet_keys(state):
    """Return a state dict in the layout of ERFNet's authors (erfnet_pytorch) under this package's names, for B, G, R.

    Other state dicts stay as they are. `module.` in front of all keys, of DataParallel, is dropped. The network of
    that code sees R, G, B; its pooled image is concatenated with features, and so the channels that hold it change
    places in each layer up to the decoder.
    """
    state = collections.OrderedDict((re.sub(r'\Amodule\.', '', key), value) for key, value in state.items())
    if 'encoder.initial_block.conv.weight' not in state:
        return state
    renamed = collections.OrderedDict()
    for key, value in state.items():
        key = key.replace('encoder.output_conv.', 'head.').replace('decoder.output_conv.', 'decoder.6.')
        key = re.sub(r'\Aencoder\.initial_block\.', 'encoder.0.', key)
        key = re.sub(r'\Aencoder\.layers\.([0-9]+)\.', lambda m: 'encoder.{}.'.format(int(m.group(1)[:4]) + 1), key)
        key = re.sub(r'\Adecoder\.layers\.([0-9]+)\.', r'decoder.\1.', key)
        key = re.sub(r'\.(conv[13]x[13]_[12]|bn[12])\.', lambda m: '.{}.'.format(_ERFNET_LAYERS[m.group(1)]), key)
        if re.match(r'decoder\.[03]\.', key):
            key = key.replace('.conv.', '.0.').replace('.bn.', '.1.')
        renamed[key.replace('.bn.', '.norm.')] = value
    for pattern, axis, first, second in _ERFNET_SWAPS:
        for key, value in renamed.items():
            if re.match(pattern, key) and value.dim() > axis and value.shape[axis] > second:
                order = list(range(value.shape[axis]))
                order[first], order[second] = second, first
                renamed[key] = value.index_select(axis, value.new_tensor(order).long())
    return renamed


_ERFNET_SWAPS = (
    (r'encoder\.0\.conv\.weight', 1, 0, 2), (r'encoder\.0\.norm\.', 0, 13, 15),
    (r'encoder\.1\.conv\.weight', 1, 13, 15), (r'encoder\.1\.norm\.', 0, 61, 63),
    (r'encoder\.[2-6]\.branch\.0\.weight', 1, 61, 63), (r'encoder\.[2-6]\.branch\.[78]\.', 0, 61, 63),
    (r'encoder\.7\.conv\.weight', 1, 61, 63), (r'encoder\.7\.norm\.', 0, 125, 127),
    (r'encoder\.([89]|1[0-5])\.branch\.0\.weight', 1, 125, 127),
    (r'encoder\.([89]|1[0-5])\.branch\.[78]\.', 0, 125, 127),
    (r'decoder\.0\.0\.weight', 0, 125, 127), (r'head\.weight', 1, 125, 127))
"""Of which tensors, on which axis, the channels of red and blue change places: 13 + 3, 48 + 16, 64 + 64 channels."""


_ENET_STAGE = ('regular', 'dilated', 'asymmetric', 'dilated') * 2


def rename_enet_keys(state, config):
    """Return a state dict in the layout of PyTorch-ENet under this package's names, for B, G, R.

    config: an ENetConfig of that layout. Other state dicts stay as they are. `module.` in front of all keys, of
    DataParallel, is dropped. The one slope of a PReLU is repeated for each channel. An encoder or decoder without
    slopes has ReLUs: they are 0.
    """
    import torch  # takes seconds

    from espnet_ros.network import build
    state = collections.OrderedDict((re.sub(r'\Amodule\.', '', key), value) for key, value in state.items())
    if 'initial_block.main_branch.weight' not in state:
        return state
    ours = {theirs: name for name, theirs in _enet().items()}
    renamed = collections.OrderedDict()
    for key, value in state.items():
        module, _, field = key.rpartition('.')
        renamed['{}.{}'.format(ours.get(module, module), field)] = value
    if renamed['initial.conv.weight'].dim() > 1:
        renamed['initial.conv.weight'] = renamed['initial.conv.weight'].flip(1)
    with torch.device('meta'):
        network = build(config)
    slopes = {name + '.weight': module.num_parameters for name, module in network.named_modules()
              if isinstance(module, torch.nn.PReLU)}
    for part in ('initial|down|stage[123]', 'up|stage[45]'):
        names = [name for name in slopes if re.match(part, name)]
        are_relus = not any(name in renamed for name in names)
        for name in names:
            if are_relus:
                renamed[name] = torch.zeros(slopes[name])
            elif name in renamed and renamed[name].numel() == 1:
                renamed[name] = renamed[name].reshape(1).repeat(slopes[name])
    return renamed


def _enet():
    """Return the name of each module in PyTorch-ENet by its name here."""
    names = {'initial.conv': 'initial_block.main_branch', 'initial.post.0': 'initial_block.batch_norm',
             'initial.post.1': 'initial_block.out_activation', 'full': 'transposed_conv'}
    blocks = [('down{}'.format(i), 'downsample{}_0'.format(i)) for i in (1, 2)]
    blocks += [('stage{}.{}'.format(stage, i), 'regular{}_{}'.format(stage, i + 1))
               for stage, count in ((1, 4), (4, 2)) for i in range(count)] + [('stage5', 'regular5_1')]
    blocks += [('stage{}.{}'.format(stage, i), '{}{}_{}'.format(kind, stage, i + first))
               for stage, first in ((2, 1), (3, 0)) for i, kind in enumerate(_ENET_STAGE)]
    for ours, theirs in blocks:
        middle = 6 if theirs.startswith('asymmetric') else 3
        parts = ['ext_conv{}.{}'.format(part, i) for part, count in ((1, 3), (2, middle), (3, 3)) for i in range(count)]
        names.update(('{}.branch.{}'.format(ours, i), '{}.{}'.format(theirs, part)) for i, part in enumerate(parts))
        names[ours + '.act'] = theirs + '.out_activation'
    for level in (4, 5):
        parts = ['ext_conv1.0', 'ext_conv1.1', 'ext_conv1.2', 'ext_tconv1', 'ext_tconv1_bnorm', 'ext_tconv1_activation',
                 'ext_conv2.0', 'ext_conv2.1']
        ours, theirs = 'up{}.'.format(level), 'upsample{}_0.'.format(level)
        names.update(('{}branch.{}'.format(ours, i), theirs + part) for i, part in enumerate(parts))
        names.update({ours + 'main.0': theirs + 'main_conv1.0', ours + 'main.1': theirs + 'main_conv1.1',
                      ours + 'act': theirs + 'out_activation'})
    return names
