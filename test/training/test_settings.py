"""Recipes have the values of the paper; invalid settings are refused with one sentence."""
import pathlib

import hypothesis
import pytest
import yaml
from hypothesis import strategies

from espnet_ros.errors import ParameterError
from espnet_ros.network import FAMILIES, NetworkConfig, configure, count
from espnet_ros.training.loading import Stage
from espnet_ros.training.settings import (
    BASE,
    DESCRIPTIONS,
    Settings,
    read_recipe,
    recipes,
    recipes_directory,
    settings_from_dict,
    settings_text,
)

PAPER = {
    'variant': 'espnet', 'alpha2': 2, 'alpha3': 8, 'width_divider': 5, 'activation': 'prelu', 'residual': True,
    'downsampling': 'esp', 'reduce_kernel': 1, 'dilated': True, 'fuse_input': False, 'size': (1024, 512),
    'encoder_epochs': 5 * 300, 'epochs': 5 * 300, 'outputs': 20, 'batch': 6, 'encoder_batch': 12,
    'optimizer': 'adam', 'learning_rate': 0.0005, 'schedule': 'step',
    'step_epochs': 5 * 100, 'step_factor': 0.5, 'weight_decay': 0.0005, 'class_weights': 'inverse', 'flip': 0.5,
    'scale': (0.5, 1.5), 'crop': (1024, 512), 'encoder_crop': (1024, 512)}
"""Section 4.1 and Fig. 4; an epoch of the authors' code is five passes over the images."""
NOTHING_ELSE = {
    'warmup': 0.0, 'gradient_norm': 0.0, 'ema': 0.0, 'mixed_precision': False, 'label_smoothing': 0.0,
    'stretch': 0.0, 'rotation': 0.0, 'light': 0.0, 'blur': 0.0}
"""What the paper does not speak of is off."""
STAGES = [Stage(number, '', 1, (), (8, 8), 1) for number in (1, 2)]


def plain(name):
    return yaml.safe_load(pathlib.Path(recipes_directory(), name + '.yaml').read_text())


def test_the_paper_recipe_is_the_paper():
    settings = read_recipe('paper')
    assert {key: getattr(settings, key) for key in PAPER} == PAPER
    assert {key: getattr(settings, key) for key in NOTHING_ELSE} == NOTHING_ELSE
    assert set(plain(BASE)) == set(DESCRIPTIONS) == set(Settings.model_fields)


def test_every_recipe_reads_and_names_only_what_it_does_differently():
    assert {'camvid', 'modern', 'paper', 'voc', 'wsi'} <= set(recipes()) and recipes() == sorted(recipes())
    paper = read_recipe(BASE)
    for name in set(recipes()) - {BASE}:
        settings = read_recipe(name)
        assert {key for key in DESCRIPTIONS if getattr(settings, key) != getattr(paper, key)} == set(plain(name))


def test_the_recipe_of_voc_has_the_papers_network():
    settings = read_recipe('voc')
    assert settings.architecture(21) == NetworkConfig(classes=21) and count(settings.architecture(21)) == 366_022
    assert settings.size == settings.crop == settings.encoder_crop == (512, 512)
    assert (settings.batch, settings.encoder_batch, settings.epochs) == (6, 12, 5 * 300)


def test_the_recipe_of_slides_is_that_of_their_paper():
    settings = read_recipe('wsi')
    assert count(settings.architecture(8)) == 2_755_488
    assert (settings.size, settings.crop, settings.batch, settings.epochs, settings.encoder_epochs) == (
        (384, 384), (384, 384), 10, 100, 0)
    assert (settings.optimizer, settings.learning_rate, settings.momentum, settings.weight_decay) == (
        'sgd', 0.001, 0.9, 0.0005)
    assert (settings.normalization, settings.class_weights, settings.class_weight_constant) == ('none', 'inverse', 1.1)


def test_the_encoder_may_have_a_batch_of_its_own():
    settings = read_recipe('paper')
    assert [settings.batch_of(stage) for stage in STAGES] == [12, 6]
    assert [read_recipe('modern').batch_of(stage) for stage in STAGES] == [12, 12]
    assert [read_recipe('camvid').batch_of(stage) for stage in STAGES] == [6, 6]


def test_the_architecture_has_the_fields_of_the_network():
    settings = read_recipe('paper').model_copy(update={'outputs': 0})
    assert settings.architecture(20) == NetworkConfig()
    assert settings.model_copy(update={'alpha3': 3, 'fuse_input': True}).architecture(11) == NetworkConfig(
        classes=11, alpha3=3, fuse_input=True)
    assert settings.model_copy(update={'outputs': 20}).architecture(11).classes == 20
    assert settings.model_copy(update={'outputs': 11}).architecture(11).classes == 11
    switches = {'hff': False, 'stride_divider': 5, 'input_fusion': True, 'block': 'resnet'}
    assert settings.model_copy(update=switches).architecture(4) == NetworkConfig(classes=4, **switches)
    assert set(NetworkConfig._fields) - set(Settings.model_fields) == {'classes'}
    with pytest.raises(ParameterError, match='outputs is 10, too few for 11 classes'):
        settings.model_copy(update={'outputs': 10}).architecture(11)


