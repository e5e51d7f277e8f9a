"""Weights files: safe reading, conversion of the authors' names, loading into a network."""
import collections
import hashlib
import io
import os
import re

from espnet_ros.errors import ModelError, one_line
from espnet_ros.files import write_file
from espnet_ros.models.onnx_file import FAMILY as ONNX
from espnet_ros.models.onnx_file import load_onnx
from espnet_ros.network import FAMILIES, build

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are refused unread, unless the network is larger: ESPNet has under 2 MB, at its widest and deepest 53.
"""

# The authors' module names and ours, in the order in which they are applied to a key.
_AUTHORS_NAMES = tuple((re.compile(pattern), ours) for pattern, ours in (
    (r'^level3_C\.conv\.', 'reduce2.'),
    (r'^br\.', 'norm3.'),
    (r'^conv\.bn\.', 'merge1.norm.'),
    (r'^conv\.', 'merge1.'),
    (r'^up_l3\.0\.', 'up3.'),
    (r'^up_l2\.0\.', 'up2.'),
    (r'^up_l2\.1\.', 'up2_norm.'),
    (r'^combine_l2_l3\.0\.', 'merge2_norm.'),
    (r'^combine_l2_l3\.1\.', 'merge2.'),
    (r'^classifier\.weight$', 'up1.weight'),
    (r'\bclassifier\.conv\.', 'classifier.'),
    (r'\blevel([23])_0\.', r'down\1.'),
    (r'\bb([123])\.', r'norm\1.'),
    (r'\bc1\.conv\.', 'reduce.'),
    (r'\bd1\.conv\.', 'branches.0.'),
    (r'\bd2\.conv\.', 'branches.1.'),
    (r'\bd4\.conv\.', 'branches.2.'),
    (r'\bd8\.conv\.', 'branches.3.'),
    (r'\bd16\.conv\.', 'branches.4.'),
    (r'^((?:encoder\.)?(?:down[23]|level[23]\.\d+)|merge2)\.(bn|act)\.', r'\1.post.\2.'),
    (r'\bpost\.bn\.(bn|act)\.', r'post.\1.'),
    (r'\bbn\.', 'norm.'),
))


def sha256_of(path):
    """Return the SHA-256 of a file as 64 hexadecimal digits. Raises ModelError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(str(path), 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 20), b''):
                digest.update(block)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error)
    return digest.hexdigest()


def read_weights(path, limit=MAX_BYTES):
    """Return a weights file's content: an ordered dict from name to CPU tensor, finite. Raises ModelError.

    limit: bytes that the file may have. Only tensors are read; nothing in the file can run (models.tensor_file).
    """
    import torch  # here and below: it takes seconds to import, and hashing a file needs none of it

    from espnet_ros.models.tensor_file import read_tensors
    path = str(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise ModelError("the weights '{}' are not a file".format(path))
        with open(path, 'rb') as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error)
    if len(content) > limit:
        raise ModelError("the weights '{}' have more than {} MB; no ESPNet is as large, and not the network of their "
                         'model card'.format(path, limit >> 20))
    if not content:
        raise ModelError("the weights '{}' are an empty file; fetch or copy them again".format(path))
    try:
        state = read_tensors(content)
    except Exception as error:  # a damaged pickle can fail in any way; each means the same to the user
        raise ModelError("the weights '{}' are not a PyTorch state dict, are cut off or damaged, or hold something "
                         "that is not a tensor ({}); fetch or copy them again".format(path, _first_line(error)))
    for key, value in state.items():
        # As float32, in which the network will see it: a double beyond its range is infinite there.
        if not bool(torch.isfinite(value.float()).all()):
            raise ModelError("the weights '{}' hold NaN or infinity in {}".format(path, one_line(key)))
        if key.endswith('running_var') and bool((value < 0).any()):
            raise ModelError("the weights '{}' hold a negative variance in {}".format(path, one_line(key)))
    return state


