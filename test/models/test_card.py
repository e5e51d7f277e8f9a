"""Model cards: what is written is read, and each wrong entry is named."""
import copy
import os
import time

import pytest
import yaml
from small_models import CARD, LABELS

from espnet_ros import models
from espnet_ros.engine.companion import read_companion
from espnet_ros.errors import ModelError
from espnet_ros.labels import CITYSCAPES
from espnet_ros.models.card import Companion, card_from_dict, card_to_dict, read_card, write_card
from espnet_ros.network import NetworkConfig, build, parameter_count

BUILT_IN = CARD._replace(
    architecture=NetworkConfig(), label_set=CITYSCAPES, outputs=tuple(range(19)) + (255,),
    description="The authors' ä→")


@pytest.mark.parametrize('card', [CARD, BUILT_IN], ids=['own labels', 'built-in labels'])
def test_round_trip(tmp_path, card):
    path = tmp_path / 'card.yaml'
    write_card(card, path)
    assert read_card(path) == card
    assert card_from_dict(card_to_dict(card), 'x') == card
    assert ('label_set: cityscapes' in path.read_text()) == (card is BUILT_IN)
    assert os.listdir(str(tmp_path)) == ['card.yaml']


def test_a_value_that_occurs_twice_is_written_twice(tmp_path):
    curve = [1.0, 2.0]
    card = CARD._replace(results={'a': curve, 'b': curve})
    write_card(card, tmp_path / 'card.yaml')
    assert read_card(tmp_path / 'card.yaml').results == {'a': [1.0, 2.0], 'b': [1.0, 2.0]}


def test_another_set_of_a_built_in_name_is_written_out(tmp_path):
    card = CARD._replace(label_set=LABELS._replace(name='cityscapes'))
    write_card(card, tmp_path / 'card.yaml')
    assert read_card(tmp_path / 'card.yaml').label_set == card.label_set


def test_the_cards_that_come_along_are_right():
    entries = models.available()
    assert len(entries) >= 7
    for entry in entries:
        card = entry.card
        assert card_from_dict(card_to_dict(card), entry.card_path) == card
        assert card.int8 is None or read_companion(card)
        assert card.parameters == parameter_count(build(card.architecture))


def test_a_card_cannot_change():
    with pytest.raises(AttributeError):
        CARD.name = 'x'


DATA = card_to_dict(CARD)


def changed(path, value):
    data = copy.deepcopy(DATA)
    *parents, last = path.split('/')
    place = data
    for key in parents:
        place = place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize('path, value, words', [
    ('name', KeyError, 'lacks name'), ('more', 1, "no key 'more'"), ('name', 7, 'name must be text, not 7'),
    ('name', '', 'name'), ('name', '../x', "name '../x' must be up to 100 of a-z"),
    ('name', 'a\n', r"name 'a\n' must be"),
    ('name', 'A', "name 'A'"), ('description', None, 'description must be text'),
    ('architecture', 'espnet', 'architecture must be a mapping'), ('architecture/depth', 3, "no field 'depth'"),
    ('architecture/classes', 0, 'classes is 0; it must be one of 1..255'),
    ('architecture/classes', '4', "classes is '4'"), ('architecture/variant', [], 'variant is []'),
    ('architecture/classes', 5, 'outputs must name 5 class ids'),
    ('label_set', 'ade20k', "label_set 'ade20k' is none of"),
    ('label_set', None, 'label set'), ('label_set/classes', [], 'at least one class'),
    ('outputs', '5, 2', 'outputs must be a list'),
    ('outputs', [5, 2, 255, 3], 'outputs must name 4 class ids of fruit'),
    ('outputs', [5, 2, 255, True], 'outputs'), ('outputs', [5, 2, 255, [9]], 'outputs'), ('outputs', [], 'outputs'),
    ('outputs', [5, 2, 255, 9.0], 'outputs'), ('input', {'width': 96}, 'input lacks height'),
    ('input/depth', 3, "input has no key 'depth'"), ('input/width', 100, 'input width is 100; it must be a multiple'),
    ('input/width', 56, 'from 64 to 4096'), ('input/height', 4104, 'from 64 to 4096'),
    ('input/height', '64', "input height is '64'"), ('input/height', 64.0, 'input height is 64.0'),
    ('input/height', True, 'input height is True'), ('input/height', 10 ** 400, 'input height'),
    ('normalization/mean', KeyError, 'normalization lacks mean'), ('normalization/mean', [1, 2], 'three numbers'),
    ('normalization/mean', 'abc', 'three numbers'), ('normalization/mean', [1, 2, float('nan')], 'three numbers'),
    ('normalization/mean', [1, 2, 10 ** 400], 'three numbers'), ('normalization/mean', [1, 2, True], 'three numbers'),
    ('normalization/mean', [0.4, 0.4, 256], 'scale 0..255'), ('normalization/std', [1, 2, 0], 'std and divisor'),
    ('normalization/std', [1, 2, -3.0], 'not -3.0'), ('normalization/std', [1, 2, 1e-30], 'from 0.001'),
    ('normalization/std', [1, 2, '3'], 'three numbers'), ('normalization/divisor', 0, 'not 0'),
    ('normalization/divisor', float('inf'), 'divisor'), ('normalization/divisor', None, 'not None'),
    ('license', 3, 'license must be text'), ('source', None, 'source must be text'),
    ('training', [], 'training must be'),
    ('results', 'good', 'results must be a mapping'), ('weights/file', '', 'weights file'),
    ('weights/file', '../x.pth', "weights file '../x.pth' must be the name of a file beside"),
    ('weights/file', '/etc/passwd', 'weights file'), ('weights/file', '..', 'weights file'),
    ('weights/file', 'a\0b', 'weights file'), ('weights/file', 3, 'weights file 3'),
    ('weights/sha256', 'F' * 64, '64 hexadecimal digits'), ('weights/sha256', '0' * 64 + '\n', '64 hexadecimal'),
    ('weights/sha256', 0, '64 hexadecimal'),
    ('int8', 3, 'int8 must be a mapping with file, sha256 and facts, not 3'),
    ('int8', {'facts': {}}, 'int8 lacks file'),
    ('int8', {'file': '../x', 'sha256': 'a' * 64, 'facts': {}}, "int8 file '../x' must be"),
    ('int8', {'file': 'x', 'sha256': 'a', 'facts': {}}, 'int8 sha256 must be 64'),
    ('int8', {'facts': 3}, 'int8 must be'),
    ('int8', {'file': 'x', 'sha256': 'a' * 64, 'facts': {}, 'more': 1}, "int8 has no key 'more'"),
    ('weights/size', 1, "weights has no key 'size'")])
