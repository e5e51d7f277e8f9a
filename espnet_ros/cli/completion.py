"""`espnet-ros completion`: commands, options and model names, completed by the shell."""
import argparse
import importlib
import os

from espnet_ros.errors import EspnetError

DESCRIPTION = """Print what makes a shell complete commands, options, their choices and model names:
  bash   eval "$(espnet-ros completion bash)" in ~/.bashrc
  zsh    eval "$(espnet-ros completion zsh)" in ~/.zshrc
It needs the Python package argcomplete, which the commands of ROS 2 use as well."""

_MODELS = {'--model', '--models', '--from', 'model', 'names'}
"""Options and arguments that take the name of a model."""


def add_arguments(parser):
    parser.add_argument('shell', choices=('bash', 'zsh'), help='the shell')


def run(options):
    try:
        import argcomplete
    except ImportError:
        raise EspnetError('completion needs the Python package argcomplete: install python3-argcomplete with apt, or '
                          'argcomplete with pip')
    print(argcomplete.shellcode(['espnet-ros'], shell=options.shell))
    return 0


def complete(commands):
    """Answer a shell that asks through argcomplete, and end the process; commands: names of all."""
    try:
        import argcomplete
        from argcomplete.completers import FilesCompleter
    except ImportError:
        raise SystemExit(1)
    files = FilesCompleter()

    def models_and_files(prefix, **_):
        return [*(name for name in _model_names() if name.startswith(prefix)), *files(prefix)]

    parser = argparse.ArgumentParser('espnet-ros')
    parts = parser.add_subparsers()
    words = os.environ.get('COMP_LINE', '').split()
    for name in commands:
        part = parts.add_parser(name)
        if words[1:2] == [name]:  # only this one: others would take time to import
            importlib.import_module('espnet_ros.cli.' + name).add_arguments(part)
            _take_models(part, models_and_files)
    argcomplete.autocomplete(parser)


def _take_models(parser, completer):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                _take_models(part, completer)
        elif _MODELS & set(action.option_strings or [action.dest]) and action.metavar != 'FILE':
            action.completer = completer


def _model_names():
    """Return the names of the shipped and added models: of their cards' files, which need not be read for that."""
    from espnet_ros.models import added_directory, models_directory
    found = set()
    for folder in (models_directory, added_directory):
        try:
            found.update(name[:-len('.yaml')] for name in os.listdir(folder()) if name.endswith('.yaml'))
        except (OSError, EspnetError):
            pass
    return sorted(found)
