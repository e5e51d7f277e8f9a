"""The command line `espnet-ros`."""
import argparse
import importlib
import os
import re
import sys

from espnet_ros import __version__
from espnet_ros.cli.options import HelpFormatter
from espnet_ros.errors import EspnetError, printable, suggestion
from espnet_ros.process import tune_process

COMMANDS = {
    'bag': 'create evaluation bags, inspect bags',
    'benchmark': 'measure how fast models and engines are on this machine',
    'build': 'build the TensorRT engine of a model ahead of time',
    'compare': 'compare two evaluations',
    'completion': 'print what makes bash or zsh complete commands and model names',
    'demo': 'run camera, segmentation and diagnostics as ROS nodes and watch them',
    'doctor': 'check this machine: ROS, engines, GPU, cameras, models',
    'evaluate': 'measure the accuracy of a model on bags and datasets',
    'export': 'write a model as an ONNX file',
    'ground': 'measure how right scans on the ground are, and what they cost',
    'models': 'list the known models, fetch their weights, show a model card',
    'monitor': 'watch running nodes and their machine in a terminal',
    'predict': 'segment images and videos',
    'profile': "show where a model's time, energy and memory go on this machine",
    'quantize': 'make the int8 form of a model, for CPUs',
    'reproduce': "rebuild the paper's tables and figures",
    'train': 'train a network on labeled images',
    'view': 'show a running segmentation node in a browser',
}
"""Each command and what it does; the module of its name here holds DESCRIPTION, add_arguments(parser), run(options)."""

DONE, FAILED, INTERRUPTED = 0, 1, 130
"""Exit codes; argparse leaves with 2 when a command is written wrongly."""

LONG = ('bag', 'benchmark', 'build', 'demo', 'evaluate', 'export', 'ground', 'models add', 'predict', 'profile',
        'quantize', 'reproduce', 'train')
"""Commands, or actions of one, that may take long, and say that they have begun where a person waits."""


class Parser(argparse.ArgumentParser):
    """Suggests the option or choice that was probably meant."""

    def error(self, message):
        """Print the message with a suggestion, and leave with code 2."""
        option = re.match(r'unrecognized arguments: (--[^ =]+)', message)
        choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if option:
            message += suggestion(option.group(1), self._option_string_actions)
        elif choice:
            message += suggestion(choice.group(1), re.findall(r'[\w.-]+', choice.group(2)))
        super().error(message)


def main(argv=None):
    """Run a command and return its exit code."""
    if '_ARGCOMPLETE' in os.environ:  # the shell wants to complete a command line
        from espnet_ros.cli.completion import complete
        complete(COMMANDS)
    parser = Parser(
        prog='espnet-ros', formatter_class=argparse.RawDescriptionHelpFormatter, usage='%(prog)s COMMAND ...',
        description='Semantic segmentation with ESPNet: labels, colors and overlays of street scenes.',
        epilog='commands:\n' + ''.join('  {:<12}{}\n'.format(*item) for item in COMMANDS.items()) +
        '\nespnet-ros COMMAND --help explains a command.')
    parser.add_argument('--version', action='version', version='%(prog)s ' + __version__)
    parser.add_argument('command', metavar='COMMAND', nargs='?', help='one of those below')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    if chosen.command is None:
        parser.print_help()
        return DONE
    if chosen.command not in COMMANDS:
        parser.error("there is no command '{}'{}".format(
            chosen.command, suggestion(chosen.command, COMMANDS) or '; espnet-ros --help lists them'))
    try:
        code = _run(chosen.command, chosen.arguments)
        sys.stdout.flush()
        return code
    except EspnetError as error:
        print('espnet-ros: error: ' + printable(error), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print('espnet-ros: interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough; Python must not flush the rest at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # PyTorch, OpenCV and the system have each their own for this
        if not isinstance(error, MemoryError) and not _NO_MEMORY.search(str(error)):
            raise
        print('espnet-ros: error: there is not enough memory ({}); end other programs, or use smaller images or '
              'batches, or fewer processes'.format(printable(error)[:200] or 'MemoryError'), file=sys.stderr)
        return FAILED


_NO_MEMORY = re.compile("can(no|')t allocate memory|out of memory|insufficient memory", re.I)


def _run(name, arguments):
    # Only now, and only this one: PyTorch takes seconds to import.
    tune_process()
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'SILENT')  # read at its import; our errors say what users need
    try:
        command = importlib.import_module('espnet_ros.cli.' + name)
        parser = Parser(prog='espnet-ros ' + name, description=command.DESCRIPTION, formatter_class=HelpFormatter)
        command.add_arguments(parser)
        options = parser.parse_args(arguments)
        if {name, ' '.join([name, *arguments[:1]])} & set(LONG) and sys.stderr.isatty():
            print('espnet-ros {}: starting'.format(name), file=sys.stderr, flush=True)
        return command.run(options)
    except ModuleNotFoundError as error:
        package = (error.name or '').partition('.')[0]
        if package in ('', 'espnet_ros'):
            raise
        raise EspnetError('espnet-ros {} needs the Python package {}, which is not installed; with pip: pip install '
                          '{}'.format(name, package, package)) from None
