"""Completion by the shell: what it is told, from which modules, and in a real bash."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from espnet_ros import models
from espnet_ros.cli import COMMANDS, main

pytest.importorskip('argcomplete')

PROGRAM = """import atexit, json, os, sys
def imported(): open('modules.json', 'w').write(json.dumps(sorted(sys.modules)))
leave = os._exit
def end(code):
    imported()
    leave(code)
os._exit = end
from espnet_ros.cli import main
main([])"""


def completed(line, tmp_path):
    """What the shell is told for a command line with the cursor at its end."""
    answer = tmp_path / 'answer'
    subprocess.run([sys.executable, '-c', PROGRAM], cwd=str(tmp_path), env=dict(
        os.environ, _ARGCOMPLETE='1', COMP_LINE=line, COMP_POINT=str(len(line)), _ARGCOMPLETE_IFS='\n',
        _ARGCOMPLETE_STDOUT_FILENAME=str(answer), COMP_TYPE='9', _ARGCOMPLETE_COMP_WORDBREAKS=''), check=False)
    heavy = {'cv2', 'numpy', 'torch', 'rclpy'} & set(json.loads((tmp_path / 'modules.json').read_text()))
    assert not heavy
    return [word.strip() for word in answer.read_text().split('\n')]


def test_commands_options_and_choices(tmp_path):
    assert set(COMMANDS) <= set(completed('espnet-ros ', tmp_path))
    assert completed('espnet-ros pred', tmp_path) == ['predict']
    assert '--size' in completed('espnet-ros predict --s', tmp_path)
    assert '--width' not in completed('espnet-ros predict --', tmp_path)
    assert completed('espnet-ros predict --palette col', tmp_path) == ['color-blind']


@pytest.mark.parametrize('line', ['espnet-ros predict --model ', 'espnet-ros benchmark --model ',
                                  'espnet-ros models show ', 'espnet-ros train --from '])
def test_names_of_models(line, tmp_path):
    assert set(completed(line + 'camvid-espnet-q', tmp_path)) == {
        name for name in (entry.card.name for entry in models.available()) if name.startswith('camvid-espnet-q')}


@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_the_script(shell, capsys):
    assert main(['completion', shell]) == 0
    assert 'espnet-ros' in capsys.readouterr().out


def test_a_real_bash(tmp_path):
    bash = shutil.which('bash')
    if bash is None:
        pytest.skip('there is no bash on this machine')
    path = '{}:{}'.format(pathlib.Path(sys.executable).parent, os.environ['PATH'])
    script = ('eval "$(espnet-ros completion bash)"; COMP_LINE="espnet-ros predict --model camvid-espnet-c"; '
              'COMP_WORDS=(espnet-ros predict --model camvid-espnet-c); COMP_CWORD=3; COMP_POINT=${#COMP_LINE}; '
              'COMP_TYPE=9; _python_argcomplete espnet-ros; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run([bash, '-c', script], env=dict(os.environ, PATH=path), cwd=str(tmp_path),
                          capture_output=True, text=True, timeout=500)
    assert done.stdout.split() == ['camvid-espnet-c-q8'], done.stderr


def test_without_argcomplete_a_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'argcomplete', None)
    assert main(['completion', 'bash']) == 1
    assert 'completion needs the Python package argcomplete' in capsys.readouterr().err
