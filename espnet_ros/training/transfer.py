"""Weights of another model as a beginning."""
import collections
import typing

from espnet_ros import models
from espnet_ros.labels import UNLABELED

PARTS = ('all', 'encoder')
_ENCODER = 'encoder.'
_CLASSIFIER = 'encoder.classifier.'


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

    label_set, outputs: of the network, as in ModelCard. Tensors are matched by name and shape; those with a row for
    each output, the classifier and the decoder, only when the outputs are the same. With other outputs for the same
    label set, the encoder's classifier takes over the rows of the classes. The first convolution fits always. Raises
    ModelError when the model cannot be read.
    """
    card = start.model.card
    source = _named(models.load(start.model), card.architecture.variant)
    target = _named(network, network.config.variant)
    same_classes = (card.label_set, card.outputs) == (label_set, tuple(outputs))
    taken, fresh = [], collections.defaultdict(list)
    for name, tensor in target.items():
        if name not in source:
            fresh['{} has none'.format(card.name)].append(name)
        elif start.part == 'encoder' and not name.startswith(_ENCODER):
            fresh['not of the encoder'].append(name)
        elif not same_classes and name.startswith(_CLASSIFIER) and card.label_set == label_set and (
                tensor.shape[1:] == source[name].shape[1:]):
            for row, class_id in enumerate(outputs):
                if class_id != UNLABELED and class_id in card.outputs:
                    tensor[row] = source[name][card.outputs.index(class_id)]
            taken.append(name)
        elif not same_classes and (not name.startswith(_ENCODER) or name.startswith(_CLASSIFIER)):
            fresh['its outputs are others'].append(name)
        elif source[name].shape != tensor.shape:
            fresh['of another shape'].append(name)
        else:
            tensor.copy_(source[name])
            taken.append(name)
    return Taken(tuple(taken), {reason: tuple(names) for reason, names in fresh.items()})


def _named(network, variant):
    """The network's tensors by the name that they have in a whole ESPNet."""
    prefix = '' if variant == 'espnet' else _ENCODER
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}