@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'espnet'}))
def test_other_families_have_their_own_configuration(family):
    settings = read_recipe('paper', ['family=' + family])
    assert settings.architecture(11) == configure(family, {'classes': 20})
    assert settings.architecture(11).family == family


@pytest.mark.parametrize('change, key, value', [
    ('epochs=30', 'epochs', 30), (' epochs = 30 ', 'epochs', 30), ('learning_rate=5e-4', 'learning_rate', 5e-4),
    ('learning_rate=1', 'learning_rate', 1.0), ('scale=[0.6, 1.8]', 'scale', (0.6, 1.8)),
    ('scale=[1,1]', 'scale', (1.0, 1.0)), ('size=[640, 480]', 'size', (640, 480)),
    ('mixed_precision=true', 'mixed_precision', True), ('labels=cityscapes', 'labels', 'cityscapes'),
    ("labels=''", 'labels', ''), ('labels=a=b.yaml', 'labels', 'a=b.yaml'), ('seed=0', 'seed', 0)])
def test_a_change_on_the_command_line(change, key, value):
    changed = read_recipe('paper', ['alpha3=3', change])
    assert getattr(changed, key) == value and type(getattr(changed, key)) is type(value)
    assert changed == read_recipe('paper').model_copy(update=dict(alpha3=3, **{key: value}))


def test_the_last_of_two_changes_counts():
    assert read_recipe('modern', ['epochs=3', 'epochs=4']).epochs == 4


@pytest.mark.parametrize('change, message', [
    ('epochs', "the setting 'epochs' is not written as KEY=VALUE"),
    ('', "the setting '' is not written as KEY=VALUE"),
    ('epoch=3', "there is no setting 'epoch', did you mean epochs"),
    ('=3', "there is no setting ''"),
    ('xyzzy=3', "there is no setting 'xyzzy'$"),
    ('epochs=[3', r"the value in 'epochs=\[3' is not YAML"),
    ('epochs=!!timestamp x', 'is not YAML'),
    ('epochs=' + 400 * '[', 'is not YAML'),
    ('epochs=!!python/object/apply:os.getcwd []', 'is not YAML'),
    ('epochs=', 'epochs is None; it must be a whole number from 1 to 100000'),
    ('epochs=0', 'epochs is 0; it must be a whole number from 1 to 100000'),
    ('epochs=1.5', 'epochs is 1.5; it must be a whole number'),
    ('epochs=true', 'epochs is True; it must be a whole number'),
    ('epochs=1e2', "epochs is '1e2'; it must be a whole number"),
    ('epochs=' + 50 * '9', 'epochs is 9+.*; it must be a whole number'),
    ('learning_rate=.nan', 'learning_rate is nan; it must be a number from 0 to 10'),
    ('learning_rate=.inf', 'learning_rate is inf; it must be'),
    ('learning_rate=-1', 'learning_rate is -1; it must be'),
    ('learning_rate=true', 'learning_rate is True; it must be'),
    ('learning_rate=fast', "learning_rate is 'fast'; it must be"),
    ('learning_rate=!!binary MQ==', "learning_rate is b'1'; it must be"),
    ('learning_rate=' + 400 * '9', 'learning_rate is 9+.*; it must be'),
    ('scale=2', 'scale is 2; it must be two numbers from 0.1 to 10, the second not below the first'),
    ('scale=[2, 1]', r'scale is \[2, 1\]; it must be two numbers'),
    ('scale=[1, 2, 3]', 'it must be two numbers'), ('scale=[0, 1]', 'it must be two numbers'),
    ('scale="12"', "scale is '12'; it must be two numbers"), ('scale={1: 1, 2: 2}', 'it must be two numbers'),
    ('scale=&a [*a, *a]', 'it must be two numbers'), ('scale=[.nan, 1]', 'it must be two numbers'),
    ('size=[100, 64]', r'size is \[100, 64\]; it must be \[width, height\], multiples of 8 from 64 to 4096'),
    ('size=640', 'size is 640; it must be'), ('size=[640]', 'it must be'), ('size=[640.0, 480]', 'it must be'),
    ('optimizer=lion', "optimizer is 'lion'; it must be one of adam, adamw, sgd"),
    ('reduce_kernel=true', 'reduce_kernel is True; it must be one of 1, 3'),
    ('reduce_kernel=[1]', r'reduce_kernel is \[1\]; it must be one of 1, 3'),
    ('variant=[]', 'it must be one of espnet-a, espnet-b, espnet-c, espnet'),
    ('dilated=1', 'dilated is 1; it must be true or false'), ('labels=19', 'labels is 19; it must be text')])
