"""Diagnostics as Prometheus reads them."""
import contextlib
import socket
import sys
import threading
import urllib.error
import urllib.request

import psutil
import pytest
from ros_process import wait_until

from espnet_ros.diagnostics import prometheus
from espnet_ros.diagnostics.prometheus import Exporter
from espnet_ros.diagnostics.status import Status
from espnet_ros.errors import EspnetError

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
    exporter = Exporter(0, '127.0.0.1')
    yield exporter
    exporter.close()


def scrape(port):
    with urllib.request.urlopen('http://127.0.0.1:{}/metrics'.format(port), timeout=10) as answer:
        return [line for line in answer.read().decode().splitlines() if not line.startswith('#')]


def test_levels_and_numbers(exporter):
    exporter.update(STATUSES)
    assert sorted(scrape(exporter.port)) == [
        'espnet_diagnostics_level{status="espnet: Latency"} 1.0',
        'espnet_diagnostics_level{status="robot: \\"CPU\\"\\n"} 0.0',
        'espnet_diagnostics_value{key="core 0 (%)",status="robot: \\"CPU\\"\\n"} 20.0',
        'espnet_diagnostics_value{key="stamp to output p95 (ms)",status="espnet: Latency"} 123.4']


def test_the_newest_counts_and_the_silent_are_forgotten(exporter, monkeypatch):
    exporter.update(STATUSES)
    exporter.update([STATUSES[0]._replace(level=2, values=())])
    assert 'espnet_diagnostics_level{status="espnet: Latency"} 2.0' in scrape(exporter.port)
    now = prometheus.time.monotonic()
    monkeypatch.setattr(prometheus.time, 'monotonic', lambda: now + 6.0)
    exporter.update(STATUSES[1:])
    assert not any('Latency' in line for line in scrape(exporter.port))


def test_no_robot_fills_the_memory(exporter):
    exporter.update([STATUSES[0]._replace(name=str(i)) for i in range(2000)])
    assert sum('_level{' in line for line in scrape(exporter.port)) == 500


def test_it_listens_where_it_is_told_and_frees_the_port():
    pytest.importorskip('prometheus_client')
    port = free_port()
    exporter = Exporter(port, '127.0.0.1')
    assert exporter._server.server_address == ('127.0.0.1', port)
    with pytest.raises(EspnetError, match='Prometheus cannot be served at 127.0.0.1:{} .*choose another'.format(port)):
        Exporter(port, '127.0.0.1')
    exporter.close()
    with pytest.raises(urllib.error.URLError):
        scrape(port)
    Exporter(port, '127.0.0.1').close()


def test_many_readers_at_once_all_get_everything(exporter):
    exporter.update(STATUSES)
    found = []

    def read():
        found.extend(len(scrape(exporter.port)) for _ in range(20))
    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [4] * 80


@pytest.mark.slow
def test_readers_that_never_ask_take_few_threads_and_not_for_long(exporter, monkeypatch):
    monkeypatch.setattr(prometheus, '_DEADLINE', 1.0)
    before = threading.active_count()
    idle = [socket.create_connection(('127.0.0.1', exporter.port)) for _ in range(40)]
    for connection in idle:
        connection.sendall(b'GET /metrics HTTP/1.1\r\n')
    wait_until(lambda: threading.active_count() > before)
    assert threading.active_count() <= before + prometheus._READERS
    exporter.update(STATUSES)

    def answers():
        try:
            return scrape(exporter.port)
        except OSError:
            return None  # it was one too many
    assert len(wait_until(answers)) == 4
    wait_until(lambda: threading.active_count() <= before)
    for connection in idle:
        connection.close()


def test_a_reader_that_dribbles_is_cut_off(exporter, monkeypatch):
    monkeypatch.setattr(prometheus, '_DEADLINE', 1.0)
    with socket.create_connection(('127.0.0.1', exporter.port), 10) as connection:
        def is_cut_off():
            try:
                connection.sendall(b'G')
            except OSError:
                return True
        wait_until(is_cut_off)
    exporter.update(STATUSES)
    assert len(scrape(exporter.port)) == 4


@pytest.mark.parametrize('request_bytes, answer', [
    (b'\x00\xff what?\r\n\r\n', b'400'), (b'GET ' + b'x' * 99999 + b' HTTP/1.1\r\n', b'414'),
    (b'POST /metrics HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n', b'405'),
    (b'GET / HTTP/1.0\r\n' + b'A: b\r\n' * 999 + b'\r\n', b'431'), (b'', b'')],
    ids=['garbage', 'long', 'POST', 'headers', 'nothing'])
def test_nonsense_is_refused_in_silence(exporter, capfd, request_bytes, answer):
    # The server may close the connection before it has read everything.
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', exporter.port), 10) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        assert answer in connection.recv(65536)
    exporter.update(STATUSES)
    assert len(scrape(exporter.port)) == 4 and capfd.readouterr() == ('', '')


def test_closing_while_somebody_reads(exporter):
    other = Exporter(0, '127.0.0.1')
    with socket.create_connection(('127.0.0.1', other.port)) as connection:
        connection.sendall(b'GET /metrics HTTP/1.1\r\n')
        other.close()
        assert not [c for c in psutil.Process().net_connections('tcp')
                    if c.status == psutil.CONN_LISTEN and c.laddr.port == other.port]


@pytest.mark.parametrize('address', ['no.such.host.invalid', '203.0.113.7', 'a b', ''])
def test_a_wrong_address_is_a_sentence(address):
    pytest.importorskip('prometheus_client')
    with pytest.raises(EspnetError, match='Prometheus cannot be served at {}:'.format(address)):
        Exporter(free_port(), address)


def test_without_the_package_it_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'prometheus_client', None)
    with pytest.raises(EspnetError, match='pip install prometheus_client, or set prometheus_port to 0'):
        Exporter(9100, '127.0.0.1')
