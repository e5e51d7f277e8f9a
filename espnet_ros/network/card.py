"""The model card: what a weights file is, in a YAML file beside it."""
import math
import os
import re
import tempfile
import typing

import yaml

from espnet_ros.errors import LabelError, ModelError
from espnet_ros.labels import LABEL_SETS, UNLABELED, LabelSet, label_set_from_dict, label_set_to_dict
from espnet_ros.network.espnet import NetworkConfig, check


class ModelCard(typing.NamedTuple):
    """A model in words and numbers.

    architecture: the network. label_set: the classes it publishes. outputs: for each network output the class id it
    stands for, 255 for background. input_width, input_height: the size it was trained for, in pixels, multiples of
    8. mean, std: per channel in B, G, R order on the scale 0..255; the network sees (x - mean) / std / divisor.
    training, results: plain data for people. weights: file name, beside the card. sha256: of that file.
    """

    name: str
    description: str
    architecture: NetworkConfig
    label_set: LabelSet
    outputs: typing.Tuple[int, ...]
    input_width: int
    input_height: int
    mean: typing.Tuple[float, float, float]
    std: typing.Tuple[float, float, float]
    divisor: float
    license: str
    source: str
    training: dict
    results: dict
    weights: str
    sha256: str


_KEYS = {'name': str, 'description': str, 'architecture': dict, 'outputs': list, 'input': dict, 'normalization': dict,
         'license': str, 'source': str, 'training': dict, 'results': dict, 'weights': dict}


def card_from_dict(data, where):
    """Check a card given as plain data and return it. Raises ModelError naming `where` and the key."""
    def wrong(text):
        return ModelError("the model card '{}': {}".format(where, text))

    if not isinstance(data, dict):
        raise wrong('must be a mapping, not {}'.format(type(data).__name__))
    _exact_keys(data, set(_KEYS) | {'label_set'}, wrong, 'the card')
    for key, kind in _KEYS.items():
        if not isinstance(data[key], kind):
            raise wrong('{} must be {}, not {!r}'.format(key, kind.__name__, data[key]))
    if not re.match(r'^[a-z0-9][a-z0-9._-]*$', data['name']):
        raise wrong('name {!r} may hold a-z, 0-9, dot, dash and underscore alone'.format(data['name']))
    unknown = set(data['architecture']) - set(NetworkConfig._fields)
    if unknown:
        raise wrong('architecture has no field {!r}'.format(sorted(map(str, unknown))[0]))
    architecture = NetworkConfig(**data['architecture'])
    try:
        check(architecture)
        label_set = _label_set(data['label_set'], where)
    except (ModelError, LabelError) as error:
        raise wrong(error)
    outputs = tuple(data['outputs'])
    allowed = set(label_set.ids) | {UNLABELED}
    if len(outputs) != architecture.classes or not set(map(_hashable, outputs)) <= allowed:
        raise wrong('outputs must name {} class ids of {}, or 255'.format(architecture.classes, label_set.name))
    _exact_keys(data['input'], {'width', 'height'}, wrong, 'input')
    for side in ('width', 'height'):
        value = data['input'][side]
        if type(value) is not int or not 8 <= value <= 8192 or value % 8:
            raise wrong('input {} is {!r}; it must be a multiple of 8 from 8 to 8192'.format(side, value))
    _exact_keys(data['normalization'], {'mean', 'std', 'divisor'}, wrong, 'normalization')
    numbers = data['normalization']
    for key in ('mean', 'std'):
        value = numbers[key]
        if not isinstance(value, list) or len(value) != 3 or not all(_is_number(v) for v in value):
            raise wrong('normalization {} must be three numbers in B, G, R order, not {!r}'.format(key, value))
    if not _is_number(numbers['divisor']) or not all(v > 0 for v in numbers['std'] + [numbers['divisor']]):
        raise wrong('normalization std and divisor must be above 0')
    _exact_keys(data['weights'], {'file', 'sha256'}, wrong, 'weights')
    file, sha256 = data['weights']['file'], data['weights']['sha256']
    if not isinstance(file, str) or not file or os.path.basename(file) != file:
        raise wrong('weights file {!r} must be the name of a file beside the card'.format(file))
    if not isinstance(sha256, str) or not re.match(r'^[0-9a-f]{64}$', sha256):
        raise wrong('weights sha256 must be 64 hexadecimal digits')
    return ModelCard(
        data['name'], data['description'], architecture, label_set, outputs, data['input']['width'],
        data['input']['height'], tuple(map(float, numbers['mean'])), tuple(map(float, numbers['std'])),
        float(numbers['divisor']), data['license'], data['source'], data['training'], data['results'], file, sha256)


def card_to_dict(card):
    """Return the card as plain data, the inverse of `card_from_dict`."""
    built_in = LABEL_SETS.get(card.label_set.name) == card.label_set
    return {
        'name': card.name,
        'description': card.description,
        'architecture': dict(card.architecture._asdict()),
        'label_set': card.label_set.name if built_in else label_set_to_dict(card.label_set),
        'outputs': list(card.outputs),
        'input': {'width': card.input_width, 'height': card.input_height},
        'normalization': {'mean': list(card.mean), 'std': list(card.std), 'divisor': card.divisor},
        'license': card.license,
        'source': card.source,
        'training': card.training,
        'results': card.results,
        'weights': {'file': card.weights, 'sha256': card.sha256},
    }


def read_card(path):
    """Read a card from a YAML file. Raises ModelError."""
    try:
        with open(str(path), encoding='utf-8') as stream:
            data = yaml.safe_load(stream)
    except OSError as error:
        raise ModelError("cannot read the model card '{}': {}".format(path, error.strerror or error))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError("the model card '{}' is not YAML: {}".format(path, ' '.join(str(error).split())[:200]))
    return card_from_dict(data, str(path))


def write_card(card, path):
    """Write a card as YAML; an older file stays whole until the new one is complete."""
    folder = os.path.dirname(os.path.abspath(str(path)))
    handle, temporary = tempfile.mkstemp(dir=folder, suffix='.partial')
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as stream:
            yaml.safe_dump(card_to_dict(card), stream, sort_keys=False, width=110, allow_unicode=True)
        os.chmod(temporary, 0o644)
        os.replace(temporary, str(path))
    except BaseException:
        os.unlink(temporary)
        raise


def _label_set(data, where):
    if isinstance(data, str):
        if data not in LABEL_SETS:
            raise LabelError('label_set {!r} is none of {}'.format(data, ', '.join(sorted(LABEL_SETS))))
        return LABEL_SETS[data]
    return label_set_from_dict(data, where)


def _exact_keys(data, keys, wrong, what):
    missing, unknown = keys - set(data), set(map(str, data)) - keys
    if missing:
        raise wrong('{} lacks {}'.format(what, ', '.join(sorted(missing))))
    if unknown:
        raise wrong('{} has no key {!r}'.format(what, sorted(unknown)[0]))


def _hashable(value):
    return value if type(value) is int else None


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
