"""Weights of another model as a beginning."""
import collections
import typing

from espnet_ros import models
from espnet_ros.datasets import label_table
from espnet_ros.errors import LabelError
from espnet_ros.labels import UNLABELED
from espnet_ros.network import DEFAULT

PARTS = ('all', 'encoder')
_ENCODER = 'encoder.'
_CLASSIFIER, _DECONVOLUTION = 'encoder.classifier.weight', 'up1.weight'
_CLASS_AXES = {_CLASSIFIER: 0, _DECONVOLUTION: 1}
"""Tensors that can compute a network's outputs, and their axis of these."""


class Start(typing.NamedTuple):
    """A models.Model to begin with, and which of PARTS to take of it."""

    model: models.Model
    part: str = 'all'


class Taken(typing.NamedTuple):
    """Names of the network's tensors: taken over, and those that begin fresh, by reason."""

    taken: tuple[str, ...]
    fresh: dict[str, tuple[str, ...]]

    def __str__(self):
        lines = ['{} tensors are taken over'.format(len(self.taken))]
        for reason, names in self.fresh.items():
            groups = dict.fromkeys('.'.join(name.split('.')[:1 + name.startswith(_ENCODER)]) for name in names)
            lines.append('{} begin fresh, {}: {}'.format(len(names), reason, ', '.join(groups)))
        return '; '.join(lines)


def transfer(start, network, label_set, outputs):
    """Copy what fits from a Start into the network, and return the Taken.

    label_set, outputs: of the network, as in ModelCard. Tensors are matched by name and shape, and what computes the
    outputs class by class: one that the model knows by the same id, or by its own id of what becomes that class
    (datasets.label_table), begins with its weights. The first convolution fits always. Raises ModelError when the model
    cannot be read.
    """
    card = start.model.card
    source = _named(models.load(start.model), card.architecture)
    target = _named(network, network.config)
    rows = _rows(card, label_set, outputs)
    taken, fresh = [], collections.defaultdict(list)
    for name, tensor in target.items():
        if name not in source:
            fresh['{} has none'.format(card.name)].append(name)
            continue
        axis = _CLASS_AXES.get(name)
        is_output = _is_output(name, tensor, network.config)
        fits = source[name].shape == tensor.shape
        if start.part == 'encoder' and not name.startswith(_ENCODER):
            fresh['not of the encoder'].append(name)
        elif fits and not (is_output and (card.label_set, card.outputs) != (label_set, tuple(outputs))):
            tensor.copy_(source[name])
            taken.append(name)
        elif axis is not None and rows and _without(tensor, axis) == _without(source[name], axis):
            for row, source_row in rows:
                tensor.select(axis, row).copy_(source[name].select(axis, source_row))
            taken.append(name)
        else:
            fresh['its classes are others' if axis is not None else 'of another shape'].append(name)
    return Taken(tuple(taken), {reason: tuple(names) for reason, names in fresh.items()})


def _rows(card, label_set, outputs):
    """(output, output of the card's model) for each class that both have."""
    try:
        table = label_table(card.label_set, label_set)
    except LabelError:
        return []
    known = {}
    for row, class_id in enumerate(card.outputs):
        if class_id != UNLABELED:
            known.setdefault(int(table[class_id]), row)  # the first of several that become one
    return [(row, known[i]) for row, i in enumerate(outputs) if i != UNLABELED and i in known]


def _without(tensor, axis):
    """The shape without one axis."""
    return tensor.shape[:axis] + tensor.shape[axis + 1:]


def _is_output(name, tensor, config):
    """Whether a tensor computes the network's outputs, class by class."""
    if config.family != DEFAULT:
        return config.classes in tensor.shape[:2]
    return name == (_DECONVOLUTION if config.variant == 'espnet' else _CLASSIFIER)


def _named(network, config):
    """The network's tensors by name, an ESPNet's encoder's by that in a whole ESPNet."""
    prefix = _ENCODER if config.family == DEFAULT and config.variant != 'espnet' else ''
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}