def test_each_wrong_entry_is_named(path, value, words):
    with pytest.raises(ModelError) as caught:
        card_from_dict(changed(path, value), 'card.yaml')
    text = str(caught.value)
    assert text.startswith("the model card 'card.yaml': ") and words in text and len(text) < 400, text


def test_an_int8_companion_is_beside_the_card(tmp_path):
    card = CARD._replace(int8=Companion('fruit.int8', 'a' * 64, {'mIOU lost': 0.2}, str(tmp_path)))
    write_card(card, tmp_path / 'card.yaml')
    assert read_card(tmp_path / 'card.yaml') == card and card.int8.is_vouched_for
    assert not card.int8._replace(facts={'mIOU lost': 0.51}).is_vouched_for
    assert 'int8' not in card_to_dict(CARD)


@pytest.mark.parametrize('data', [None, [], 'x', 3, {}, {1: 2}, {None: 1}])
def test_what_is_no_card(data):
    with pytest.raises(ModelError, match="the model card 'x': "):
        card_from_dict(data, 'x')


def test_a_card_names_its_family_and_one_without_is_espnet():
    assert 'family' not in card_to_dict(CARD)
    assert card_from_dict(dict(card_to_dict(CARD), family='espnet'), 'x') == CARD
    with pytest.raises(ModelError, match="the model card 'x': family 'unet' is none of .*espnet"):
        card_from_dict(dict(card_to_dict(CARD), family='unet'), 'x')


def test_missing_architecture_fields_are_the_papers():
    data = changed('architecture', {'classes': 4})
    assert card_from_dict(data, 'x').architecture == NetworkConfig(classes=4)


@pytest.mark.parametrize('content', [
    b'', b'name: [', b'\xff\xfe\0\0', b'\x7fELF' + bytes(range(256)), b'!!python/object/apply:os.system [true]',
    b'!!python/object/new:type [x, [], {}]', b'a: &a {b: *a}', b'a: 2020-13-45', b'{' * 50000, b'name: "\\ud800"',
    b'x: 1\n' * 50000])
def test_hostile_files_get_a_sentence(tmp_path, content):
    path = tmp_path / 'card.yaml'
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert 'card.yaml' in str(caught.value) and '\n' not in str(caught.value) and len(str(caught.value)) < 500


def test_a_value_of_any_length_makes_a_short_sentence(tmp_path):
    path = tmp_path / 'card.yaml'
    for name in ('x' * 100000, list(range(10000)), {'a': {'b': ['c' * 50000]}}):
        path.write_text(yaml.safe_dump(dict(DATA, name=name), default_flow_style=True))
        with pytest.raises(ModelError) as caught:
            read_card(path)
        assert len(str(caught.value)) < 500


def test_aliases_are_refused_at_once(tmp_path):
    path = tmp_path / 'card.yaml'
    path.write_text('a0: &a0 [x]\n' + ''.join(
        'a{}: &a{} [{}]\n'.format(i, i, ', '.join(['*a{}'.format(i - 1)] * 10)) for i in range(1, 30)) + 'name: *a29\n')
    began = time.monotonic()
    with pytest.raises(ModelError, match='aliases'):
        read_card(path)
    assert time.monotonic() - began < 30


def test_cards_that_cannot_be_read_or_written(tmp_path):
    for path in (tmp_path / 'none.yaml', tmp_path, 'a\0b'):
        with pytest.raises(ModelError, match='cannot read the model card'):
            read_card(path)
    with pytest.raises(ModelError, match='cannot write .*: No such file or directory'):
        write_card(CARD, tmp_path / 'none' / 'card.yaml')


def test_an_older_card_stays_whole_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / 'card.yaml'
    write_card(CARD, path)
    monkeypatch.setattr(os, 'replace', lambda *paths: (_ for _ in ()).throw(OSError(28, 'No space left on device')))
    with pytest.raises(ModelError, match='No space left on device'):
        write_card(BUILT_IN, path)
    assert read_card(path) == CARD and os.listdir(str(tmp_path)) == ['card.yaml']