def test_a_wrong_change_is_named(change, message):
    with pytest.raises(ParameterError, match=message) as caught:
        read_recipe('paper', [change])
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize('how', ['change', 'recipe'])
def test_the_old_name_of_a_setting_still_works(tmp_path, caplog, how):
    (tmp_path / 'old.yaml').write_text('average: 0.9\n')
    found = read_recipe('modern', ['average=0.9']) if how == 'change' else read_recipe(tmp_path / 'old.yaml')
    assert found.ema == 0.9
    assert caplog.messages == ["the setting 'average' is deprecated; it is called 'ema' now"]


def test_the_old_and_the_new_name_of_a_setting_together(tmp_path):
    assert read_recipe('paper', ['ema=0.9', 'average=0.8']).ema == 0.8
    (tmp_path / 'both.yaml').write_text('average: 0.9\nema: 0.8\n')
    with pytest.raises(ParameterError, match="'average' and 'ema' are the same setting; remove 'average'"):
        read_recipe(tmp_path / 'both.yaml')
    with pytest.raises(ParameterError, match='ema is 2; it must be a number from 0 to 0.99999'):
        read_recipe('paper', ['average=2'])


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / 'own.yaml'
    path.write_text('# mine\nepochs: 7\nscale: [0.9, 1.1]\n')
    assert read_recipe(path) == read_recipe(str(path)) == read_recipe('paper').model_copy(
        update={'epochs': 7, 'scale': (0.9, 1.1)})


@pytest.mark.parametrize('content, message', [
    (b'epochs: 7\nepocs: 8\n', "own.yaml': there is no setting 'epocs', did you mean epochs"),
    (b'7: 8\n', 'there is no setting 7'), (b'null: 8\n', 'there is no setting None'),
    (b'', 'is not a mapping from settings to values'), (b'- epochs\n', 'is not a mapping'),
    (b'epochs: [', 'is not YAML'), (b'epochs: &a 3\nbatch: *a\n', r'aliases \(\*name\) are not allowed'),
    (b'epochs: !!python/name:os.system x\n', 'is not YAML'), (b'\xff\xfe\x00', 'is not text'),
    (b'a: ' + 200000 * b'x', 'is longer than')])
def test_a_wrong_recipe_is_named(tmp_path, content, message):
    path = tmp_path / 'own.yaml'
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message):
        read_recipe(path)


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(ParameterError, match="no recipe is called 'papre'; known are camvid, .*paper.*a YAML file"):
        read_recipe('papre')
    with pytest.raises(ParameterError, match="cannot read the recipe '.*none.yaml': No such file"):
        read_recipe(tmp_path / 'none.yaml')


def test_settings_that_lack_something():
    values = read_recipe('paper').to_dict()
    del values['epochs'], values['seed']
    with pytest.raises(ParameterError, match='^the card lacks epochs, seed$'):
        settings_from_dict(values, 'the card')


@pytest.mark.parametrize('changes', [{}, {'learning_rate': 1e-7, 'labels': 'Straße 1: "#2" \U0001f6a6.yaml'},
                                     {'labels': "it's\ta\nfile.yaml"}, {'labels': 'yes'}, {'labels': '0x10'}])
def test_the_text_of_settings_reads_back(tmp_path, changes):
    settings = read_recipe('modern').model_copy(update=changes)
    path = tmp_path / 'shown.yaml'
    path.write_text(settings_text(settings), encoding='utf-8')
    assert read_recipe(path) == settings
    assert settings_from_dict(yaml.safe_load(settings_text(settings)), 'text') == settings


def test_the_text_of_settings_explains_each():
    lines = settings_text(read_recipe('paper')).splitlines()
    assert len(lines) == len(DESCRIPTIONS)
    for line, key in zip(lines, DESCRIPTIONS):
        assert line.startswith(key + ': ') and line.endswith('  # ' + DESCRIPTIONS[key])


HOSTILE = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=5)


@hypothesis.settings(max_examples=150, derandomize=True)
@hypothesis.given(strategies.sampled_from(sorted(DESCRIPTIONS)), HOSTILE)
def test_nothing_but_a_setting_is_accepted(key, value):
    values = read_recipe('paper').to_dict()
    try:
        settings = settings_from_dict({**values, key: value}, 'x')
    except ParameterError as error:
        assert str(error).startswith('x: {} is '.format(key)) and '\n' not in str(error)
    else:
        assert settings_from_dict(settings.to_dict(), 'x') == settings
        if isinstance(value, (bool, str)) and key not in ('labels',) and not isinstance(getattr(settings, key), float):
            assert getattr(settings, key) == value
