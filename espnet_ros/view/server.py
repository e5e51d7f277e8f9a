"""HTTP and WebSocket server of the live page."""
import contextlib
import errno
import http
import json
import pathlib
import struct
import threading
import time
import urllib.parse
from socket import gaierror

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from espnet_ros.errors import ParameterError
from espnet_ros.view.frames import OUTPUTS

PORTS = range(8080, 8090)
"""Tried one after the other when no port is asked for."""
MAX_VIEWERS = 8
"""Further browsers are refused: each takes a thread and the bandwidth of a video."""
MAX_MESSAGE = 1024
"""Bytes of a browser's message."""
STATE_SECONDS = 0.5
LOOPBACK = ('127.0.0.1', 'localhost', '::1')
_PAGE = pathlib.Path(__file__).with_name('page.html')
_POLICY = ("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:; "
           "connect-src 'self'")


class PageServer:
    """Serves the page, frames and state to browsers; a context manager.

    store: a frames.FrameStore. state: returns what else the page shows (state.page_state), as plain data. host: the
    address to listen on. port: None for the first free one of PORTS. Raises ParameterError when there is none.

    A browser asks for each frame when it has drawn the one before, so that a slow link skips frames instead of
    showing old ones. On loopback, requests under another host name are refused (DNS rebinding).
    """

    def __init__(self, store, state, host='127.0.0.1', port=None):
        self._store = store
        self._state = state
        self._host = host
        self._places = threading.BoundedSemaphore(MAX_VIEWERS)
        self._closing = threading.Event()
        self._server = self._bind(PORTS if port is None else [port])
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name='page', daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._server.shutdown()
        self._thread.join()

    @property
    def address(self):
        """The page's address, as a user types it."""
        host = 'localhost' if self._host in (*LOOPBACK, '', '0.0.0.0', '::') else self._host
        return 'http://{}:{}'.format('[{}]'.format(host) if ':' in host else host, self.port)

    def _bind(self, ports):
        for port in ports:
            try:
                return serve(self._serve, self._host, port, process_request=self._respond, max_size=MAX_MESSAGE,
                             compression=None, server_header=None, close_timeout=1.0)
            except (OSError, OverflowError) as error:
                problem = error
        is_host = isinstance(problem, gaierror) or getattr(problem, 'errno', None) == errno.EADDRNOTAVAIL
        raise ParameterError('the page cannot be served on {} port {}: {}; choose another with --{}'.format(
            self._host, ports[0] if len(ports) == 1 else '{} to {}'.format(ports[0], ports[-1]),
            getattr(problem, 'strerror', None) or problem, 'host' if is_host else 'port'))

    def _respond(self, connection, request):
        """Answer a plain HTTP request; None lets a WebSocket be opened."""
        host = request.headers.get('Host', '')
        name = urllib.parse.urlsplit('//' + host).hostname
        if self._host in LOOPBACK and name not in LOOPBACK:
            return connection.respond(http.HTTPStatus.FORBIDDEN, 'open {}\n'.format(self.address))
        if request.path == '/':
            response = connection.respond(http.HTTPStatus.OK, _PAGE.read_text(encoding='utf-8'))
            del response.headers['Content-Type']
            response.headers['Content-Type'] = 'text/html; charset=utf-8'
            response.headers['Content-Security-Policy'] = _POLICY
            response.headers['Cache-Control'] = 'no-store'
            return response
        if request.path != '/live':
            return connection.respond(http.HTTPStatus.NOT_FOUND, 'there is only {}\n'.format(self.address))
        origin = request.headers.get('Origin')
        if origin is not None and urllib.parse.urlsplit(origin).netloc != host:
            return connection.respond(http.HTTPStatus.FORBIDDEN, 'another page cannot read this one\n')
        return None

    def _serve(self, socket):
        if not self._places.acquire(blocking=False):
            socket.close(1013, '{} browsers look already'.format(MAX_VIEWERS))
            return
        try:
            with self._store.viewer() as choice, contextlib.suppress(ConnectionClosed):
                self._show(socket, choice)
        finally:
            self._places.release()

    def _show(self, socket, choice):
        """Send states at a steady rate, and a frame for each request."""
        number, is_asked, due = 0, False, 0.0
        while not self._closing.is_set():
            if time.monotonic() >= due:
                socket.send(json.dumps(self._state()))
                due = time.monotonic() + STATE_SECONDS
            try:
                output = _output(socket.recv(timeout=0.0 if is_asked else 0.1))
                if output != choice['output']:
                    choice['output'], number = output, 0
                is_asked = True
            except TimeoutError:
                pass
            frame = self._store.newer(choice['output'], number, 0.1) if is_asked else None
            if frame is not None:
                socket.send(struct.pack('<dI', frame.stamp, len(frame.camera)) + frame.camera + frame.output)
                number, is_asked = frame.number, False


def _output(message):
    """Return the output that a browser's message asks for; the first one where it makes no sense."""
    try:
        output = json.loads(message)['output']
    except (ValueError, KeyError, TypeError, RecursionError):
        return OUTPUTS[0]
    return output if output in OUTPUTS else OUTPUTS[0]
