"""espnet-ros doctor: lines, JSON, exit codes."""
import io
import json
import sys

import pytest

from espnet_ros.cli import doctor, main
from espnet_ros.diagnostics.checkup import NOTE, OK, PROBLEM, Check

CHECKS = [Check('Python', OK, '3.11.2'), Check('DDS memory', NOTE, '512 KiB', 'set a profile'),
          Check('GPU', PROBLEM, 'not usable', 'install it again')]


@pytest.mark.parametrize('count, code', [(1, 0), (2, 0), (3, 1)])
def test_the_exit_code_tells_whether_there_is_a_problem(monkeypatch, capsys, count, code):
    monkeypatch.setattr(doctor, 'checkup', lambda: iter(CHECKS[:count]))
    assert main(['doctor']) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('espnet_ros ') and lines[1] == '\u2713 Python     3.11.2'
    assert ('  ' + 11 * ' ' + 'install it again' in lines) == bool(code)


def test_long_remedies_are_wrapped_but_not_their_paths(monkeypatch, capsys):
    path = '/a-path/' + 90 * 'x'
    check = Check('GPU', NOTE, 'found', 'set it to {} '.format(path) + 30 * 'or so ')
    monkeypatch.setattr(doctor, 'checkup', lambda: iter([check]))
    monkeypatch.setenv('COLUMNS', '80')
    assert main(['doctor']) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert 13 * ' ' + path in lines and len(lines) == 5
    assert all(line.startswith(13 * ' ') and (len(line) <= 80 or path in line) for line in lines)


def test_json(monkeypatch, capsys):
    monkeypatch.setattr(doctor, 'checkup', lambda: iter(CHECKS))
    assert main(['doctor', '--json']) == 1
    data = json.loads(capsys.readouterr().out)
    assert data['checks'][1] == {'name': 'DDS memory', 'status': 'note', 'found': '512 KiB', 'remedy': 'set a profile'}


def test_a_terminal_without_ticks(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), 'ascii')
    monkeypatch.setattr(sys, 'stdout', stream)
    monkeypatch.setattr(doctor, 'checkup', lambda: iter(CHECKS))
    assert main(['doctor']) == 1
    stream.flush()
    assert b'\nok Python' in stream.buffer.getvalue() and b'\nX GPU' in stream.buffer.getvalue()
