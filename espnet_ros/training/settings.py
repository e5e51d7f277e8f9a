"""What decides a training's result: one immutable value, read from a recipe."""
import difflib
import json
import os
import pathlib
import reprlib
import typing
from typing import Annotated

import yaml

from espnet_ros.errors import ParameterError
from espnet_ros.files import read_yaml
from espnet_ros.models import models_directory
from espnet_ros.models.card import SIDES
from espnet_ros.network import DEFAULT, DOWNSAMPLING, FAMILIES, VARIANTS, NetworkConfig, configure


class Choice(typing.NamedTuple):
    """One of some values, all of one type."""

    values: tuple

    def read(self, value):
        if type(value) is not type(self.values[0]) or value not in self.values:
            raise ValueError('one of ' + ', '.join(map(str, self.values)))
        return value


class Whole(typing.NamedTuple):
    """A whole number."""

    low: int
    high: int

    def read(self, value):
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError('a whole number from {} to {}'.format(*self))
        return value


class Number(typing.NamedTuple):
    """A number; as text, too, because YAML takes 5e-4 for text."""

    low: float
    high: float

    def read(self, value):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = float('nan')
        if type(value) not in (int, float, str) or not self.low <= number <= self.high:
            raise ValueError('a number from {:g} to {:g}'.format(*self))
        return number


class Range(typing.NamedTuple):
    """Two numbers, the second not below the first."""

    low: float
    high: float

    def read(self, value):
        try:
            if not isinstance(value, (list, tuple)):
                raise TypeError
            first, second = (Number(*self).read(v) for v in value)
            if first > second:
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError('two numbers from {:g} to {:g}, the second not below the first'.format(*self))
        return first, second


class Size(typing.NamedTuple):
    """Width and height of images in pixels."""

    def read(self, value):
        if not isinstance(value, (list, tuple)) or len(value) != 2 or any(type(v) is not int or v not in SIDES
                                                                          for v in value):
            raise ValueError('[width, height], multiples of {} from {} to {}'.format(SIDES.step, SIDES[0], SIDES[-1]))
        return tuple(value)


class Flag(typing.NamedTuple):
    """Yes or no."""

    def read(self, value):
        if not isinstance(value, bool):
            raise ValueError('true or false')
        return value


class Text(typing.NamedTuple):
    """Any text."""

    def read(self, value):
        if not isinstance(value, str):
            raise ValueError('text')
        return value


_Size = tuple[int, int]
_Range = tuple[float, float]


