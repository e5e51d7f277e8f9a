"""The registry of families: each builds, is configured by name, and refuses what it cannot be."""
import inspect
import typing

import pytest
import torch

from espnet_ros.errors import ModelError
from espnet_ros.network import (
    DEFAULT,
    FAMILIES,
    Family,
    NetworkConfig,
    blocks,
    build,
    check,
    configs,
    configure,
    families,
)


@pytest.mark.parametrize('name', FAMILIES)
def test_every_family_has_what_the_registry_needs(name):
    family = FAMILIES[name]
    config = family.config()
    assert (family.name, config.family) == (name, name) and family.title and family.source
    assert set(family.allowed) == set(config._fields) and config.classes == 20
    assert configure(name, {}) == check(config) == config
    assert inspect.getdoc(family.config)


@pytest.mark.parametrize('name', FAMILIES)
def test_logits_have_the_size_that_the_stride_says(name):
    config = FAMILIES[name].config(classes=5)
    network = build(config).eval()
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 64, 104))
    assert logits.shape == (1, 5, 64 // config.stride, 104 // config.stride)
    assert network.config == config and bool(torch.isfinite(logits).all())


def test_the_blocks_that_a_configuration_names_exist():
    assert configs.BLOCKS == ('esp', *blocks.BLOCKS)


def test_the_default_family_is_espnet():
    assert DEFAULT == 'espnet' and configure(DEFAULT, {'classes': 4}) == NetworkConfig(classes=4)


@pytest.mark.parametrize('family, fields, words', [
    ('unet', {}, "family 'unet' is none of "), (['enet'], {}, "family ['enet'] is none of "), (3, {}, 'family 3'),
    ('espnet', {'depth': 3}, "architecture has no field 'depth'"), ('espnet', {'classes': 0}, 'classes is 0'),
    ('espnet', {7: 1}, "no field '7'")])
def test_what_no_family_can_be_gets_a_sentence(family, fields, words):
    with pytest.raises(ModelError) as caught:
        configure(family, fields)
    assert words in str(caught.value)


def test_a_new_family_is_a_file_and_a_line(monkeypatch):
    new = typing.NamedTuple('New', [('classes', int)])
    new.family, new.stride = 'new', 1
    family = Family('new', 'New', new, lambda c: torch.nn.Conv2d(3, c.classes, 1), {'classes': range(1, 256)}, 'here')
    monkeypatch.setitem(families.FAMILIES, 'new', family)
    network = build(configure('new', {'classes': 7}))
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 7, 8, 8)
