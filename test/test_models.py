"""Models by name and path; fetching from a server that misbehaves."""
import hashlib
import http.server
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from espnet_ros import labels, models
from espnet_ros.errors import ModelError
from espnet_ros.models import catalog, download
from espnet_ros.network import NetworkConfig, build, parameter_count
from espnet_ros.network.card import ModelCard, read_card, write_card
from espnet_ros.network.checkpoint import write_weights

CONTENT = random.Random(1).getrandbits(8 * 300_000).to_bytes(300_000, 'big')
AUTHORS = {
    'camvid-espnet-q8-authors': ('espnet/espnet_p_2_q_8_camvid.pth', 354_517),
    'cityscapes-espnet-c-q3': ('espnet_c/espnet_p_2_q_3.pth', 187_529),
    'cityscapes-espnet-c-q5': ('espnet_c/espnet_p_2_q_5.pth', 252_297),
    'cityscapes-espnet-c-q8': ('espnet_c/espnet_p_2_q_8.pth', 349_449),
    'cityscapes-espnet-q3': ('espnet/espnet_p_2_q_3.pth', 202_649),
    'cityscapes-espnet-q5': ('espnet/espnet_p_2_q_5.pth', 267_417),
    'cityscapes-espnet-q8': ('espnet/espnet_p_2_q_8.pth', 364_569),
}
TINY = NetworkConfig(variant='espnet-c', classes=11, alpha2=1, alpha3=1)


