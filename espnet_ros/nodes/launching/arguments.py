"""Launch arguments: text to checked values."""
import difflib
import os
import re
import typing

from espnet_ros.errors import ParameterError

KIND_NAMES = {bool: 'true or false', int: 'a whole number', float: 'a number'}


class Argument(typing.NamedTuple):
    """An argument of a launch file.

    kind: str, bool, int, float, or tuple for strings with commas between them. choices: allowed texts; N at the end of
    one is any index. empty: whether '' is allowed, which gives None. file: whether it names a file that must exist.
    """

    name: str
    default: str
    description: str
    kind: type = str
    choices: typing.Tuple[str, ...] = ()
    empty: bool = False
    file: bool = False


def of_parameters(rules: typing.Mapping[str, typing.Any], defaults: typing.Any, names: typing.Iterable[str],
                  file_argument: str) -> typing.List[Argument]:
    """Return an Argument for each of a node's parameters that has a launch argument of its name.

    rules: parameter name to Rule. defaults: NamedTuple of the parameters. file_argument: name of the argument with the
    file of parameters, which decides when the argument is empty.
    """
    arguments = []
    for name in names:
        rule = rules[name]
        text = rule.description[0].upper() + rule.description[1:].rstrip('.')
        if rule.choices:
            text += ' ({})'.format(', '.join(rule.choices))
        arguments.append(Argument(name, '', '{}; empty leaves it to {}.'.format(text, file_argument),
                                  type(getattr(defaults, name)), tuple(rule.choices), empty=True))
    return arguments


def parse(arguments: typing.Sequence[Argument], given: typing.Mapping[str, str]) -> typing.Dict[str, typing.Any]:
    """Return the values of all arguments by name, None for those that leave it to a file.

    given: name to text, with the defaults. Raises ParameterError with a sentence for the first wrong one.
    """
    return {argument.name: _value(argument, given[argument.name]) for argument in arguments}


def _value(argument, text):
    if argument.empty and not text:
        return None
    if argument.file and not os.path.isfile(text):
        raise ParameterError("launch argument {}: there is no file '{}'".format(argument.name, text))
    if argument.choices and (text.endswith(':N') or re.sub(r':[0-9]{1,3}\Z', ':N', text) not in argument.choices):
        raise ParameterError("launch argument {} must be one of {}, not '{}'".format(
            argument.name, ', '.join(argument.choices), text))
    if argument.kind is tuple:
        return tuple(word.strip() for word in text.strip('[]').split(','))
    try:
        return {'true': True, 'false': False}[text.lower()] if argument.kind is bool else argument.kind(text)
    except (KeyError, ValueError):
        raise ParameterError("launch argument {} must be {}, not '{}'".format(
            argument.name, KIND_NAMES[argument.kind], text))


def misspelt(arguments: typing.Sequence[Argument], given: typing.Iterable[str]) -> typing.List[str]:
    """Return a sentence for each given name that looks like an argument and is none.

    Launch accepts any name, and a launch file that includes this one has names of its own: only near ones are told.
    """
    names = [argument.name for argument in arguments]
    sentences = []
    for name in sorted(set(given) - set(names)):
        near = difflib.get_close_matches(name, names, 1, 0.8)
        if near:
            sentences.append('there is no launch argument {}, so it is ignored; did you mean {}?'.format(name, near[0]))
    return sentences
