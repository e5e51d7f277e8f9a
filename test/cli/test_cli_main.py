"""What all commands share: help, exit codes, errors in one line."""
import importlib
import json
import subprocess
import sys

import pytest

import espnet_ros
from espnet_ros import cli, models
from espnet_ros.cli import main
from espnet_ros.errors import ModelError

PROGRAM = [sys.executable, '-c', 'import sys; from espnet_ros.cli import main; sys.exit(main())']


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        main(['--help'])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for name, summary in cli.COMMANDS.items():
        assert '\n  {:<11} {}\n'.format(name, summary) in text
    assert main([]) == 0 and capsys.readouterr().out == text


@pytest.mark.parametrize('name', sorted(cli.COMMANDS))
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as left:
        main([name, '--help'])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith('usage: espnet-ros ' + name)
    description = importlib.import_module('espnet_ros.cli.' + name).DESCRIPTION
    assert ' '.join(description.split()) in ' '.join(text.split())


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(['--version'])
    assert left.value.code == 0 and capsys.readouterr().out == 'espnet-ros {}\n'.format(espnet_ros.__version__)


@pytest.mark.parametrize('arguments', [['prdict'], ['--verbose'], ['models'], ['models', 'list', 'x'], ['predict']])
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    error = capsys.readouterr().err
    assert left.value.code == 2 and error.startswith('usage: espnet-ros') and 'error: ' in error.splitlines()[-1]


@pytest.mark.parametrize('arguments, words', [
    (['prdict'], "there is no command 'prdict'; did you mean predict?"),
    (['xyzzy'], "there is no command 'xyzzy'; espnet-ros --help lists them"),
    (['models', 'lst'], 'did you mean list?'), (['benchmark', '--sise', '96x64'], 'did you mean --size'),
    (['benchmark', '--backends', 'opnvino'], 'did you mean openvino?')])
def test_what_was_probably_meant_is_suggested(arguments, words, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2 and words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('is_terminal', [True, False])
@pytest.mark.parametrize('command', ['predict', 'models add', 'bag info'])
def test_a_long_command_says_at_once_that_it_began(command, is_terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: is_terminal)
    assert main([*command.split(), 'nowhere.png']) == 1
    first = 'espnet-ros {}: starting'.format(command.partition(' ')[0])
    assert (capsys.readouterr().err.splitlines()[0] == first) == is_terminal
    assert {name.partition(' ')[0] for name in cli.LONG} < set(cli.COMMANDS)


def test_a_short_command_does_not(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    assert main(['models', 'show', 'nothing']) == 1 and 'starting' not in capsys.readouterr().err


def fail(error):
    def run(*_):
        raise error
    return run


def test_errors_of_the_user_are_one_line(monkeypatch, capsys):
    monkeypatch.setattr(cli, '_run', fail(ModelError('the card\n  is bad')))
    assert main(['models', 'list']) == 1
    assert capsys.readouterr() == ('', 'espnet-ros: error: the card is bad\n')


def test_ctrl_c_is_130(monkeypatch, capsys):
    monkeypatch.setattr(cli, '_run', fail(KeyboardInterrupt()))
    assert main(['models', 'list']) == 130
    assert capsys.readouterr().err == 'espnet-ros: interrupted\n'


def test_our_own_mistakes_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(cli, '_run', fail(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(['models', 'list'])


ARRAYS = 'monitor', 'reproduce', 'view'
HEAVY = {'cv2', 'numpy', 'onnxruntime', 'openvino', 'rclpy', 'rosbags', 'torch'}


@pytest.mark.slow
@pytest.mark.parametrize('commands, allowed', [
    ([[], *([name, '--help'] for name in sorted(cli.COMMANDS) if name not in ARRAYS)], set()),
    ([[name, '--help'] for name in ARRAYS], {'numpy'}),
    ([['models', 'list'], ['models', 'show', models.DEFAULT], ['models', 'show', 'nothing']], set()),
    ([['predict', 'nowhere.png'], ['predict', 'nowhere.png', '--model', 'nothing'], ['evaluate', 'nowhere.mcap'],
      ['bag', 'info', 'nowhere'], ['benchmark', '--images', 'nowhere.png'], ['train', '--data', 'nowhere']], set()),
    ([['compare', 'nowhere', 'nowhere']], {'numpy'}),
    ([['train', '--data', 'camvid:nowhere:train'], ['evaluate', 'camvid:nowhere:val'],
      ['export', '--model', 'nothing', '--out', 'x.onnx'], ['profile', '--model', 'nothing'],
      ['quantize', '--data', 'nowhere'], ['quantize', '--model', 'nothing', '--data', 'street:1'],
      ['build', '--model', 'nothing'], ['benchmark', '--model', 'nothing'], ['reproduce', 'nothing'],
      ['ground', '--bag', 'nowhere', '--camera-height', '1'], ['view', '--bag', 'nowhere']], HEAVY - {'torch'})])
def test_what_runs_no_network_imports_little(commands, allowed, tmp_path):
    """Modules rather than seconds: those depend on what else the machine does."""
    program = ('import contextlib, io, json, sys\n'
               'from espnet_ros import cli\n'
               'for arguments in json.loads(sys.argv[1]):\n'
               '    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n'
               '        cli.main(arguments)\n'
               '    found = set(json.loads(sys.argv[2])) & set(sys.modules)\n'
               '    if found: sys.exit("{} imports {}".format(arguments, found))')
    result = subprocess.run([sys.executable, '-c', program, json.dumps(commands), json.dumps(sorted(HEAVY - allowed))],
                            capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error():
    process = subprocess.Popen([*PROGRAM, 'models', 'list', '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # before anything is written: importing takes longer than this
    assert process.stderr.read() == b'' and process.wait(60) == 1


@pytest.mark.slow
def test_a_user_sees_no_traceback():
    result = subprocess.run([*PROGRAM, 'predict', 'nowhere.png', '--model', 'nothing'], capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout == ''
    assert result.stderr.startswith("espnet-ros: error: no model is called 'nothing'; known are ")
    assert result.stderr.count('\n') == 1


@pytest.mark.parametrize('error', [
    MemoryError(), OSError(12, 'Cannot allocate memory'),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nError code 12")])
def test_a_lack_of_memory_is_a_sentence(monkeypatch, capsys, error):
    def fail(*_):
        raise error
    monkeypatch.setattr(cli, '_run', fail)
    assert main(['doctor']) == 1
    text = capsys.readouterr().err
    assert text.startswith('espnet-ros: error: there is not enough memory (') and text.count('\n') == 1
    monkeypatch.setattr(cli, '_run', lambda *_: {}['x'])
    with pytest.raises(KeyError):
        main(['doctor'])


def test_a_package_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rich', None)
    monkeypatch.setitem(sys.modules, 'rich.console', None)
    for name in ('monitor', 'dashboard'):
        monkeypatch.delitem(sys.modules, 'espnet_ros.cli.' + name, raising=False)
    for arguments in (['monitor'], ['benchmark']):  # imported with the command, and when it runs
        assert main(arguments) == 1
        assert capsys.readouterr().err == (
            'espnet-ros: error: espnet-ros {} needs the Python package rich, which is not installed; with pip: pip '
            'install rich\n'.format(*arguments))
