"""The plan of a training: classes, prepared datasets, class weights and the model card without results."""
import re
import typing

import numpy as np
import psutil

from espnet_ros.errors import LabelError, ParameterError
from espnet_ros.labels import UNLABELED, get_label_set, label_set_to_dict
from espnet_ros.models import ADDED, available
from espnet_ros.models.card import ModelCard, card_from_dict, card_to_dict
from espnet_ros.models.layouts import Backbone
from espnet_ros.network import DEFAULT
from espnet_ros.training.loading import Part, Stage, read_all, steps_of
from espnet_ros.training.samples import PreparedDataset
from espnet_ros.training.settings import Settings
from espnet_ros.training.survey import Survey, class_weights, combine, survey
from espnet_ros.training.transfer import Pretrained

_YOUNGER = {'encoder_batch': 0, 'momentum': 0.9, 'normalization': 'data'}
"""Settings that once did not exist, and what was done then: a checkpoint from that time is resumed."""
_MEMORY = 0.4
"""Maximum share of the available memory for samples."""


class Plan(typing.NamedTuple):
    """Everything that determines a training.

    card: of the resulting model, without results and hash. class_weights: float32 [classes]. surveys: of parts and
    validation. notes: sentences for the user. backbone: weights of it to begin with.
    """

    settings: Settings
    card: ModelCard
    parts: tuple[Part, ...]
    validation: tuple[PreparedDataset, ...]
    class_weights: np.ndarray
    start: Pretrained | None
    surveys: tuple[Survey, ...] = ()
    notes: tuple[str, ...] = ()
    backbone: Backbone | None = None

    @property
    def label_set(self):
        """The LabelSet to learn; output i of the network is its class number i."""
        return self.card.label_set

    @property
    def stages(self):
        """The Stages, one or two: the encoder on labels at 1/8, then the whole network."""
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
        """Everything that determines the weights, as plain data."""
        return {
            'settings': {key: value for key, value in self.settings.to_dict().items() if value != _YOUNGER.get(key)},
            'label set': label_set_to_dict(self.label_set),
            'data': [[part.samples.name, len(part.samples), part.weight] for part in self.parts],
            'validation': [[prepared.name, len(prepared)] for prepared in self.validation],
            'content of the images': [[*found.pixels, *found.mean, *found.std] for found in self.surveys],
            'beginning': [self.start.model.card.sha256, self.start.part] if self.start else [
                self.backbone.sha256] if self.backbone else [],
            'name': self.card.name, 'normalization': [*self.card.mean, *self.card.std, self.card.divisor]}


def make_plan(settings, sources, validation, group, start=None, name='', workers=0):
    """Read all data once and return the Plan.

    settings: settings.Settings. sources: pairs (datasets.Dataset, weight). validation: Datasets. group:
    process_group.ProcessGroup; all its processes must call this. start: transfer.Pretrained. name: of the model, '' for
    a default. workers: number of processes that read images. Raises EspnetError that names the unusable input.
    """
    if not sources:
        raise ParameterError('there is nothing to train on; name datasets with --data')
    label_set = get_label_set(settings.labels) if settings.labels else sources[0][0].label_set
    parts = tuple(Part(PreparedDataset(dataset, label_set, settings.size), weight) for dataset, weight in sources)
    held_out = tuple(PreparedDataset(dataset, label_set, settings.size, as_bytes=False) for dataset in validation)
    names = [prepared.name for prepared in held_out]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ParameterError('two validation datasets are called {}'.format(twice[0]))
    architecture = settings.architecture(len(label_set.classes))
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    card = ModelCard(
        name=name or default_name(label_set, settings), description='', architecture=architecture, label_set=label_set,
        outputs=label_set.ids + (UNLABELED,) * (architecture.classes - len(label_set.classes)),
        input_width=settings.size[0], input_height=settings.size[1], mean=zero, std=one, divisor=1.0, license='',
        source='', training={}, results={}, weights='', sha256='0' * 64)
    card = card_from_dict(card_to_dict(card._replace(weights=card.name + '.pth')), card.name)
    plan = Plan(settings, card, parts, held_out, np.ones(len(label_set.classes), np.float32), start)
    for stage in plan.stages:  # fails before all images are read
        steps_of(stage, settings.batch_of(stage))
    surveys, notes = _look(parts, held_out, label_set, group, workers)
    if group.size > 1 and not (settings.sync_batch_norm and group.can_sync_batch_norm):
        share = ' to '.join(map(str, sorted({settings.batch // group.size, -(-settings.batch // group.size)})))
        notes += ('warning: each process normalizes with the batch statistics of its own {} images; {}'.format(
            share, 'sync_batch_norm is off' if group.can_sync_batch_norm else
            'PyTorch synchronizes batch normalization on GPUs only'),)
    crops = [stage.crop for stage in plan.stages if any(np.greater(stage.crop, settings.size))]
    if crops:
        notes += ('warning: crops of {}x{} from images of {}x{} are mostly empty and take time; set crop and '
                  'encoder_crop, or take the recipe camvid'.format(*crops[0], *settings.size),)
    found = surveys[:len(parts)]
    overview = combine(found if settings.base_data == 'all' else found[:1], [part.weight for part in parts])
    normalization = start.model.card if start else card._replace(divisor=255.0) if (
        settings.normalization == 'none') else card._replace(mean=overview.mean, std=overview.std)
    plan = plan._replace(surveys=surveys, notes=notes, card=card._replace(
        mean=normalization.mean, std=normalization.std, divisor=normalization.divisor))
    if settings.class_weights == 'inverse':
        plan = plan._replace(class_weights=class_weights(overview.pixels, settings.class_weight_constant))
    return plan


def default_name(label_set, settings):
    """Return a default name such as voc-espnet-q8, with own- in front where this package has a model of that name."""
    words = re.sub('[^a-z0-9._]+', '-', label_set.name.lower())[:60].strip('-._')
    network = settings.family if settings.family != DEFAULT else '{}-q{}'.format(settings.variant, settings.alpha3)
    name = '{}-{}'.format(words or 'model', network)
    taken = any(entry.card.name == name and entry.state != ADDED for entry in available())
    return 'own-' + name if taken else name


def _look(parts, held_out, label_set, group, workers):
    """Return the Surveys of parts and held_out, and notes; keep samples in memory as far as they fit."""
    def read(prepared, indices):
        return read_all(prepared, indices, workers)

    size = len(label_set.classes)
    # The minimum of all machines, because all processes must decide alike.
    room = min(group.all_gather(_MEMORY * psutil.virtual_memory().available / group.local_size))
    found, notes = [], []
    for prepared in (*(part.samples for part in parts), *held_out):
        keep = prepared.bytes <= room
        room -= prepared.bytes if keep else 0
        result = survey(prepared, size, read, group, keep)
        if not sum(result.pixels):
            raise LabelError('{} has no labeled pixel of {}'.format(prepared.name, label_set.name))
        notes.append('{}: {} images{}'.format(prepared.name, len(prepared), ', kept in memory' if keep else ''))
        found.append(result)
    pixels = np.sum([result.pixels for result in found[:len(parts)]], 0)
    empty = [name for name, count in zip(label_set.names, pixels) if not count]
    if empty:
        notes.append('warning: no training image has a pixel of {}: the network will never predict it'.format(
            ', '.join(empty)))
    return tuple(found), tuple(notes)