def card(name, content, source='', architecture=TINY):
    return ModelCard(
        name=name, description='', architecture=architecture, label_set=labels.CAMVID, outputs=tuple(range(11)),
        input_width=64, input_height=64, mean=(100.0,) * 3, std=(50.0,) * 3, divisor=1.0, license='MIT', source=source,
        training={}, results={}, weights=name + '.pth', sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for fetched models, which does not exist yet."""
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A folder of models that stands for the package's own."""
    folder = tmp_path / 'known'
    folder.mkdir()
    monkeypatch.setattr(catalog, 'models_directory', lambda: str(folder))
    return folder


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
    with pytest.raises(ModelError, match='1048576 MB; no ESPNet has more than {}'.format(download.MAX_BYTES >> 20)):
        models.find(path)
    write_card(card('m', b'1'), known / 'm.yaml')
    with pytest.raises(ModelError, match='is not m: it has more than {} MB'.format(download.MAX_BYTES >> 20)):
        models.fetch('m', from_file=path)


# Fetching

class Server(http.server.ThreadingHTTPServer):
    """Serves `content` the way the next entry of `plan` says, else in full; `asked` collects Range headers."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.content, self.plan, self.asked = CONTENT, [], []
        self.released = threading.Event()

    @property
    def address(self):
        return 'http://127.0.0.1:{}/weights.pth'.format(self.server_port)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get('Range')
        server.asked.append(asked)
        plan = server.plan.pop(0) if server.plan else 'whole'
        if isinstance(plan, int):
            return self.answer(plan, b'no')
        if plan == 'silent':
            server.released.wait(10)
            return None
        if plan.startswith('to '):
            return self.answer(302, b'', Location=plan[3:])
        begin = int(re.fullmatch(r'bytes=(\d+)-', asked).group(1)) if asked and plan != 'ignore range' else 0
        if begin >= len(server.content):
            return self.answer(416, b'')
        headers = {}
        if begin or plan == 'another part':
            first = 7 if plan == 'another part' else begin
            headers['Content-Range'] = 'bytes {}-{}/{}'.format(first, len(server.content) - 1, len(server.content))
        self.answer(206 if headers else 200, server.content[begin:], cut=plan == 'cut', slow=plan == 'slow',
                    chunked=plan == 'no length', **headers)
        return None

    def answer(self, code, body, cut=False, slow=False, chunked=False, **headers):
        self.send_response(code)
        if not chunked:
            self.send_header('Content-Length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        if slow:
            self.wfile.write(body[:100_000])
            self.wfile.flush()
            self.server.released.wait(60)
            return
        self.wfile.write(body[:len(body) // 2] if cut else body)


@pytest.fixture
def server(known, monkeypatch):
    """A server on this machine, and a model called 'm' that is fetched from it."""
    for name in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, 'WAITS', (0.0, 0.01, 0.01))
    monkeypatch.setattr(download, 'TIMEOUT', 0.5)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        write_card(card('m', CONTENT, server.address), known / 'm.yaml')
        yield server
        server.released.set()
        server.shutdown()


def left(cache):
    """Names in the cache that a user sees."""
    return sorted(p.name for p in cache.iterdir() if not p.name.startswith('.')) if cache.exists() else []


def test_fetch_with_progress(server, cache):
    seen = []
    model = models.fetch('m', lambda done, total: seen.append((done, total)))
    assert model.weights_path == str(cache / 'm.pth') and (cache / 'm.pth').read_bytes() == CONTENT
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (300_000, 300_000) and {total for _, total in seen} == {300_000}
    assert models.find('m') == model and models.entry('m').state == 'cached'
    assert models.fetch('m') == model and server.asked == [None]  # nothing is fetched twice
    assert left(cache) == ['m.pth']


@pytest.mark.parametrize('plan, asked', [
    (['cut'], [None, 'bytes=150000-']),
    (['cut', 'cut', 'cut'], [None, 'bytes=150000-', 'bytes=225000-', 'bytes=262500-']),
    (['cut', 'ignore range'], [None, 'bytes=150000-']),
    (['cut', 'another part'], [None, 'bytes=150000-', None]),
    ([503, 'cut', 429], [None, None, 'bytes=150000-', 'bytes=150000-']),
    (['silent', 'slow'], [None, None, 'bytes=100000-']),
    (['no length'], [None])])
def test_transfers_are_taken_up_again(server, cache, plan, asked):
    server.plan = plan
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT
    assert server.asked == asked and left(cache) == ['m.pth']


def test_another_call_goes_on_where_the_first_ended(server, cache):
    server.plan = ['cut', 503, 503, 503]
    with pytest.raises(ModelError, match='cannot fetch m from {}: the server answered 503 Service Unavailable; what '
                                         'came is kept; try again later'.format(server.address)):
        models.fetch('m')
    assert (cache / 'm.pth.partial').read_bytes() == CONTENT[:150_000]
    models.fetch('m')
    assert server.asked[-1] == 'bytes=150000-' and (cache / 'm.pth').read_bytes() == CONTENT


@pytest.mark.parametrize('partial, asked', [
    (CONTENT, []),  # killed before it was renamed
    (b'x' * 1000, ['bytes=1000-', None]),  # the file at the source is another one by now
    (CONTENT + b'x', ['bytes=300001-', None]),
    (b'x' * 300_000, ['bytes=300000-', None])])
def test_what_lies_there_from_before(server, cache, partial, asked):
    cache.mkdir()
    (cache / 'm.pth.partial').write_bytes(partial)
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT and server.asked == asked and left(cache) == ['m.pth']


def test_a_damaged_cache_is_mended(server, cache):
    cache.mkdir()
    (cache / 'm.pth').write_bytes(CONTENT[:-1])
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT


def test_another_file_is_discarded(server, cache):
    server.content = b'<html>Please log in</html>'
    with pytest.raises(ModelError, match='is not m: the 26 bytes that came have the SHA-256 {}, .* says {}'.format(
            hashlib.sha256(server.content).hexdigest(), hashlib.sha256(CONTENT).hexdigest())):
        models.fetch('m')
    assert left(cache) == [] and server.asked == [None]


def test_a_missing_file_is_not_asked_for_again(server, cache):
    server.plan = [404]
    with pytest.raises(ModelError, match='cannot fetch {}: the server answered 404 Not Found'.format(server.address)):
        models.fetch('m')
    assert server.asked == [None]


@pytest.mark.parametrize('plan, reason', [('silent', 'timed out'), ('cut', 'the connection broke after 0 of 1 bytes')])
def test_dead_servers_end_in_a_sentence(server, plan, reason):
    server.content, server.plan = b'x', [plan] * 4
    with pytest.raises(ModelError, match='cannot fetch m from .*: {}; what came'.format(reason)):
        models.fetch('m')
    assert len(server.asked) == 4


def test_no_server_at_all(server, known):
    write_card(card('gone', b'1', 'http://127.0.0.1:1/x'), known / 'gone.yaml')
    with pytest.raises(ModelError, match='cannot fetch gone .*: Connection refused; what came is kept; try again '
                                         'later, or give the file with --from FILE'):
        models.fetch('gone')


def test_too_large_a_file_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(download, 'MAX_BYTES', 200_000)
    with pytest.raises(ModelError, match='no ESPNet is as large'):
        models.fetch('m')
    assert left(cache) == []


@pytest.mark.parametrize('address', [
    'file:///etc/passwd', 'ftp://127.0.0.1/x', 'http://example.com/x', 'data:,x', 'x', 'https://', 'http://[::1/x'])
def test_addresses_that_are_refused(server, known, address):
    write_card(card('odd', b'1', address), known / 'odd.yaml')
    with pytest.raises(ModelError, match='is no address to fetch a model from; it must begin with https://'):
        models.fetch('odd')


@pytest.mark.parametrize('address', ['file:///etc/passwd', 'ftp://127.0.0.1/x', 'http://example.com/x', 'http://[::1/x'])
def test_redirects_are_held_to_the_same_rule(server, cache, address):
    server.plan = ['to ' + address] * 4
    with pytest.raises(ModelError):
        models.fetch('m')
    assert left(cache) == []


def test_redirects_are_followed(server, cache):
    server.plan = ['to /elsewhere']
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT


def test_the_environments_proxy_is_used(server, cache, known, monkeypatch):
    write_card(card('p', CONTENT, 'http://localhost:1/behind/proxy'), known / 'p.yaml')
    monkeypatch.setenv('http_proxy', server.address)
    monkeypatch.delenv('no_proxy', raising=False)
    models.fetch('p')
    assert (cache / 'p.pth').read_bytes() == CONTENT and server.asked == [None]


def test_model_without_source(server, known):
    write_card(card('own', b'1'), known / 'own.yaml')
    with pytest.raises(ModelError, match='own names no source; give its weights with --from FILE'):
        models.fetch('own')


def test_fetch_from_file(server, cache, known, tmp_path):
    given = tmp_path / 'from a stick.bin'
    given.write_bytes(CONTENT)
    assert models.fetch('m', from_file=given).weights_path == str(cache / 'm.pth')
    assert (cache / 'm.pth').read_bytes() == CONTENT and given.read_bytes() == CONTENT and server.asked == []
    write_card(card('other', b'2'), known / 'other.yaml')
    with pytest.raises(ModelError, match=r'is not other: its SHA-256 is \w{64} \(that of m\), the card says \w{64}$'):
        models.fetch('other', from_file=given)
    with pytest.raises(ModelError, match="there is no file '{}' to take the weights of other from".format(tmp_path)):
        models.fetch('other', from_file=tmp_path)
    assert left(cache) == ['m.pth']


def test_shipped_models_need_no_fetching(known, cache):
    write_card(card('here', b'1'), known / 'here.yaml')
    (known / 'here.pth').write_bytes(b'1')
    assert models.fetch('here').weights_path == str(known / 'here.pth')
    assert not cache.exists()


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'file' / 'cache'))
    with pytest.raises(ModelError, match="cannot write '{}/file/cache/.lock': Not a directory; make room there or set "
                                         'ESPNET_ROS_CACHE'.format(tmp_path)):
        models.fetch('m')


def test_a_full_disk_is_named(server, cache, tmp_path):
    given = tmp_path / 'given'
    given.write_bytes(CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for from_file in (None, given):
            with pytest.raises(ModelError, match="cannot write '.*/m.pth.partial': File too large; make room there"):
                models.fetch('m', from_file=from_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT


def test_fetches_at_the_same_time_wait_for_each_other(server, cache):
    server.plan = ['cut']
    results = []
    threads = [threading.Thread(target=lambda: results.append(models.fetch('m').weights_path)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [str(cache / 'm.pth')] * 5
    assert (cache / 'm.pth').read_bytes() == CONTENT and server.asked == [None, 'bytes=150000-']


def test_an_interrupted_fetch_keeps_what_came(server, cache, known):
    server.plan = ['slow']
    program = ('import sys\nfrom espnet_ros.cli import main\nfrom espnet_ros.models import catalog\n'
               'catalog.models_directory = lambda: {!r}\nsys.exit(main(["models", "fetch", "m"]))').format(str(known))
    process = subprocess.Popen([sys.executable, '-c', program], stderr=subprocess.PIPE, universal_newlines=True)
    partial = cache / 'm.pth.partial'
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, 'espnet-ros: interrupted\n')
    size = partial.stat().st_size
    assert 0 < size <= 100_000 and partial.read_bytes() == CONTENT[:size]
    models.fetch('m')
    assert server.asked == [None, 'bytes={}-'.format(size)] and (cache / 'm.pth').read_bytes() == CONTENT
