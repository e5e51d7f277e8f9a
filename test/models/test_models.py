"""Models by name and path."""
import hashlib
import os
import shutil

import pytest
from model_cards import TINY, card

from espnet_ros import models
from espnet_ros.errors import ModelError
from espnet_ros.models import catalog, download
from espnet_ros.models.card import read_card, write_card
from espnet_ros.models.checkpoint import write_weights
from espnet_ros.network import build, parameter_count

AUTHORS = {
    'camvid-espnet-q8-authors': ('espnet/espnet_p_2_q_8_camvid.pth', 354_517),
    'cityscapes-espnet-c-q3': ('espnet_c/espnet_p_2_q_3.pth', 187_529),
    'cityscapes-espnet-c-q5': ('espnet_c/espnet_p_2_q_5.pth', 252_297),
    'cityscapes-espnet-c-q8': ('espnet_c/espnet_p_2_q_8.pth', 349_449),
    'cityscapes-espnet-q3': ('espnet/espnet_p_2_q_3.pth', 202_649),
    'cityscapes-espnet-q5': ('espnet/espnet_p_2_q_5.pth', 267_417),
    'cityscapes-espnet-q8': ('espnet/espnet_p_2_q_8.pth', 364_569),
}


# Where things are

def test_a_checkout_has_its_models_beside_the_package(tmp_path, monkeypatch):
    (tmp_path / 'src' / 'models').mkdir(parents=True)
    (tmp_path / 'src' / 'package.xml').touch()
    (tmp_path / 'share' / 'espnet_ros' / 'models').mkdir(parents=True)
    monkeypatch.setattr(catalog, '__file__', str(tmp_path / 'src/espnet_ros/models/catalog.py'))
    assert models.models_directory() == str(tmp_path / 'src' / 'models')


@pytest.mark.parametrize('package', ['lib/python3.11/site-packages', 'lib/python3/dist-packages', 'local/lib/x'])
def test_an_installation_has_its_models_in_the_prefix(tmp_path, monkeypatch, package):
    (tmp_path / 'share' / 'espnet_ros' / 'models').mkdir(parents=True)
    (tmp_path / package / 'models').mkdir(parents=True)  # another package's folder of that name
    monkeypatch.setattr(catalog, '__file__', str(tmp_path / package / 'espnet_ros/models/catalog.py'))
    assert models.models_directory() == str(tmp_path / 'share' / 'espnet_ros' / 'models')


def test_a_symlinked_build_leads_to_the_checkout(tmp_path, monkeypatch):
    source, built = tmp_path / 'src' / 'espnet_ros', tmp_path / 'build' / 'espnet_ros'
    (source / 'espnet_ros' / 'models').mkdir(parents=True)
    (source / 'models').mkdir()
    (source / 'package.xml').touch()
    built.mkdir(parents=True)
    (built / 'espnet_ros').symlink_to(source / 'espnet_ros')
    monkeypatch.setattr(catalog, '__file__', str(built / 'espnet_ros/models/catalog.py'))
    assert models.models_directory() == str(source / 'models')


def test_a_broken_installation_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, '__file__', str(tmp_path / 'lib/espnet_ros/models/catalog.py'))
    with pytest.raises(ModelError, match="above '{}'; install espnet_ros again".format(tmp_path / 'lib/espnet_ros')):
        models.models_directory()


@pytest.mark.parametrize('own, base, home, expected', [
    ('/own', '/base', '/home/me', '/own'),
    ('~/own', '/base', '/home/me', '/home/me/own'),
    ('', '/base', '/home/me', '/base/espnet_ros'),
    ('', 'relative', '/home/me', '/home/me/.cache/espnet_ros'),
    ('', '', '/else/where', '/else/where/.cache/espnet_ros')])
def test_cache_directory(monkeypatch, own, base, home, expected):
    for name, value in (('ESPNET_ROS_CACHE', own), ('XDG_CACHE_HOME', base), ('HOME', home)):
        monkeypatch.setenv(name, value)
    assert models.cache_directory() == expected