class Settings(typing.NamedTuple):
    """All settings; each with its type, what it may be, and what it is for. Their defaults stand in paper.yaml.

    They and the data decide the trained weights, bit for bit on one kind of machine.
    """

    family: Annotated[str, Choice(tuple(FAMILIES)), 'network to train; the next keys are for espnet alone']
    variant: Annotated[str, Choice(VARIANTS), 'which ESPNet (Fig. 4)']
    alpha2: Annotated[int, Whole(1, 64), 'ESP modules at level 2']
    alpha3: Annotated[int, Whole(1, 64), 'ESP modules at level 3, 3 to 8 in the paper']
    width_divider: Annotated[int, Whole(2, 8), 'K, branches of an ESP module']
    activation: Annotated[str, Choice(('prelu', 'relu')), 'non-linearity (Table 2a)']
    residual: Annotated[bool, Flag(), 'residual links in ESP modules (Table 2b)']
    downsampling: Annotated[str, Choice(DOWNSAMPLING), 'strided ESP module or convolution (Table 2c)']
    reduce_kernel: Annotated[int, Choice((1, 3)), 'kernel of the reduction (Table 2d)']
    dilated: Annotated[bool, Flag(), 'dilated branches (Table 2d)']
    fuse_input: Annotated[bool, Flag(), "the decoder's last merge also sees the image"]

    outputs: Annotated[int, Whole(0, 255), 'of the network, 0: one for each class; the decoder has as many channels, '
                       'and few are a bottleneck: more than there are classes widen it']
    labels: Annotated[str, Text(), 'label set to learn, a name or a YAML file; empty is that of the first dataset']
    size: Annotated[_Size, Size(), 'input of the network; images are resized to it as the node does']
    base_data: Annotated[str, Choice(('all', 'first')),
                         'datasets of the first stage, the class weights and the normalization']

    encoder_epochs: Annotated[int, Whole(0, 100000), 'first stage: epochs of the encoder on labels at 1/8; 0: none']
    encoder_crop: Annotated[_Size, Size(), 'first stage: size of the crops']
    epochs: Annotated[int, Whole(1, 100000), 'second stage: epochs of the whole network']
    crop: Annotated[_Size, Size(), 'second stage: size of the crops']
    batch: Annotated[int, Whole(1, 4096), 'images of a step, in all processes together']

    optimizer: Annotated[str, Choice(('adam', 'adamw')), 'ADAM, or with weight decay apart from the gradient']
    learning_rate: Annotated[float, Number(0, 10), 'at its highest']
    encoder_rate: Annotated[float, Number(0, 1), 'share of it for the encoder in the second stage']
    schedule: Annotated[str, Choice(('step', 'poly', 'cosine')), 'how it falls in each stage']
    step_epochs: Annotated[int, Whole(1, 100000), 'step: after so many epochs it is multiplied with step_factor']
    step_factor: Annotated[float, Number(0, 1), 'step: see there']
    poly_power: Annotated[float, Number(0.1, 10), 'poly: power of the share of the stage that is left']
    final_rate: Annotated[float, Number(0, 1), 'poly, cosine: share of it at the end of a stage']
    warmup: Annotated[float, Number(0, 0.5), 'share of a stage in which it rises from zero']
    weight_decay: Annotated[float, Number(0, 1), 'pull of the weights toward zero']
    gradient_norm: Annotated[float, Number(0, 1e6), 'longer gradients are cut to this length; 0: never']
    average: Annotated[float, Number(0, 0.99999),
                       'exponential moving average of the weights (EMA), which is what is validated and kept; 0: none']
    mixed_precision: Annotated[bool, Flag(), 'bf16 or fp16 where that is exact enough; GPU only']

    class_weights: Annotated[str, Choice(('inverse', 'none')), 'of the loss: 1 / ln(c + probability), or all equal']
    class_weight_constant: Annotated[float, Number(1.001, 100), 'c; the higher, the more equal']
    label_smoothing: Annotated[float, Number(0, 0.5), 'share of the target that is spread over all classes']

    scale: Annotated[_Range, Range(0.1, 10), 'size of the image before it is cropped']
    stretch: Annotated[float, Number(0, 0.5), 'change of its proportions, at most']
    rotation: Annotated[float, Number(0, 180), 'in degrees, at most']
    flip: Annotated[float, Number(0, 1), 'probability of a mirrored image']
    light: Annotated[float, Number(0, 2), 'strength of changes of brightness, contrast and color; 1 is much']
    blur: Annotated[float, Number(0, 1), 'probability of a blurred image']

    seed: Annotated[int, Whole(0, 2 ** 31), 'of weights, order and augmentation']
    select: Annotated[str, Choice(('last', 'best')),
                      'weights to keep: the last, or those with the best class mIOU in validation']
    validate_epochs: Annotated[int, Whole(1, 100000), 'validation after so many epochs, and at the end of a stage']
    picture_epochs: Annotated[int, Whole(1, 100000), 'pictures of the validation after so many epochs, and at the end']
    checkpoint_steps: Annotated[int, Whole(0, 10 ** 9), 'checkpoints also after so many steps within an epoch; 0: none']

    def architecture(self, classes):
        """Return the network's configuration for that many classes.

        Raises ParameterError when there are fewer `outputs`.
        """
        if 0 < self.outputs < classes:
            raise ParameterError('outputs is {}, too few for {} classes'.format(self.outputs, classes))
        if self.family != DEFAULT:
            return configure(self.family, {'classes': self.outputs or classes})
        shared = set(self._fields) & set(NetworkConfig._fields)
        return NetworkConfig(classes=self.outputs or classes, **{field: getattr(self, field) for field in shared})

    def to_dict(self):
        """Return the settings as plain data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in self._asdict().items()}


_HINTS = typing.get_type_hints(Settings, include_extras=True)
KINDS = {field: _HINTS[field].__metadata__[0] for field in Settings._fields}
DESCRIPTIONS = {field: _HINTS[field].__metadata__[1] for field in Settings._fields}
BASE = 'paper'
"""The recipe that holds every key; the others name what they do differently."""


def recipes_directory():
    """Return the folder of the recipes that come with this package. Raises ModelError."""
    return os.path.join(os.path.dirname(models_directory()), 'config', 'train')


def recipes():
    """Return the names of the recipes that come with this package, sorted."""
    return sorted(path.stem for path in pathlib.Path(recipes_directory()).glob('*.yaml'))


def read_recipe(name_or_path, changes=()):
    """Return the Settings of a recipe: its name or YAML file, changed by texts such as 'epochs=30'.

    Raises ParameterError.
    """
    values = _read(BASE)
    if name_or_path != BASE:
        values.update(_read(name_or_path))
    for change in changes:
        key, equals, text = change.partition('=')
        if not equals:
            raise ParameterError("the setting '{}' is not written as KEY=VALUE".format(change))
        try:
            values[key.strip()] = yaml.safe_load(text)
        except Exception:  # PyYAML also lets KeyError and more out
            raise ParameterError("the value in '{}' is not YAML".format(change))
    return settings_from_dict(values, "the recipe '{}'".format(name_or_path))


def settings_from_dict(values, where):
    """Check settings given as plain data and return them. Raises ParameterError naming `where` and the key."""
    for key in values:
        if key not in KINDS:
            near = difflib.get_close_matches(str(key), KINDS, 1, 0.5)
            raise ParameterError('{}: there is no setting {}{}'.format(
                where, reprlib.repr(key), near and ', did you mean {}?'.format(near[0]) or ''))
    missing = [key for key in KINDS if key not in values]
    if missing:
        raise ParameterError('{} lacks {}'.format(where, ', '.join(missing)))
    checked = {}
    for key, kind in KINDS.items():
        try:
            checked[key] = kind.read(values[key])
        except ValueError as error:
            raise ParameterError('{}: {} is {}; it must be {}'.format(where, key, reprlib.repr(values[key]), error))
    return Settings(**checked)


def settings_text(settings):
    """Return the settings as YAML, each with its description."""
    lines = []
    for key, value in settings.to_dict().items():
        item = '{}: {}'.format(key, json.dumps(value, ensure_ascii=False))  # JSON is YAML, too
        lines.append('{:<34}  # {}'.format(item, DESCRIPTIONS[key]))
    return '\n'.join(lines)


def _read(name_or_path):
    text = str(name_or_path)
    path = text
    if not text.endswith(('.yaml', '.yml')):
        if text not in recipes():
            raise ParameterError("no recipe is called '{}'; known are {}, or give the path of a YAML file".format(
                text, ', '.join(recipes())))
        path = os.path.join(recipes_directory(), text + '.yaml')
    data = read_yaml(path, 'the recipe', ParameterError)
    if not isinstance(data, dict):
        raise ParameterError("the recipe '{}' is not a mapping from settings to values".format(path))
    return data