def write_weights(network, path):
    """Write the network's state dict; an older file stays whole until the new one is complete. Raises ModelError."""
    import torch
    content = io.BytesIO()
    torch.save(collections.OrderedDict((k, v.detach().cpu()) for k, v in network.state_dict().items()), content)
    write_file(path, content.getvalue())


def rename_authors_keys(state):
    """Return a state dict in which the authors' names are ours; our own names stay as they are."""
    if not any('level2_0.' in key for key in state):
        return state
    renamed = collections.OrderedDict()
    for key, value in state.items():
        for pattern, ours in _AUTHORS_NAMES:
            key = pattern.sub(ours, key)
        renamed[key] = value
    return renamed


def load_network(config, path):
    """Build the network of `config`, fill it with the weights at `path`, return it in evaluation mode.

    Our own files and the authors' load alike, every weight must be there and fit. Raises ModelError.
    """
    from espnet_ros.models.tensor_file import PICKLE_BYTES
    if config.family == ONNX:
        return load_onnx(config, path)
    network = build(config)
    doubles = 8 * sum(tensor.numel() for tensor in network.state_dict().values())
    state = read_weights(path, max(MAX_BYTES, doubles + PICKLE_BYTES))
    from espnet_ros.models import layouts  # which reads weights itself
    if config.family == 'erfnet':
        state = layouts.rename_erfnet_keys(state)
    if config.family == 'enet' and config.layout == 'pytorch-enet':
        state = layouts.rename_enet_keys(state, config)
    fill(network, rename_authors_keys(state), path)
    network.eval()
    _check_outputs(network, path)
    return network


def _check_outputs(network, path):
    """Raise ModelError when the network computes NaN or infinity for usual inputs: its weights are of no use."""
    import torch
    pixels = torch.linspace(-2.5, 2.5, 3 * 64 * 64).reshape(1, 3, 64, 64)  # normalized images lie in this range
    with torch.no_grad():
        outputs = network(pixels)
    for output in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
        if not bool(torch.isfinite(output).all()):
            raise ModelError("the weights '{}' compute NaN or infinity; fetch or train them again".format(path))


def fill(network, state, where):
    """Put a state dict into the network; ModelError names what is missing, too much or of another shape."""
    own = network.state_dict()
    # Files from before PyTorch 0.4.1 do not count batches; the count is not used in evaluation.
    counters = {k for k in own if k.endswith('num_batches_tracked')}
    missing = [k for k in own if k not in state and k not in counters]
    extra = [k for k in state if k not in own]
    wrong = ['{} is {} instead of {}'.format(k, list(state[k].shape), list(own[k].shape))
             for k in own if k in state and state[k].shape != own[k].shape]
    whole = [k for k in own if k in state and own[k].is_floating_point() and not state[k].is_floating_point()]
    problems = ([_listed('missing', missing)] if missing else []) + ([_listed('unknown', extra)] if extra else []) + (
        [_listed('of another shape', wrong)] if wrong else []) + ([_listed('of whole numbers', whole)] if whole else [])
    if problems:
        raise ModelError("the weights '{}' do not fit {}: {}; use the model card that belongs to them".format(
            where, _described(network.config), '; '.join(problems)))
    network.load_state_dict(collections.OrderedDict((k, state.get(k, own[k])) for k in own))


def _described(config):
    depth = ' and alpha3 = {}'.format(config.alpha3) if hasattr(config, 'alpha3') else ''
    return '{} with {} classes{}'.format(
        getattr(config, 'variant', FAMILIES[config.family].title), config.classes, depth)


def _unreadable(path, error):
    # A ValueError, for a path with a null byte, has no strerror.
    return ModelError("cannot read the weights '{}': {}".format(path, getattr(error, 'strerror', None) or error))


def _listed(kind, items):
    return '{} {} ({}{})'.format(len(items), kind, one_line(items[0]), ', ...' if len(items) > 1 else '')


def _first_line(error):
    text = str(error).strip().splitlines()
    return '{}: {}'.format(type(error).__name__, one_line(text[0])[:120]) if text else type(error).__name__

