"""espnet-ros models."""
import json
import re

import pytest
import yaml

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.models import catalog
from espnet_ros.models.card import card_from_dict, write_card


@pytest.fixture
def weights(shared):
    return str(shared / 'weights' / 'espnet' / 'espnet_p_2_q_8.pth')


def row(name, text):
    return next(cells for cells in (re.split('  +', line.rstrip()) for line in text.splitlines()) if cells[0] == name)


def test_list(capsys):
    assert main(['models', 'list']) == 0
    text = capsys.readouterr().out
    assert row('NAME', text) == ['NAME', 'STATE', 'INPUT', 'CPU', 'CLASSES', 'SIZE', 'MIOU']
    assert row('cityscapes-espnet-q8', text) == [
        'cityscapes-espnet-q8', 'not fetched', '1024x512', 'float', '19', '0.36 M', '60.34',
        models.entry('cityscapes-espnet-q8').card.description]
    assert len(text.splitlines()) == 1 + len(models.available())
    assert row(models.DEFAULT + ' *', text)[3] == 'int8' and text.count(' *') == 1


def test_list_for_programs(capsys):
    assert main(['models', 'list', '--json']) == 0
    found = {m['name']: m for m in json.loads(capsys.readouterr().out)}
    assert list(found) == [e.card.name for e in models.available()]
    model = found['camvid-espnet-q8-authors']
    assert (model['state'], model['weights'], model['input'], model['parameters'], len(model['classes'])) == (
        'not fetched', None, {'width': 480, 'height': 360}, 354_517, 11)


def test_a_model_that_was_not_measured_is_listed(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(catalog, 'models_directory', lambda: str(tmp_path / 'tiny'))
    assert main(['models', 'list']) == 0
    assert row('tiny', capsys.readouterr().out)[1:] == ['shipped', '96x64', 'float', '11', '0.11 M', '-', 'random']


def test_in_a_terminal_the_list_is_80_columns_wide_and_has_a_legend(monkeypatch, capsys):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '80')
    assert main(['models', 'list']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and lines[-2].startswith('* default.')
    assert any(line.startswith('    The default model, trained by this project') for line in lines)


def test_fetch_from_file(weights, cache, capsys):
    assert main(['models', 'fetch', 'cityscapes-espnet-q8', '--from', weights]) == 0
    assert capsys.readouterr() == ('cityscapes-espnet-q8: {}\n'.format(cache / 'cityscapes-espnet-q8.pth'), '')
    assert models.find('cityscapes-espnet-q8').weights_path == str(cache / 'cityscapes-espnet-q8.pth')
    assert main(['models', 'list']) == 0
    assert row('cityscapes-espnet-q8', capsys.readouterr().out)[1] == 'cached'


def test_fetch_all_goes_on_after_a_model_without_source(tmp_path, tiny, monkeypatch, cache, capsys):
    """Added models are here already; what cannot be fetched is named, and the others are fetched all the same."""
    known, given = tmp_path / 'known', (tmp_path / 'tiny' / 'tiny.pth').read_bytes()
    known.mkdir()
    monkeypatch.setattr(catalog, 'models_directory', lambda: str(known))
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'own'))
    assert main(['models', 'add', tiny, '--name', 'b-added']) == 0
    for name in ('a-nowhere', 'c-cached'):
        card = models.find(tiny).card._replace(name=name, weights=name + '.pth', source='')
        write_card(card, known / (name + '.yaml'))
    cache.mkdir()
    (cache / 'c-cached.pth').write_bytes(given)
    capsys.readouterr()
    assert main(['models', 'fetch', '--all']) == 1
    out, err = capsys.readouterr()
    assert out == 'b-added: {}\nc-cached: {}\n'.format(tmp_path / 'own' / 'b-added.pth', cache / 'c-cached.pth')
    assert err == ('espnet-ros: error: the model card of a-nowhere names no source; give its weights with --from '
                   'FILE\n')


def test_fetch_of_another_file(weights, cache, capsys):
    assert main(['models', 'fetch', 'cityscapes-espnet-q5', '--from', weights]) == 1
    assert '(that of cityscapes-espnet-q8)' in capsys.readouterr().err
    assert not cache.exists()


def test_no_name_is_fetched_when_one_is_wrong(cache, capsys):
    assert main(['models', 'fetch', 'cityscapes-espnet-q8', 'cityscapes-espnet-q9']) == 1
    assert "no model is called 'cityscapes-espnet-q9' (did you mean cityscapes-espnet-q8" in capsys.readouterr().err
    assert not cache.exists()


@pytest.mark.parametrize('arguments', [[], ['--all', 'x'], ['a', 'b', '--from', 'f'], ['--all', '--from', 'f']])
def test_fetch_used_wrongly(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(['models', 'fetch', *arguments])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith('usage: espnet-ros models fetch')


def test_show_by_name(capsys):
    assert main(['models', 'show', 'cityscapes-espnet-c-q3']) == 0
    text = capsys.readouterr().out
    entry = models.entry('cityscapes-espnet-c-q3')
    assert text.startswith('# card: {}\n# weights: not fetched\nname: '.format(entry.card_path))
    assert card_from_dict(yaml.safe_load(text), 'printed') == entry.card


def test_show_by_path(tiny, capsys):
    for path in (tiny, tiny.replace('.yaml', '.pth')):
        assert main(['models', 'show', path]) == 0
        text = capsys.readouterr().out
        assert text.startswith('# weights: {}\nname: tiny\n'.format(tiny.replace('.yaml', '.pth')))
