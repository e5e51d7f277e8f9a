"""Faults around the diagnostics node."""
import contextlib
import socket

from node_fault_kinds.faults import Faults

FAULTS = Faults()
fault = FAULTS.define


def tegrastats(name, mode, text):
    @fault(name, 'Diagnostics')
    def broken(bench, rng):
        bench.stand_in.mode(mode)
        yield None if text is None else ('GPU', text)
        bench.stand_in.mode('replay')


tegrastats('tegrastats dies', 'die', 'ended with code 3')
tegrastats('tegrastats is silent', 'hang', 'has been silent')
tegrastats('tegrastats prints garbage', 'garbage', 'prints what cannot be read')
tegrastats('tegrastats prints without line ends', 'endless', '')
tegrastats('tegrastats prints 10,000 lines a second', 'flood', None)


@fault('40 slow clients of Prometheus', 'Diagnostics')
def slow_clients(bench, rng):
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(40):
            clients.append(stack.enter_context(socket.create_connection(('127.0.0.1', bench.port), 5.0)))

        def is_served():
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b'G')
            return bench.is_scraped()
        yield is_served


@fault('garbage for Prometheus', 'Diagnostics')
def garbage_client(bench, rng):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', bench.port), 5.0) as client:
        client.sendall(rng.choice((b'GET /\xff HTTP/9.9\r\n', b'\0' * 70000, b'GET / HTTP/1.1\r\nA: ' + b'b' * 99999)))
    yield None
