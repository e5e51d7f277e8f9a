"""Training settings and the recipes that they are read from."""
import difflib
import json
import logging
import os
import pathlib
import reprlib
from typing import Annotated, Literal

# pydantic rather than msgspec: it has more maintainers, more frequent releases and a JSON schema with every range.
import pydantic
import yaml
from pydantic import AfterValidator, BeforeValidator, Field

from espnet_ros.errors import ParameterError
from espnet_ros.files import read_yaml
from espnet_ros.models import config_directory
from espnet_ros.models.card import SIDES
from espnet_ros.network import BLOCKS, DEFAULT, DOWNSAMPLING, FAMILIES, VARIANTS, NetworkConfig, configure

BASE = 'paper'
"""The recipe that has every key; the others have only those that differ from it."""
_RENAMED = {'average': 'ema'}
"""Old keys that are still read, and their new names."""
_log = logging.getLogger(__name__)


def _from_text(value):
    return float(value) if isinstance(value, str) else value  # YAML 1.1 reads 5e-4 as text


def _from_list(value):
    return tuple(value) if isinstance(value, list) else value


def _no_bool(value):
    if type(value) is not int:  # Literal takes True and 1.0 for 1
        raise ValueError
    return value


def _ascending(pair):
    if pair[0] > pair[1]:
        raise ValueError
    return pair


def _whole(low, high, description):
    return Field(ge=low, le=high, description=description)


def _number(low, high, description):
    return Field(ge=low, le=high, allow_inf_nan=False, description=description)


Number = Annotated[float, BeforeValidator(_from_text)]
Side = Annotated[int, Field(ge=SIDES[0], le=SIDES[-1], multiple_of=SIDES.step)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_from_list)]
Scale = Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False), BeforeValidator(_from_text)]
Range = Annotated[tuple[Scale, Scale], BeforeValidator(_from_list), AfterValidator(_ascending)]


