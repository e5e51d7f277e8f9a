"""The model card: a YAML file beside the weights that describes them."""
import functools
import os
import re
import reprlib
import typing

import yaml

from espnet_ros.errors import LabelError, ModelError
from espnet_ros.files import read_yaml, write_file
from espnet_ros.labels import (
    LABEL_SETS,
    UNLABELED,
    LabelSet,
    label_set_from_dict,
    label_set_to_dict,
    load_label_set,
)
from espnet_ros.models.onnx_file import FAMILY as ONNX
from espnet_ros.models.onnx_file import onnx_config
from espnet_ros.network import DEFAULT, configure

SIDES = range(64, 4097, 8)
"""Widths and heights in pixels that a network's input may have."""
ONNX_SIDES = range(SIDES[0], SIDES[-1] + 1)
"""Those of an ONNX file, which says itself what it takes, such as 513x513."""


MAX_INT8_LOSS = 0.5
"""Points of mIOU that an int8 companion may lose and still be taken without being asked for."""


class Companion(typing.NamedTuple):
    """The int8 form of a model, a file beside its card.

    facts: plain data on how it was made and what it costs; folder: where the card is.
    """

    file: str
    sha256: str
    facts: dict
    folder: str

    @property
    def is_vouched_for(self):
        """Whether it was measured and loses no more than MAX_INT8_LOSS."""
        lost: typing.Any = self.facts.get('mIOU lost')
        return bool(_is_number(lost) and lost <= MAX_INT8_LOSS)


class ModelCard(typing.NamedTuple):
    """The description of a model.

    architecture: the network's configuration, of a family of `network.FAMILIES`. label_set: the classes it publishes.
    outputs: for each network output the class id it stands for, 255 for background. input_width, input_height: the
    size it was trained for, in pixels, of `sides`. mean, std: per channel in B, G, R order on the scale 0..255; the
    network sees (x - mean) / std / divisor. training, results: plain data for people. weights: file name, beside the
    card. sha256: of that file. parameters: of the network, 0 in cards that do not say.
    int8: its Companion, None without one.
    """

    name: str
    description: str
    architecture: typing.Any
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
    parameters: int = 0
    int8: typing.Optional[Companion] = None

    @property
    def sides(self):
        """Widths and heights in pixels that its network takes: a range."""
        return sides_of(self.architecture.family)


def sides_of(family):
    """Return the widths and heights in pixels that networks of a family take: a range."""
    return ONNX_SIDES if family == ONNX else SIDES


def good_sides(sides, side):
    """Return words on a range of sides for one that is none of them, with those next to it.

    Such as 'a multiple of 8 from 64 to 4096, such as 496 or 504'.
    """
    if sides.step == 1:
        return 'from {} to {}'.format(sides[0], sides[-1])
    below = side - side % sides.step
    near = sorted({min(max(each, sides[0]), sides[-1]) for each in (below, below + sides.step)})
    return 'a multiple of {} from {} to {}, such as {}'.format(
        sides.step, sides[0], sides[-1], ' or '.join(map(str, near)))


_KEYS = {'name': str, 'description': str, 'architecture': dict, 'outputs': list, 'input': dict, 'normalization': dict,
         'license': str, 'source': str, 'training': dict, 'results': dict, 'weights': dict}
_KINDS = {str: 'text', dict: 'a mapping', list: 'a list'}


