"""Fetching models from a server that misbehaves."""
import hashlib
import http.server
import random
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
from model_cards import card

from espnet_ros import models
from espnet_ros.errors import ModelError
from espnet_ros.models import download
from espnet_ros.models.card import write_card

CONTENT = random.Random(1).getrandbits(8 * 300_000).to_bytes(300_000, 'big')


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` the way the next entry of `plan` says, else in full; `asked` counts."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.content, self.plan, self.asked, self.reason = CONTENT, [], 0, None
        self.released = threading.Event()

    @property
    def address(self):
        return 'http://127.0.0.1:{}/weights.pth'.format(self.server_port)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.asked += 1
        plan = server.plan.pop(0) if server.plan else 'whole'
        if isinstance(plan, int):
            return self.answer(plan, b'no')
        if plan == 'silent':
            server.released.wait(10)
            return None
        if plan.startswith('to '):
            return self.answer(302, b'', Location=plan[3:])
        if plan == 'dribble':
            return self.dribble()
        if plan.startswith('length '):
            return self.answer(200, server.content, length=plan[7:])
        self.answer(200, server.content, cut=plan == 'cut', slow=plan == 'slow', chunked=plan == 'no length')
        return None

    def dribble(self):
        """A byte now and then, for longer than anybody waits."""
        self.send_response(200)
        self.end_headers()
        while not self.server.released.wait(0.05):
            self.wfile.write(b'x')
            self.wfile.flush()

    def answer(self, code, body, cut=False, slow=False, chunked=False, length=None, **headers):
        self.send_response(code, self.server.reason)
        if not chunked:
            self.send_header('Content-Length', length or str(len(body)))
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
    assert models.fetch('m') == model and server.asked == 1  # nothing is fetched twice
    assert left(cache) == ['m.pth']


@pytest.mark.parametrize('plan', [
    ['cut'], ['cut', 'cut', 'cut'], [503, 'cut', 429], ['silent', 'slow'], ['no length'], ['length ²'],
    ['length ' + '9' * 5000, 'length -1']])
def test_transfers_are_tried_again(server, cache, plan):
    server.plan = list(plan)
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT and left(cache) == ['m.pth']
    assert server.asked <= len(plan) + 1


def test_a_server_that_never_ends_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(download, 'TOTAL_SECONDS', 0.5)
    server.plan = ['dribble']
    with pytest.raises(ModelError, match='cannot fetch m from {}: it takes longer than 0 s; try again later, or give '
                                         'the file with --from FILE'.format(server.address)):
        models.fetch('m')
    assert left(cache) == []


@pytest.mark.parametrize('code, asked', [(404, 1), (503, 4)])
def test_words_of_the_server_do_not_reach_the_terminal(server, code, asked):
    server.plan, server.reason = [code] * 4, 'Gone \x1b[2J\x07'
    with pytest.raises(ModelError, match='the server answered {}'.format(code)) as caught:
        models.fetch('m')
    assert str(caught.value).isprintable() and 'Gone' not in str(caught.value) and server.asked == asked


def test_nothing_is_written_through_symbolic_links(server, cache, tmp_path):
    cache.mkdir()
    precious = tmp_path / 'precious'
    precious.write_bytes(b'kept')
    for name in ('m.pth.partial', 'm.pth'):
        (cache / name).symlink_to(precious)
    models.fetch('m')
    assert precious.read_bytes() == b'kept' and (cache / 'm.pth').read_bytes() == CONTENT
    assert not (cache / 'm.pth').is_symlink()
    (cache / 'm.pth').unlink()
    (cache / '.lock').unlink()
    (cache / '.lock').symlink_to(precious)
    with pytest.raises(ModelError, match="cannot write '.*/.lock': "):
        models.fetch('m')


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
    assert left(cache) == [] and server.asked == 1


def test_a_missing_file_is_not_asked_for_again(server, cache):
    server.plan = [404]
    with pytest.raises(ModelError, match='cannot fetch {}: the server answered 404 Not Found'.format(server.address)):
        models.fetch('m')
    assert server.asked == 1


@pytest.mark.slow
@pytest.mark.parametrize('plan, reason', [
    ('silent', 'timed out'), ('cut', r'(the connection broke|IncompleteRead.0 bytes read, 1 more).*')])
def test_dead_servers_end_in_a_sentence(server, plan, reason):
    server.content, server.plan = b'x', [plan] * 4
    with pytest.raises(ModelError, match='cannot fetch m from .*: {}; try again later'.format(reason)):
        models.fetch('m')
    assert server.asked == 4


def test_no_server_at_all(server, known):
    write_card(card('gone', b'1', 'http://127.0.0.1:1/x'), known / 'gone.yaml')
    with pytest.raises(ModelError, match='cannot fetch gone .*Connection refused; try again later, or '
                                         'give the file with --from FILE'):
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
    assert (cache / 'p.pth').read_bytes() == CONTENT and server.asked == 1


def test_model_without_source(server, known):
    write_card(card('own', b'1'), known / 'own.yaml')
    with pytest.raises(ModelError, match='own names no source; give its weights with --from FILE'):
        models.fetch('own')


def test_fetch_from_file(server, cache, known, tmp_path):
    given = tmp_path / 'from a stick.bin'
    given.write_bytes(CONTENT)
    assert models.fetch('m', from_file=given).weights_path == str(cache / 'm.pth')
    assert (cache / 'm.pth').read_bytes() == CONTENT and given.read_bytes() == CONTENT and server.asked == 0
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
    with pytest.raises(ModelError, match="cannot write '{}/file/cache/.lock': Not a directory; free space there or set "
                                         'ESPNET_ROS_CACHE'.format(tmp_path)):
        models.fetch('m')


def test_a_full_disk_is_named(server, cache, tmp_path):
    given = tmp_path / 'given'
    given.write_bytes(CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for from_file in (None, given):
            with pytest.raises(ModelError, match="cannot write '.*/m.pth': File too large; free space there"):
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
        thread.join(120)
    assert results == [str(cache / 'm.pth')] * 5
    assert (cache / 'm.pth').read_bytes() == CONTENT and server.asked == 2


@pytest.mark.slow
def test_an_interrupted_fetch_leaves_nothing(server, cache, known):
    server.plan = ['slow']
    program = ('import sys\nfrom espnet_ros.cli import main\nfrom espnet_ros.models import catalog\n'
               'catalog.models_directory = lambda: {!r}\nsys.exit(main(["models", "fetch", "m"]))').format(str(known))
    process = subprocess.Popen([sys.executable, '-c', program], stderr=subprocess.PIPE, universal_newlines=True)
    deadline = time.monotonic() + 60
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, 'espnet-ros: interrupted\n')
    assert left(cache) == []
    models.fetch('m')
    assert (cache / 'm.pth').read_bytes() == CONTENT
