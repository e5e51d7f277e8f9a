"""Diagnostics as metrics for Prometheus."""
import contextlib
import math
import socket
import socketserver
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from espnet_ros.errors import EspnetError

_FRESH_SECONDS = 5.0
"""A status not published for this long is left out: a node that has ended must not look healthy."""
_MOST = 500
"""Maximum number of statuses, whatever publishes diagnostics."""
_READERS = 16
"""Connections served at a time; further ones wait for a moment, then they are refused."""
_DEADLINE = 5.0
"""Seconds within which a connection must have sent its request and read the answer."""


class Exporter:
    """Serves the newest statuses at http://ADDRESS:PORT/metrics, by prometheus_client's WSGI application.

    espnet_diagnostics_level{status}: 0 OK, 1 WARN, 2 ERROR, 3 STALE. espnet_diagnostics_value{status, key}: each value
    that is a number, with its unit in the key.
    """

    def __init__(self, port, address):
        """Raises EspnetError without the package prometheus_client, or when the address cannot be used."""
        try:
            from prometheus_client import CollectorRegistry, make_wsgi_app
            from prometheus_client.core import GaugeMetricFamily
        except ImportError:
            raise EspnetError('prometheus_port is set, but the package prometheus_client is missing; '
                              'pip install prometheus_client, or set prometheus_port to 0')
        self._family = GaugeMetricFamily
        self._lock = threading.Lock()
        self._statuses = {}
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server = _Server(address, port)
        except (OSError, OverflowError, UnicodeError) as error:
            raise EspnetError('Prometheus cannot be served at {}:{} ({}); choose another prometheus_port or '
                              'prometheus_address'.format(address, port, getattr(error, 'strerror', None) or error))
        self._server.set_app(make_wsgi_app(registry))
        threading.Thread(target=self._server.serve_forever, name='prometheus', daemon=True).start()

    @property
    def port(self):
        """The TCP port, also where 0 was asked for."""
        return self._server.server_port

    def update(self, statuses):
        """Take the newest telemetry.status.Status values, of any node."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            for status in statuses:
                if status.name in self._statuses or len(self._statuses) < _MOST:
                    self._statuses[status.name] = now, status

    def collect(self):
        """Yield the metrics; prometheus_client calls it."""
        with self._lock:
            self._forget(time.monotonic())
            statuses = [status for _, status in self._statuses.values()]
        levels = self._family('espnet_diagnostics_level', '0 OK, 1 WARN, 2 ERROR, 3 STALE.', labels=('status',))
        values = self._family('espnet_diagnostics_value', 'Numbers of diagnostics.', labels=('status', 'key'))
        for status in statuses:
            levels.add_metric((status.name,), status.level)
            for key, number in dict(_numbers(status.values)).items():
                values.add_metric((status.name, key), number)
        return [levels, values]

    def close(self):
        """Free the port; what is being answered goes on."""
        self._server.shutdown()
        self._server.server_close()

    def _forget(self, now):
        for name in [name for name, (then, _) in self._statuses.items() if now - then > _FRESH_SECONDS]:
            del self._statuses[name]


class _Handler(WSGIRequestHandler):
    """Answers one request, and logs nothing."""

    def log_message(self, *_):
        pass


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Serves with a bounded number of threads, each for a bounded time.

    Not prometheus_client.start_http_server: it starts a thread for each connection and waits without limit; 300 clients
    that stop in the middle of a request keep 300 threads.
    """

    daemon_threads = True

    def __init__(self, address, port):
        self.address_family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        self._free = threading.Semaphore(_READERS)
        self._open = {}
        super().__init__((address, port), _Handler)

    def verify_request(self, request, client_address):
        return self._free.acquire(timeout=0.1)

    def process_request_thread(self, request, client_address):
        self._open[request] = time.monotonic()
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._open[request]
            self._free.release()

    def service_actions(self):
        """Cut off connections past the deadline; serve_forever calls it twice a second."""
        for request, began in list(self._open.items()):
            if time.monotonic() - began > _DEADLINE:
                with contextlib.suppress(OSError):  # it has just ended by itself
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """Log nothing: the client has gone, or was too slow."""


def _numbers(values):
    for key, text in values:
        try:
            number = float(text)
        except ValueError:
            continue
        if math.isfinite(number):
            yield key, number
