"""Options: one name and one meaning in all commands, and how their values are written."""
import argparse
import importlib

import pytest

from espnet_ros import cli
from espnet_ros.cli.options import HelpFormatter, above_zero, add_size, share, size_of, whole
from espnet_ros.cli.tables import table_lines

METAVARS = {
    '--block': 'N', '--cache-dir': 'FOLDER', '--camera': None, '--confidence-threshold': 'SHARE', '--data': 'DATASET',
    '--every': 'N', '--frames': None, '--labels': 'NAME', '--model': 'MODEL', '--name': None, '--node': 'NAME',
    '--out': ('DIR', 'FILE', 'BAG', 'CARD'), '--rate': ('HZ', 'FACTOR'), '--seconds': 'S', '--size': 'WxH',
    '--threads': 'N', '--timeout': 'S', '--val': 'DATASET', '--workers': 'N'}
"""How the values of options are called; None where that depends on the command."""
FLAGS = {'--json', '--restart', '--legend', '--outlines', '--confidence', '--once'}
"""Options that never take a value."""
FORMER = {
    '--again', '--backends', '--engines', '--height', '--models', '--nodes', '--precisions', '--sizes', '--width'}
"""Names that options had once: they work and are not shown."""


def parsers():
    """Yield (command, parser) of all commands and their actions."""
    for name in cli.COMMANDS:
        command = importlib.import_module('espnet_ros.cli.' + name)
        parser = argparse.ArgumentParser('espnet-ros ' + name, description=command.DESCRIPTION,
                                         formatter_class=HelpFormatter)
        command.add_arguments(parser)
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((name + ' ' + word, part) for word, part in action.choices.items())


def options():
    """Yield (command, option, action) of all options."""
    for command, parser in parsers():
        for action in parser._actions:
            yield from ((command, option, action) for option in action.option_strings if option.startswith('--'))


def test_the_same_option_has_the_same_name_and_kind_of_value_everywhere():
    wrong = []
    for command, option, action in options():
        if option in FORMER:
            continue
        wanted = METAVARS.get(option)
        if wanted and action.metavar not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            wrong.append((command, option, action.metavar))
        if option in FLAGS and action.nargs != 0:
            wrong.append((command, option, 'takes a value'))
    assert wrong == []


def test_former_names_work_and_are_not_shown():
    found = {}
    for command, option, action in options():
        if option in FORMER:
            found.setdefault(option, set()).add(command)
            assert action.help == argparse.SUPPRESS, (command, option)
            assert any(other.dest == action.dest and other is not action for name, parser in parsers()
                       if name == command for other in parser._actions) or option in ('--width', '--height')
    assert set(found) == FORMER
    assert found['--width'] == found['--height'] >= {'build', 'demo', 'evaluate', 'export', 'ground', 'predict'}


@pytest.mark.parametrize('command', cli.COMMANDS)
def test_help_fits_a_terminal(command, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    for name, parser in parsers():
        if name.split()[0] == command:
            assert max(map(len, parser.format_help().splitlines())) <= 80, name


def test_sizes():
    parser = argparse.ArgumentParser()
    add_size(parser)

    def size(*words):
        return size_of(parser.parse_args(words))
    assert size() == size('--size', 'card') == (0, 0)
    assert size('--size', '480x360') == size('--width', '480', '--height', '360') == (480, 360)
    assert size('--width', '480') == (480, 0)
    assert '--width' not in parser.format_help()


@pytest.mark.parametrize('text, value', [('0', 0), ('0.9', 0.9), ('1', 1), ('90%', 0.9), ('0.5%', 0.005)])
def test_shares(text, value):
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize('text, words', [
    ('90', '90 is not from 0 to 1; write 0.9 or 90%'), ('-0.1', '-0.1 is not from 0 to 1'),
    ('101%', '101% is not from 0 to 100%'), ('many', "'many' is not a share such as 0.9 or 90%"),
    ('nan', 'nan is not from 0 to 1')])
def test_what_is_no_share_is_told(text, words):
    with pytest.raises(argparse.ArgumentTypeError, match='^' + words + '$'):
        share(text)


def test_whole_numbers():
    assert whole(1)('7') == 7
    for low, high, words in ((1, None, '0 is not 1 or more'), (1, 9, '0 is not from 1 to 9')):
        with pytest.raises(argparse.ArgumentTypeError, match=words):
            whole(low, high)('0')


@pytest.mark.parametrize('text', ['0', '-1', 'nan', 'inf'])
def test_numbers_above_zero(text):
    assert above_zero('0.5') == 0.5
    with pytest.raises(argparse.ArgumentTypeError, match='^{} is not above 0$'.format(text)):
        above_zero(text)


def test_tables_fold_texts_and_keep_numbers():
    lines = table_lines(('MODEL', 'MEASURED ON', 'MIOU'), [
        ('a-model-with-a-long-name', 'a data set with a long name', '61.23'), ('b', 'c', '7.00')], 2, width=40)
    assert max(map(len, lines)) <= 40 and lines[0].split() == ['MODEL', 'MEASURED', 'ON', 'MIOU']
    assert all(line.endswith(('MIOU', '61.23', ' 7.00')) for line in (lines[0], lines[1], lines[-1]))
    assert ''.join(line[:15].strip() for line in lines[1:-1]).startswith('a-model-with-a-')


def test_in_a_pipe_a_row_is_a_line():
    lines = table_lines(('A', 'B'), [('x' * 200, '1')], notes=['a sentence'])
    assert lines == ['A' + 199 * ' ' + '  B', 'x' * 200 + '  1  a sentence']
    assert table_lines(('A', ''), [('x', '')]) == ['A', 'x']
    assert table_lines(('A', 'B'), [('x', '1')], notes=['a sentence'], width=80) == ['A  B', 'x  1', '    a sentence']