def test_without_home_only_fetching_fails(known, monkeypatch):
    for name in ('ESPNET_ROS_CACHE', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)  # what it does for a user without home
    write_card(card('here', b'1'), known / 'here.yaml')
    (known / 'here.pth').write_bytes(b'1')
    write_card(card('away', b'2'), known / 'away.yaml')
    assert [e.state for e in models.available()] == ['not fetched', 'shipped']
    assert models.find('here').weights_path == str(known / 'here.pth')
    with pytest.raises(ModelError, match='no home folder to keep models in; set ESPNET_ROS_CACHE'):
        models.fetch('away')


# Names and files

def test_the_authors_models_are_known():
    found = {e.card.name: e for e in models.available()}
    assert set(AUTHORS) <= set(found)
    for name, (path, parameters) in AUTHORS.items():
        card = found[name].card
        assert found[name].card_path.endswith('/models/{}.yaml'.format(name))
        assert card.weights == name + '.pth'
        assert card.source == 'https://raw.githubusercontent.com/sacmehta/ESPNet/master/pretrained/' + (
            path.replace('espnet_c/', 'encoder/').replace('espnet/', 'decoder/'))
        assert 'Copyright (c) 2018 Sachin Mehta' in card.license
        assert parameter_count(build(card.architecture)) == parameters
        assert all('source' in result for result in card.results.values())
        assert card.outputs == tuple(range(len(card.label_set.classes))) + (255,)


@pytest.mark.parametrize('name', sorted(AUTHORS))
def test_the_authors_weights_load_under_any_name(shared, tmp_path, name):
    path = tmp_path / 'renamed to anything.bin'
    shutil.copy(shared / 'weights' / AUTHORS[name][0], path)
    model = models.find(path)
    assert model.card.name == name and model.weights_path == str(path)
    network = models.load(model)
    assert not network.training and parameter_count(network) == AUTHORS[name][1]


def test_states_and_finding_by_name(known, cache):
    for name, content in (('away', b'1'), ('cached', b'2'), ('shipped', b'3')):
        write_card(card(name, content), known / (name + '.yaml'))
    (known / 'shipped.pth').write_bytes(b'3')
    cache.mkdir()
    (cache / 'cached.pth').write_bytes(b'2')
    assert [(e.card.name, e.state, e.weights_path) for e in models.available()] == [
        ('away', 'not fetched', ''), ('cached', 'cached', str(cache / 'cached.pth')),
        ('shipped', 'shipped', str(known / 'shipped.pth'))]
    assert models.find('shipped') == models.Model(read_card(known / 'shipped.yaml'), str(known / 'shipped.pth'))
    assert models.find('cached').weights_path == str(cache / 'cached.pth')
    with pytest.raises(ModelError, match='weights of away are not .* fetch them: espnet-ros models fetch away'):
        models.find('away')


def test_a_name_goes_before_a_file(known, tmp_path, monkeypatch):
    write_card(card('street', b'1'), known / 'street.yaml')
    (known / 'street.pth').write_bytes(b'1')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'street').write_bytes(b'something else')
    assert models.find('street').weights_path == str(known / 'street.pth')
    with pytest.raises(ModelError, match="the weights './street' .* are no known model's"):
        models.find('./street')


def test_speed_needs_no_weights(cache):
    card, network, weights = models.load_for_speed('cityscapes-espnet-q3')
    assert card.name == 'cityscapes-espnet-q3' and weights == 'random'
    assert network.config == card.architecture and not network.training
    card, _, weights = models.load_for_speed(models.DEFAULT)
    assert card.name == models.DEFAULT and weights == 'its own'
    with pytest.raises(ModelError, match='no model is called'):
        models.load_for_speed('nothing')


def test_damaged_weights_are_refused_with_both_hashes(known, cache):
    for name, folder, remedy in (('shipped', known, 'install espnet_ros again'),
                                 ('cached', cache, 'fetch them again: espnet-ros models fetch cached')):
        write_card(card(name, b'good'), known / (name + '.yaml'))
        folder.mkdir(exist_ok=True)
        (folder / (name + '.pth')).write_bytes(b'bad')
        with pytest.raises(ModelError, match='damaged .* {}, that of {} is {}; {}'.format(
                hashlib.sha256(b'bad').hexdigest(), name, hashlib.sha256(b'good').hexdigest(), remedy)):
            models.find(name)


