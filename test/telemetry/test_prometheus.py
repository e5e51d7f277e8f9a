"""Diagnostics as Prometheus reads them."""
import socket
import sys
import urllib.error
import urllib.request

import pytest

from espnet_ros.errors import EspnetError
from espnet_ros.telemetry import prometheus
from espnet_ros.telemetry.prometheus import Exporter
from espnet_ros.telemetry.status import Status

STATUSES = [
    Status('espnet: Latency', 1, 'late', (('stamp to output p95 (ms)', '123.4'), ('model', 'espnet-c'), ('n', 'nan'))),
    Status('robot: "CPU"\n', 0, '20%', (('core 0 (%)', '20'), ('core 1 (%)', 'off')))]


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


@pytest.fixture
def exporter():
    pytest.importorskip('prometheus_client')
    exporter = Exporter(free_port(), '127.0.0.1')
    yield exporter
    exporter.close()


def scrape(port):
    with urllib.request.urlopen('http://127.0.0.1:{}/metrics'.format(port), timeout=10) as answer:
        return [line for line in answer.read().decode().splitlines() if not line.startswith('#')]


def port_of(exporter):
    return exporter._server[0].server_port


def test_levels_and_numbers(exporter):
    exporter.update(STATUSES)
    assert sorted(scrape(port_of(exporter))) == [
        'espnet_diagnostics_level{status="espnet: Latency"} 1.0',
        'espnet_diagnostics_level{status="robot: \\"CPU\\"\\n"} 0.0',
        'espnet_diagnostics_value{key="core 0 (%)",status="robot: \\"CPU\\"\\n"} 20.0',
        'espnet_diagnostics_value{key="stamp to output p95 (ms)",status="espnet: Latency"} 123.4']


def test_the_newest_counts_and_the_silent_are_forgotten(exporter, monkeypatch):
    exporter.update(STATUSES)
    exporter.update([STATUSES[0]._replace(level=2, values=())])
    assert 'espnet_diagnostics_level{status="espnet: Latency"} 2.0' in scrape(port_of(exporter))
    now = prometheus.time.monotonic()
    monkeypatch.setattr(prometheus.time, 'monotonic', lambda: now + 6.0)
    exporter.update(STATUSES[1:])
    assert not any('Latency' in line for line in scrape(port_of(exporter)))


def test_no_robot_fills_the_memory(exporter):
    exporter.update([STATUSES[0]._replace(name=str(i)) for i in range(2000)])
    assert sum('_level{' in line for line in scrape(port_of(exporter))) == 500


def test_it_listens_where_it_is_told_and_frees_the_port():
    pytest.importorskip('prometheus_client')
    port = free_port()
    exporter = Exporter(port, '127.0.0.1')
    assert exporter._server[0].server_address == ('127.0.0.1', port)
    with pytest.raises(EspnetError, match='Prometheus cannot be served at 127.0.0.1:{} .*choose another'.format(port)):
        Exporter(port, '127.0.0.1')
    exporter.close()
    with pytest.raises(urllib.error.URLError):
        scrape(port)
    Exporter(port, '127.0.0.1').close()


@pytest.mark.parametrize('address', ['no.such.host.invalid', '203.0.113.7', 'a b', ''])
def test_a_wrong_address_is_a_sentence(address):
    pytest.importorskip('prometheus_client')
    with pytest.raises(EspnetError, match='Prometheus cannot be served at {}:'.format(address)):
        Exporter(free_port(), address)


def test_without_the_package_it_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'prometheus_client', None)
    with pytest.raises(EspnetError, match='pip install prometheus_client, or set prometheus_port to 0'):
        Exporter(9100, '127.0.0.1')
