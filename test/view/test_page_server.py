"""The live page's server: what browsers get, how slow ones are treated, and who is refused."""
import contextlib
import json
import struct
import threading
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from espnet_ros.errors import ParameterError
from espnet_ros.view.frames import OUTPUTS, FrameStore
from espnet_ros.view.server import MAX_VIEWERS, PageServer


@pytest.fixture
def store():
    return FrameStore()


@pytest.fixture
def server(store):
    with PageServer(store, lambda: {'node': '/espnet'}, port=0) as running:
        yield running


def live(server, **options):
    return connect(server.address.replace('http', 'ws') + '/live', max_size=None, proxy=None, **options)


def ask(socket, output='overlay'):
    socket.send(json.dumps({'output': output}))


def frame(socket):
    """The next frame: stamp, camera image, result; states that come before it are passed over."""
    while True:
        message = socket.recv(timeout=120)
        if isinstance(message, bytes):
            stamp, size = struct.unpack_from('<dI', message)
            return stamp, message[12:12 + size], message[12 + size:]


def states(socket, count):
    found = []
    while len(found) < count:
        message = socket.recv(timeout=120)
        assert isinstance(message, str)
        found.append(json.loads(message))
    return found


def test_the_page_is_whole_and_asks_for_nothing_else(server):
    with urllib.request.urlopen(server.address) as answer:
        text = answer.read().decode()
        assert answer.headers.get_all('Content-Type') == ['text/html; charset=utf-8']
        assert "default-src 'none'" in answer.headers['Content-Security-Policy']
    assert text.startswith('<!DOCTYPE html>') and 'http://' not in text and 'https://' not in text


@pytest.mark.parametrize('path, headers, code', [
    ('/', {'Host': 'evil.example'}, 403), ('/', {'Host': ''}, 403), ('/etc/passwd', {}, 404),
    ('/../server.py', {}, 404), ('/live', {}, 426)])
def test_what_is_refused(server, path, headers, code):
    request = urllib.request.Request(server.address + path, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        assert answer.code == code


def test_other_pages_cannot_read_it(server):
    with pytest.raises(InvalidStatus, match='403'):
        live(server, origin='http://evil.example')
    with live(server, origin=server.address):
        pass


def test_a_browser_gets_the_newest_frame_for_each_request(server, store):
    with live(server) as socket:
        assert states(socket, 2) == 2 * [{'node': '/espnet'}]  # without a request, states only
        store.put('overlay', 1.5, b'camera 1', b'result 1')
        ask(socket)
        assert frame(socket) == (1.5, b'camera 1', b'result 1')
        for number in range(2, 9):
            store.put('overlay', number, b'', b'result %d' % number)
        ask(socket)
        assert frame(socket) == (8.0, b'', b'result 8')
        ask(socket)  # nothing newer: answered when there is
        store.put('color', 9, b'', b'another output')
        store.put('overlay', 9.25, b'', b'result 9')
        assert frame(socket) == (9.25, b'', b'result 9')


def test_a_browser_chooses_the_output(server, store):
    with live(server) as socket:
        states(socket, 1)
        assert store.wanted == {'overlay'}
        ask(socket, 'mask/human')
        store.put('mask/human', 3, b'c', b'm')
        assert frame(socket) == (3, b'c', b'm') and store.wanted == {'mask/human'}
        with live(server) as other:
            states(other, 1)
            assert store.wanted == {'overlay', 'mask/human'}
    for _ in range(100):
        if not store.wanted:
            break
        threading.Event().wait(0.1)
    assert store.wanted == set()


@pytest.mark.parametrize('message', ['', '{', '[]', '{"output": 1}', '{"output": "../x"}', '[' * 1000, b'\xff\x00'])
def test_nonsense_asks_for_the_first_output(server, store, message):
    with live(server) as socket:
        socket.send(message)
        store.put(OUTPUTS[0], 1, b'', b'first')
        assert frame(socket)[2] == b'first'


def test_long_messages_and_too_many_browsers_are_refused(server, store):
    with live(server) as socket:
        socket.send('x' * 2000)
        with pytest.raises(ConnectionClosed, match='1009'):
            while True:
                socket.recv(timeout=120)
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_VIEWERS):
            states(stack.enter_context(live(server)), 1)
        with live(server) as one_more, pytest.raises(ConnectionClosed, match='browsers'):
            one_more.recv(timeout=120)


def test_a_port_in_use_is_a_sentence(server, store):
    with pytest.raises(ParameterError, match='on 127.0.0.1 port {}: .*--port'.format(server.port)):
        PageServer(store, dict, port=server.port)
    with pytest.raises(ParameterError, match='port 99999'):
        PageServer(store, dict, port=99999)


def test_the_end_of_the_program_closes_what_is_open(store):
    with contextlib.ExitStack() as stack:
        with PageServer(store, dict, port=0) as server:
            socket = stack.enter_context(live(server))
            states(socket, 1)
        with pytest.raises(ConnectionClosed):
            while True:
                socket.recv(timeout=120)