def card_from_dict(data, where):
    """Check a card given as plain data and return it. Raises ModelError naming `where` and the key."""
    def wrong(text):
        return ModelError("the model card '{}': {}".format(where, text))

    if not isinstance(data, dict):
        raise wrong('must be a mapping, not {}'.format(type(data).__name__))
    data = dict(data)
    data.setdefault('family', DEFAULT)
    data.setdefault('parameters', 0)
    int8 = data.pop('int8', None)
    _exact_keys(data, set(_KEYS) | {'family', 'label_set', 'parameters'}, wrong, 'the card')
    for key, kind in _KEYS.items():
        if not isinstance(data[key], kind):
            raise wrong('{} must be {}, not {}'.format(key, _KINDS[kind], reprlib.repr(data[key])))
    if not re.match(r'[a-z0-9][a-z0-9._-]{0,99}\Z', data['name']):
        raise wrong('name {} must be up to 100 of a-z, 0-9, dot, dash and underscore'.format(
            reprlib.repr(data['name'])))
    if type(data['parameters']) is not int or not 0 <= data['parameters'] < 1 << 40:
        raise wrong('parameters must be a whole number, not {}'.format(reprlib.repr(data['parameters'])))
    try:
        configured = onnx_config if data['family'] == ONNX else functools.partial(configure, data['family'])
        architecture = configured(data['architecture'])
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
        sides = sides_of(data['family'])
        if type(value) is not int or value not in sides:
            raise wrong('input {} is {}; it must be {}'.format(
                side, reprlib.repr(value), good_sides(sides, value if type(value) is int else sides[0])))
    _exact_keys(data['normalization'], {'mean', 'std', 'divisor'}, wrong, 'normalization')
    numbers = data['normalization']
    for key in ('mean', 'std'):
        if not isinstance(numbers[key], list) or len(numbers[key]) != 3 or not all(map(_is_number, numbers[key])):
            raise wrong('normalization {} must be three numbers in B, G, R order, not {}'.format(
                key, reprlib.repr(numbers[key])))
    if not all(0 <= v <= 255 for v in numbers['mean']):
        raise wrong('normalization mean is {}; it stands on the scale 0..255'.format(numbers['mean']))
    for value in numbers['std'] + [numbers['divisor']]:
        if not _is_number(value) or not 1e-3 <= value <= 1e6:  # beyond that it drowns in float32
            raise wrong('normalization std and divisor must be numbers from 0.001 to 1000000, not {}'.format(
                reprlib.repr(value)))
    file, sha256 = _file(data['weights'], set(), wrong, 'weights')
    if int8 is not None:
        if not isinstance(int8, dict) or not isinstance(int8.get('facts'), dict):
            raise wrong('int8 must be a mapping with file, sha256 and facts, not {}'.format(reprlib.repr(int8)))
        int8_file, int8_sha256 = _file(int8, {'facts'}, wrong, 'int8')
        int8 = Companion(int8_file, int8_sha256, int8['facts'], os.path.dirname(os.path.abspath(where)))
    return ModelCard(
        data['name'], data['description'], architecture, label_set, outputs, data['input']['width'],
        data['input']['height'], _triple(numbers['mean']), _triple(numbers['std']),
        float(numbers['divisor']), data['license'], data['source'], data['training'], data['results'], file, sha256,
        data['parameters'], int8)


def card_to_dict(card):
    """Return the card as plain data, the inverse of `card_from_dict`."""
    built_in = LABEL_SETS.get(card.label_set.name) == card.label_set
    data = {
        'name': card.name,
        'description': card.description,
        'family': card.architecture.family,
        'architecture': dict(card.architecture._asdict()),
        'parameters': card.parameters,
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
    if card.int8:
        data['int8'] = {'file': card.int8.file, 'sha256': card.int8.sha256, 'facts': card.int8.facts}
    if not card.parameters:
        del data['parameters']
    if data['family'] == DEFAULT:
        del data['family']  # versions that know no other family read the card, too
    return data


def read_card(path):
    """Read a card from a YAML file. Raises ModelError."""
    return card_from_dict(read_yaml(path, 'the model card', ModelError), str(path))


class _PlainDumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: `read_yaml` takes no aliases."""

    def ignore_aliases(self, data):
        return True


def write_card(card, path):
    """Write a card as YAML; an older file stays whole until the new one is complete. Raises ModelError."""
    text = yaml.dump(card_to_dict(card), None, _PlainDumper, sort_keys=False, width=110, allow_unicode=True)
    write_file(path, text.encode('utf-8'))


def _label_set(data, where):
    if isinstance(data, str) and data.endswith(('.yaml', '.yml')):
        return load_label_set(os.path.join(os.path.dirname(where), data))
    if isinstance(data, str):
        if data not in LABEL_SETS:
            raise LabelError('label_set {} is none of {}'.format(reprlib.repr(data), ', '.join(sorted(LABEL_SETS))))
        return LABEL_SETS[data]
    return label_set_from_dict(data)


def _file(data, others, wrong, what):
    """Return name and SHA-256 of a file beside the card; `others` are further keys of the mapping."""
    _exact_keys(data, {'file', 'sha256'} | others, wrong, what)
    file, sha256 = data['file'], data['sha256']
    if not isinstance(file, str) or os.path.basename(file) != file or file in ('', '.', '..') or (
            not file.isprintable()):
        raise wrong('{} file {} must be the name of a file beside the card'.format(what, reprlib.repr(file)))
    if not isinstance(sha256, str) or not re.match(r'[0-9a-f]{64}\Z', sha256):
        raise wrong('{} sha256 must be 64 hexadecimal digits'.format(what))
    return file, sha256


def _exact_keys(data, keys, wrong, what):
    missing, unknown = keys - set(data), set(map(str, data)) - keys
    if missing:
        raise wrong('{} lacks {}'.format(what, ', '.join(sorted(missing))))
    if unknown:
        raise wrong('{} has no key {}'.format(what, reprlib.repr(sorted(unknown)[0])))


def _hashable(value):
    return value if type(value) is int else None


def _triple(values):
    first, second, third = values
    return float(first), float(second), float(third)


def _is_number(value):
    return type(value) in (int, float) and abs(value) < 1e300  # no NaN, no infinity, no integer beyond a float
