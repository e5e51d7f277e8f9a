"""A user's own models, known by name."""
import os

import pytest
import small_models

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.errors import ModelError
from espnet_ros.models.card import read_card, write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of the user's own models, not yet there."""
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'own'))
    return tmp_path / 'own'


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes a model and returns its card's path."""
    def made(name='mine', seed=0, weights='weights.pth'):
        folder = tmp_path / 'made-{}-{}'.format(name, seed)
        folder.mkdir(exist_ok=True)
        write_weights(small_models.network(seed=seed), folder / weights)
        card = small_models.CARD._replace(name=name, weights=weights, sha256=sha256_of(folder / weights))
        write_card(card, folder / 'any.yaml')
        return folder / 'any.yaml'
    return made


def test_an_added_model_is_known_by_the_name_in_its_card(own, make, capsys):
    path = make()
    assert main(['models', 'add', str(path)]) == 0
    assert capsys.readouterr().out == 'mine: {}\n'.format(own / 'mine.pth')
    model = models.find('mine')
    assert model == (read_card(path)._replace(weights='mine.pth'), str(own / 'mine.pth'))
    assert models.load(model).config == small_models.CONFIG
    assert main(['models', 'list']) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()
            if line.startswith('mine ')] == [['mine', 'added']]
    assert sorted(os.listdir(own)) == ['mine.pth', 'mine.yaml']


def test_adding_twice_is_no_mistake_but_another_model_must_be_replaced(own, make):
    models.add(make())
    models.add(make())
    first = models.find('mine').card.sha256
    with pytest.raises(ModelError, match="another model called 'mine' was added already"):
        models.add(make(seed=1))
    assert models.find('mine').card.sha256 == first
    models.add(make(seed=1), replace=True)
    assert models.find('mine').card.sha256 == read_card(make(seed=1)).sha256 != first


def test_names_of_this_package_are_taken(own, make):
    for name in (models.DEFAULT, 'cityscapes-espnet-q8'):
        with pytest.raises(ModelError, match="a model that comes with this package is called '{}'".format(name)):
            models.add(make(name))
    with pytest.raises(ModelError, match='comes with this package'):
        models.add(models.DEFAULT)
    assert not own.exists()


def test_a_model_can_be_added_by_another_name(own, make, capsys):
    path = str(make('cityscapes-espnet-q8'))
    assert main(['models', 'add', path, '--name', 'mine']) == 0
    assert models.find('mine').card == read_card(path)._replace(name='mine', weights='mine.pth')
    with pytest.raises(ModelError, match='name'):
        models.add(path, name='../mine')
    with pytest.raises(SystemExit):
        main(['models', 'add', path, path, '--name', 'mine'])
    assert '--name goes with one card' in capsys.readouterr().err


def test_a_card_of_that_name_among_the_own_ones_does_not_hide_one_of_this_package(own, make):
    models.add(make())
    os.rename(own / 'mine.yaml', own / 'x.yaml')
    write_card(read_card(own / 'x.yaml')._replace(name=models.DEFAULT), own / 'x.yaml')
    assert models.entry(models.DEFAULT).state == models.SHIPPED


def test_damaged_own_models_leave_the_others_alone(own, make):
    models.add(make('good'))
    models.add(make('bad'))
    (own / 'bad.yaml').write_text('name: [')
    (own / 'worse.yaml').mkdir()
    names = [e.card.name for e in models.available()]
    assert 'good' in names and 'bad' not in names and models.DEFAULT in names
    (own / 'good.pth').write_bytes(b'other')
    with pytest.raises(ModelError, match="good.pth' are damaged or another model's.*; add the model again"):
        models.find('good')


def test_remove(own, make, capsys):
    models.add(make())
    assert main(['models', 'remove', 'mine']) == 0
    assert os.listdir(own) == []
    for name in ('mine', '../mine', models.DEFAULT, ''):
        assert main(['models', 'remove', name]) == 1
        assert "no model called '{}' was added by this user".format(name) in capsys.readouterr().err
    assert models.entry(models.DEFAULT).state == models.SHIPPED


def test_what_cannot_be_added(own, make, tmp_path, capsys):
    assert main(['models', 'add', str(tmp_path / 'none.yaml')]) == 1
    assert 'is no file' in capsys.readouterr().err
    own.write_text('a file where the folder would be')
    assert main(['models', 'add', str(make())]) == 1
    assert "cannot add the model 'mine'" in capsys.readouterr().err


def test_where_own_models_are(monkeypatch):
    monkeypatch.setenv('ESPNET_ROS_MODELS', '/some/where')
    assert models.added_directory() == '/some/where'
    monkeypatch.delenv('ESPNET_ROS_MODELS')
    monkeypatch.setenv('XDG_DATA_HOME', '/data')
    assert models.added_directory() == '/data/espnet_ros/models'
    monkeypatch.setenv('XDG_DATA_HOME', 'relative')
    monkeypatch.setenv('HOME', '/home/somebody')
    assert models.added_directory() == '/home/somebody/.local/share/espnet_ros/models'
