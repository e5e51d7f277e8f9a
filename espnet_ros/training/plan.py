"""From settings and datasets to a plan: classes, samples in memory, weights of the classes, the draft of a card."""
import re
import typing

import numpy as np
import psutil

from espnet_ros.errors import LabelError, ParameterError
from espnet_ros.labels import UNLABELED, get_label_set, label_set_to_dict
from espnet_ros.models import ADDED, available
from espnet_ros.models.card import ModelCard, card_from_dict, card_to_dict
from espnet_ros.network import DEFAULT
from espnet_ros.training.mixture import Part, Stage, read_all, steps_of
from espnet_ros.training.samples import Prepared
from espnet_ros.training.settings import Settings
from espnet_ros.training.survey import Survey, class_weights, joined, survey
from espnet_ros.training.transfer import Start

_MEMORY = 0.4
"""Share of the free memory that samples may take."""


class Plan(typing.NamedTuple):
    """All that a training needs to know.

    card: the model to be, without results and hash. class_weights: float32 [classes]. surveys: what was found in parts
    and validation. notes: for people, one sentence each.
    """

    settings: Settings
    card: ModelCard
    parts: tuple[Part, ...]
    validation: tuple[Prepared, ...]
    class_weights: np.ndarray
    start: Start | None
    surveys: tuple[Survey, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label_set(self):
        """The LabelSet that is learned; the network's output i is its class number i."""
        return self.card.label_set

    @property
    def stages(self):
        """The Stages, one or two: the encoder on labels at 1/8, then the whole."""
        s = self.settings
        base = self.parts[:1] if s.base_data == 'first' else self.parts
        if s.family != DEFAULT:  # no encoder of its own to train first
            return (Stage(2, s.family, s.epochs, self.parts, s.crop, self.card.architecture.stride),)
        whole = Stage(2, s.variant, s.epochs, self.parts, s.crop, self.card.architecture.stride)
        return (Stage(1, 'encoder', s.encoder_epochs, base, s.encoder_crop, 8), whole) if s.encoder_epochs else (whole,)

    def architecture(self, stage):
        """Return the network's configuration in a Stage."""
        architecture = self.card.architecture
        if stage.number == 1 and architecture.variant == 'espnet':
            return architecture._replace(variant='espnet-c')
        return architecture

    @property
    def identity(self):
        """What decides the weights, as plain data."""
        return {
            'settings': self.settings.to_dict(), 'label set': label_set_to_dict(self.label_set),
            'data': [[part.samples.name, len(part.samples), part.weight] for part in self.parts],
            'validation': [[prepared.name, len(prepared)] for prepared in self.validation],
            'content of the images': [[*found.pixels, *found.mean, *found.std] for found in self.surveys],
            'beginning': [self.start.model.card.sha256, self.start.part] if self.start else [],
            'name': self.card.name, 'normalization': [*self.card.mean, *self.card.std, self.card.divisor]}


def make_plan(settings, sources, validation, team, start=None, name='', workers=0):
    """Look at all data once and return the Plan. Raises EspnetError that names what cannot be used.

    settings: settings.Settings. sources: (datasets.Dataset, weight) pairs. validation: Datasets. team: team.Team; all
    its processes must call this. start: transfer.Start. name: of the model; '' makes one. workers: processes that read
    images.
    """
    if not sources:
        raise ParameterError('there is nothing to train on; name datasets with --data')
    label_set = get_label_set(settings.labels) if settings.labels else sources[0][0].label_set
    parts = tuple(Part(Prepared(dataset, label_set, settings.size), weight) for dataset, weight in sources)
    held_out = tuple(Prepared(dataset, label_set, settings.size) for dataset in validation)
    names = [prepared.name for prepared in held_out]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ParameterError('two datasets to validate on are called {}'.format(twice[0]))
    architecture = settings.architecture(len(label_set.classes))
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    card = ModelCard(
        name=name or default_name(label_set, settings), description='', architecture=architecture, label_set=label_set,
        outputs=label_set.ids + (UNLABELED,) * (architecture.classes - len(label_set.classes)),
        input_width=settings.size[0], input_height=settings.size[1], mean=zero, std=one, divisor=1.0, license='',
        source='', training={}, results={}, weights='', sha256='0' * 64)
    card = card_from_dict(card_to_dict(card._replace(weights=card.name + '.pth')), card.name)
    plan = Plan(settings, card, parts, held_out, np.ones(len(label_set.classes), np.float32), start)
    for stage in plan.stages:  # what cannot be is better said before all images are read
        steps_of(stage, settings.batch)
    surveys, notes = _look(parts, held_out, label_set, team, workers)
    found = surveys[:len(parts)]
    overview = joined(found if settings.base_data == 'all' else found[:1], [part.weight for part in parts])
    normalization = start.model.card if start else card._replace(mean=overview.mean, std=overview.std)
    plan = plan._replace(surveys=surveys, notes=notes, card=card._replace(
        mean=normalization.mean, std=normalization.std, divisor=normalization.divisor))
    if settings.class_weights == 'inverse':
        plan = plan._replace(class_weights=class_weights(overview.pixels, settings.class_weight_constant))
    return plan


def default_name(label_set, settings):
    """Return the name of a model that was given none, such as voc-espnet-q8; own-... where this package has that."""
    words = re.sub('[^a-z0-9._]+', '-', label_set.name.lower())[:60].strip('-._')
    network = settings.family if settings.family != DEFAULT else '{}-q{}'.format(settings.variant, settings.alpha3)
    name = '{}-{}'.format(words or 'model', network)
    taken = any(entry.card.name == name and entry.state != ADDED for entry in available())
    return 'own-' + name if taken else name


def _look(parts, held_out, label_set, team, workers):
    """Return the Surveys of parts and held_out, and notes; keep the samples that memory has room for."""
    def read(prepared, numbers):
        return read_all(prepared, numbers, workers)

    size = len(label_set.classes)
    # The least of all machines: all processes must decide alike.
    room = min(team.gather(_MEMORY * psutil.virtual_memory().available / team.neighbors))
    found, notes = [], []
    for prepared in (*(part.samples for part in parts), *held_out):
        keep = prepared.bytes <= room
        room -= prepared.bytes if keep else 0
        result = survey(prepared, size, read, team, keep)
        if not sum(result.pixels):
            raise LabelError('{} has no labeled pixel of {}'.format(prepared.name, label_set.name))
        notes.append('{}: {} images{}'.format(prepared.name, len(prepared), ', kept in memory' if keep else ''))
        found.append(result)
    pixels = np.sum([result.pixels for result in found[:len(parts)]], 0)
    empty = [name for name, count in zip(label_set.names, pixels) if not count]
    if empty:
        notes.append('warning: no image to train on has a pixel of {}: the network will never answer that'.format(
            ', '.join(empty)))
    return tuple(found), tuple(notes)