class Settings(pydantic.BaseModel, strict=True, frozen=True, extra='forbid'):
    """All settings with types, ranges and descriptions; their defaults are in paper.yaml.

    Settings and data determine the trained weights, bit for bit on one kind of machine.
    """

    family: Literal[tuple(FAMILIES)] = Field(  # type: ignore[valid-type]
        description='family of the network; the following keys are for espnet only')
    variant: Literal[VARIANTS] = Field(description='variant of ESPNet (Fig. 4)')  # type: ignore[valid-type]
    alpha2: int = _whole(1, 64, 'number of ESP modules at level 2')
    alpha3: int = _whole(1, 64, 'number of ESP modules at level 3, 3 to 8 in the paper')
    width_divider: int = _whole(2, 8, 'K, number of branches of an ESP module')
    activation: Literal['prelu', 'relu'] = Field(description='non-linearity (Table 2a)')
    residual: bool = Field(description='residual connections in ESP modules (Table 2b)')
    downsampling: Literal[DOWNSAMPLING] = Field(  # type: ignore[valid-type]
        description='strided ESP module or convolution (Table 2c)')
    reduce_kernel: Annotated[Literal[1, 3], BeforeValidator(_no_bool)] = Field(
        description='kernel size of the reduction (Table 2d)')
    dilated: bool = Field(description='dilated branches (Table 2d)')
    fuse_input: bool = Field(description='the last merge of the decoder also receives the image')
    hff: bool = Field(description='hierarchical feature fusion (Fig. 2b)')
    stride_divider: Annotated[Literal[0, 2, 3, 4, 5, 6, 7, 8], BeforeValidator(_no_bool)] = Field(
        description='K of the strided ESP modules, 0: width_divider (Table 2e)')
    input_fusion: bool = Field(description='input-aware fusion instead of input reinforcement (Table 2f)')
    block: Literal[BLOCKS] = Field(  # type: ignore[valid-type]
        description='module that repeats at levels 2 and 3 (Fig. 5)')

    outputs: int = _whole(0, 255, 'output channels of the network, 0: one for each class; the decoder is as wide, so '
                          'that more than there are classes avoid a bottleneck')
    labels: str = Field(description='label set to learn: a name or a YAML file; empty: that of the first dataset')
    size: Size = Field(description='input size of the network; images are resized to it as in the node')
    base_data: Literal['all', 'first'] = Field(
        description='datasets used in the first stage and for class weights and normalization')

    encoder_epochs: int = _whole(0, 100000, 'first stage: epochs of the encoder on labels at 1/8; 0: skip this stage')
    encoder_crop: Size = Field(description='first stage: crop size')
    epochs: int = _whole(1, 100000, 'second stage: epochs of the whole network')
    crop: Size = Field(description='second stage: crop size')
    batch: int = _whole(1, 4096, 'batch size, summed over all processes')
    encoder_batch: int = _whole(0, 4096, 'first stage: batch size; 0: as in the second')

    optimizer: Literal['adam', 'adamw', 'sgd'] = Field(description='adamw: ADAM with decoupled weight decay')
    momentum: Number = _number(0, 0.9999, 'sgd: momentum')
    learning_rate: Number = _number(0, 10, 'peak learning rate')
    encoder_rate: Number = _number(0, 1, 'factor on the learning rate of the encoder in the second stage')
    schedule: Literal['step', 'poly', 'cosine'] = Field(description='learning rate decay within each stage')
    step_epochs: int = _whole(1, 100000, 'step: epochs between two decays')
    step_factor: Number = _number(0, 1, 'step: factor of each decay')
    poly_power: Number = _number(0.1, 10, 'poly: exponent of the remaining share of the stage')
    final_rate: Number = _number(0, 1, 'poly, cosine: final learning rate as a fraction of learning_rate')
    warmup: Number = _number(0, 0.5, 'share of a stage with linear warm-up')
    weight_decay: Number = _number(0, 1, 'weight decay of the optimizer')
    gradient_norm: Number = _number(0, 1e6, 'gradients are clipped to this norm; 0: no clipping')
    ema: Number = _number(0, 0.99999, 'decay of the exponential moving average of the weights, which is validated and '
                          'saved; 0: none')
    sync_batch_norm: bool = Field(description='batch statistics of all processes together; GPUs only')
    mixed_precision: bool = Field(description='bfloat16 or float16 where that is accurate enough; GPUs only')

    normalization: Literal['data', 'none'] = Field(
        description='of the input: by mean and standard deviation of the data, or none but the division by 255')
    class_weights: Literal['inverse', 'none'] = Field(description='in the loss: 1 / ln(c + probability), or all equal')
    class_weight_constant: Number = _number(1.001, 100, 'c; higher values make the weights more equal')
    label_smoothing: Number = _number(0, 0.5, 'share of the target that is spread over all classes')

    scale: Range = Field(description='random scale of the image before cropping')
    stretch: Number = _number(0, 0.5, 'maximum random change of the aspect ratio')
    rotation: Number = _number(0, 180, 'maximum random rotation in degrees')
    flip: Number = _number(0, 1, 'probability of a horizontal flip')
    light: Number = _number(0, 2, 'strength of random brightness, contrast and color; 1 is strong')
    blur: Number = _number(0, 1, 'probability of Gaussian blur')

    seed: int = _whole(0, 2 ** 31, 'of initial weights, image order and augmentation')
    select: Literal['last', 'best'] = Field(
        description='weights to save: the last, or those with the best class mIOU in validation')
    validate_epochs: int = _whole(1, 100000, 'epochs between validations; also at the end of a stage')
    picture_epochs: int = _whole(1, 100000, 'epochs between pictures of the validation; also at the end of a stage')
    checkpoint_steps: int = _whole(0, 10 ** 9, 'steps between checkpoints within an epoch; 0: only after each epoch')

    def architecture(self, classes):
        """Return the network's configuration for that many classes.

        Raises ParameterError when there are fewer `outputs`.
        """
        if 0 < self.outputs < classes:
            raise ParameterError('outputs is {}, too few for {} classes'.format(self.outputs, classes))
        if self.family != DEFAULT:
            return configure(self.family, {'classes': self.outputs or classes})
        shared = set(Settings.model_fields) & set(NetworkConfig._fields)
        return NetworkConfig(classes=self.outputs or classes, **{field: getattr(self, field) for field in shared})

    def batch_of(self, stage):
        """Return the batch size of a loading.Stage."""
        return self.encoder_batch if self.encoder_batch and stage.number == 1 else self.batch

    def to_dict(self):
        """Return the settings as plain data."""
        return self.model_dump(mode='json')


