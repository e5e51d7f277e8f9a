"""Diagnostics as text that Prometheus collects."""
import math
import threading
import time

from espnet_ros.errors import EspnetError

_FRESH_SECONDS = 5.0
"""What nobody has said for so long is left out: a dead node must not look steady."""
_MOST = 500
"""Statuses kept, whatever publishes diagnostics on this robot."""


class Exporter:
    """Serves the newest statuses at http://ADDRESS:PORT/metrics.

    espnet_diagnostics_level{status}: 0 OK, 1 WARN, 2 ERROR, 3 STALE. espnet_diagnostics_value{status, key}: each value
    that is a number, with its unit in the key.
    """

    def __init__(self, port, address):
        """Raises EspnetError without the package prometheus_client, or when the address cannot be used."""
        try:
            from prometheus_client import CollectorRegistry, start_http_server
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
            self._server = start_http_server(port, addr=address, registry=registry)
        except (OSError, OverflowError) as error:
            raise EspnetError('Prometheus cannot be served at {}:{} ({}); choose another prometheus_port or '
                              'prometheus_address'.format(address, port, getattr(error, 'strerror', None) or error))

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
        """Free the port."""
        if isinstance(self._server, tuple):  # older releases leave the server to the program's end
            server = self._server[0]
            server.shutdown()
            server.server_close()

    def _forget(self, now):
        for name in [name for name, (then, _) in self._statuses.items() if now - then > _FRESH_SECONDS]:
            del self._statuses[name]


def _numbers(values):
    for key, text in values:
        try:
            number = float(text)
        except ValueError:
            continue
        if math.isfinite(number):
            yield key, number
