"""Initialization of a network with the weights of another model."""
import collections
import typing

from espnet_ros import models
from espnet_ros.errors import LabelError
from espnet_ros.labels import UNLABELED
from espnet_ros.labels.truth import label_table
from espnet_ros.network import DEFAULT

_ENCODER = 'encoder.'
_CLASSIFIER, _DECONVOLUTION = 'encoder.classifier.weight', 'up1.weight'
_CLASS_AXES = {_CLASSIFIER: 0, _DECONVOLUTION: 1}
"""Tensors with an axis of classes, and that axis."""


class Pretrained(typing.NamedTuple):
    """A models.Model and which of its weights to use: 'all' or 'encoder'."""

    model: models.Model
    part: str = 'all'


class Transferred(typing.NamedTuple):
    """Names of the tensors that were copied, and of those that keep random values, by reason."""

    copied: tuple[str, ...]
    random: dict[str, tuple[str, ...]]

    def __str__(self):
        lines = ['{} tensors copied'.format(len(self.copied))]
        for reason, names in self.random.items():
            groups = dict.fromkeys('.'.join(name.split('.')[:1 + name.startswith(_ENCODER)]) for name in names)
            lines.append('{} random, {}: {}'.format(len(names), reason, ', '.join(groups)))
        return '; '.join(lines)


def transfer(start, network, label_set, outputs):
    """Copy matching weights of a Pretrained into the network and return the Transferred.

    label_set, outputs: of the network, as in ModelCard. Tensors match by name and shape. The weights of the outputs are
    copied class by class, where the pretrained model has the same class or one that datasets.label_table converts to
    it. Raises ModelError when the model cannot be read.
    """
    card = start.model.card
    source = _named(models.load(start.model), card.architecture)
    target = _named(network, network.config)
    rows = _rows(card, label_set, outputs)
    copied, random = [], collections.defaultdict(list)
    for name, tensor in target.items():
        if name not in source:
            random['not in {}'.format(card.name)].append(name)
            continue
        axis = _CLASS_AXES.get(name)
        is_output = _is_output(name, tensor, network.config)
        fits = source[name].shape == tensor.shape
        if start.part == 'encoder' and not name.startswith(_ENCODER):
            random['not in the encoder'].append(name)
        elif fits and not (is_output and (card.label_set, card.outputs) != (label_set, tuple(outputs))):
            tensor.copy_(source[name])
            copied.append(name)
        elif axis is not None and rows and _without(tensor, axis) == _without(source[name], axis):
            for row, source_row in rows:
                tensor.select(axis, row).copy_(source[name].select(axis, source_row))
            copied.append(name)
        else:
            random['different classes' if axis is not None else 'different shape'].append(name)
    return Transferred(tuple(copied), {reason: tuple(names) for reason, names in random.items()})


def _rows(card, label_set, outputs):
    """Return pairs (output, output of the pretrained model) for the classes that both have."""
    try:
        table = label_table(card.label_set, label_set)
    except LabelError:
        return []
    known = {}
    for row, class_id in enumerate(card.outputs):
        if class_id != UNLABELED:
            known.setdefault(int(table[class_id]), row)  # the first of several classes that are merged
    return [(row, known[i]) for row, i in enumerate(outputs) if i != UNLABELED and i in known]


def _without(tensor, axis):
    """Return the shape without one axis."""
    return tensor.shape[:axis] + tensor.shape[axis + 1:]


def _is_output(name, tensor, config):
    """Return whether a tensor computes the outputs of the network, class by class."""
    if config.family != DEFAULT:
        return config.classes in tensor.shape[:2]
    return name == (_DECONVOLUTION if config.variant == 'espnet' else _CLASSIFIER)


def _named(network, config):
    """Return the tensors of a network by name, those of an ESPNet encoder by their names in a complete ESPNet."""
    prefix = _ENCODER if config.family == DEFAULT and config.variant != 'espnet' else ''
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}
