"""`espnet-ros doctor`: checks of this machine and installation."""
import json
import shutil
import sys
import textwrap

from espnet_ros import __version__
from espnet_ros.diagnostics.checkup import NOTE, OK, PROBLEM, checkup

DESCRIPTION = """Check what espnet_ros needs on this machine: Python, CPU, libraries, GPU, engines, ROS 2 and
its shared memory, cameras, models, cache. Each line is a tick, or says what to do. Paste the
output into bug reports. The exit code is 1 if there is a problem."""

_SIGNS = {OK: '\u2713', NOTE: '!', PROBLEM: '\u2717'}
_INDENT = 13 * ' '


def add_arguments(parser):
    parser.add_argument('--json', action='store_true', help='for programs')


def run(options):
    checks = []
    if not options.json:
        print('espnet_ros ' + __version__, flush=True)
    for check in checkup():
        checks.append(check)
        if not options.json:
            print(_line(check), flush=True)
    if options.json:
        print(json.dumps({'version': __version__, 'checks': [dict(check._asdict()) for check in checks]}, indent=2))
    return 1 if any(check.status == PROBLEM for check in checks) else 0


def _line(check):
    text = '{} {:<11}{}'.format(_SIGNS[check.status], check.name, check.found)
    if check.remedy:
        text += '\n' + textwrap.fill(check.remedy, shutil.get_terminal_size().columns, initial_indent=_INDENT,
                                     subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False)
    encoding = sys.stdout.encoding or 'ascii'
    if not encoding.lower().startswith('utf'):
        text = text.replace(_SIGNS[OK], 'ok', 1).replace(_SIGNS[PROBLEM], 'X', 1)
    return text.encode(encoding, 'replace').decode(encoding)