def test_unknown_names_get_suggestions(known):
    write_card(card('cityscapes-espnet-q8', b'1'), known / 'a.yaml')
    write_card(card('own', b'2'), known / 'b.yaml')
    with pytest.raises(ModelError) as error:
        models.find('cityscape-espnet-q8')
    assert str(error.value) == (
        "no model is called 'cityscape-espnet-q8' (did you mean cityscapes-espnet-q8?); known are "
        'cityscapes-espnet-q8, own; or give the path of a model card (.yaml) or weights file')
    for name in ('', 'zzz', 'models\n', '~'):
        with pytest.raises(ModelError):
            models.find(name)


def test_paths_that_lead_nowhere(known, tmp_path):
    for path, what in ((tmp_path / 'x', 'no file'), ('x.pth', 'no file'), ('x.yml', 'no file'), (tmp_path, 'a folder')):
        with pytest.raises(ModelError, match="'{}' is {}; give a model's name".format(path, what)):
            models.find(path)


def test_own_card_and_weights(known, tmp_path):
    network = build(TINY)
    write_weights(network, tmp_path / 'mine.pth')
    content = (tmp_path / 'mine.pth').read_bytes()
    with pytest.raises(ModelError, match="SHA-256 {}.* no known model's; put their model card .* as 'mine.yaml'".format(
            hashlib.sha256(content).hexdigest())):
        models.find(tmp_path / 'mine.pth')
    write_card(card('mine', content), tmp_path / 'mine.yaml')
    for path in (tmp_path / 'mine.yaml', tmp_path / 'mine.pth'):
        model = models.find(path)
        assert model.card.name == 'mine' and model.weights_path == str(tmp_path / 'mine.pth')
        assert parameter_count(models.load(model)) == parameter_count(network)
    (tmp_path / 'mine.pth').write_bytes(content[:-1])
    for path in (tmp_path / 'mine.yaml', tmp_path / 'mine.pth'):
        with pytest.raises(ModelError, match='damaged'):
            models.find(path)


def test_card_without_its_weights(known, cache, tmp_path):
    path = tmp_path / 'mine.yaml'
    write_card(card('mine', b'1'), path)
    with pytest.raises(ModelError, match="card '{}' has no weights beside it; put 'mine.pth' there".format(path)):
        models.find(path)
    write_card(card('original', b'1'), known / 'original.yaml')  # a card of one's own for a known model's weights
    with pytest.raises(ModelError, match='fetch them: espnet-ros models fetch original'):
        models.find(path)
    cache.mkdir()
    (cache / 'original.pth').write_bytes(b'1')
    assert models.find(path) == models.Model(read_card(path), str(cache / 'original.pth'))


def test_huge_files_are_refused_unread(known, tmp_path):
    path = tmp_path / 'film.mkv'
    with open(path, 'wb') as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ModelError, match='1048576 MB; no ESPNet is larger than {}'.format(download.MAX_BYTES >> 20)):
        models.find(path)
    write_card(card('m', b'1'), known / 'm.yaml')
    with pytest.raises(ModelError, match='is not m: it has more than {} MB'.format(download.MAX_BYTES >> 20)):
        models.fetch('m', from_file=path)


def test_speed_of_what_nobody_trained(cache, tmp_path):
    card, network, weights = models.load_for_speed('enet')
    assert (card.name, card.architecture.family, weights) == ('enet', 'enet', 'random')
    assert (card.input_width, card.input_height, card.outputs) == (1024, 512, tuple(range(19)) + (255,))
    assert parameter_count(network) == 364_712 and not network.training
    path = tmp_path / 'mine.yaml'
    write_card(models.untrained('espnet', variant='espnet-c', alpha3=3, classes=19)._replace(name='mine'), path)
    card, network, weights = models.load_for_speed(path)
    assert (card.name, card.architecture.alpha3, len(card.outputs), weights) == ('mine', 3, 19, 'random')
    with pytest.raises(ModelError, match='has no weights beside it'):
        models.find(path)
    with pytest.raises(ModelError, match='no model is called'):
        models.find('enet')