DESCRIPTIONS = {key: field.description for key, field in Settings.model_fields.items()}
_SCHEMAS = Settings.model_json_schema()['properties']


def recipes_directory():
    """Return the folder of the recipes that come with this package. Raises ModelError."""
    return os.path.join(config_directory(), 'train')


def recipes():
    """Return the names of the recipes that come with this package, sorted."""
    return sorted(path.stem for path in pathlib.Path(recipes_directory()).glob('*.yaml'))


def read_recipe(name_or_path, changes=()):
    """Return the Settings of a recipe, given by name or YAML file, with changes such as 'epochs=30'.

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
            value = yaml.safe_load(text)
        except Exception:  # PyYAML also lets KeyError and more out
            raise ParameterError("the value in '{}' is not YAML".format(change))
        values.update(_current({key.strip(): value}))
    return settings_from_dict(values, "the recipe '{}'".format(name_or_path))


def settings_from_dict(values, where):
    """Validate settings given as plain data and return them. Raises ParameterError naming `where` and the key."""
    for key in values:
        if key not in _SCHEMAS:
            near = difflib.get_close_matches(str(key), _SCHEMAS, 1, 0.5)
            raise ParameterError('{}: there is no setting {}{}'.format(
                where, reprlib.repr(key), near and ', did you mean {}?'.format(near[0]) or ''))
    try:
        return Settings.model_validate(values)
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    missing = [str(found['loc'][0]) for found in errors if found['type'] == 'missing' and len(found['loc']) == 1]
    if missing:
        raise ParameterError('{} lacks {}'.format(where, ', '.join(missing)))
    key = errors[0]['loc'][0]
    raise ParameterError('{}: {} is {}; it must be {}'.format(
        where, key, reprlib.repr(values[key]), _requirement(_SCHEMAS[key])))


def settings_text(settings):
    """Return the settings as YAML, each with its description."""
    lines = []
    for key, value in settings.to_dict().items():
        item = '{}: {}'.format(key, json.dumps(value, ensure_ascii=False))  # JSON is YAML, too
        lines.append('{:<34}  # {}'.format(item, DESCRIPTIONS[key]))
    return '\n'.join(lines)


def _requirement(schema):
    """Return what a value must be, in words; schema: of its setting, as in JSON schema."""
    if 'enum' in schema:
        return 'one of ' + ', '.join(map(str, schema['enum']))
    kind = schema['type']
    if kind == 'array':
        schema = schema['prefixItems'][0]
        kind = 'size' if schema['type'] == 'integer' else 'range'
    return {'integer': 'a whole number from {minimum} to {maximum}', 'number': 'a number from {minimum:g} to '
            '{maximum:g}', 'boolean': 'true or false', 'string': 'text',
            'range': 'two numbers from {minimum:g} to {maximum:g}, the second not below the first',
            'size': '[width, height], multiples of {multipleOf} from {minimum} to {maximum}'}[kind].format(**schema)


def _current(values):
    """Return settings with old keys replaced by the new ones."""
    found = {}
    for key, value in values.items():
        new = _RENAMED.get(key, key) if isinstance(key, str) else key
        if new != key:
            _log.warning("the setting '%s' is deprecated; it is called '%s' now", key, new)
            if new in values:
                raise ParameterError("'{}' and '{}' are the same setting; remove '{}'".format(key, new, key))
        found[new] = value
    return found


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
    return _current(data)
