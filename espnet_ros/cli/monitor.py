"""`espnet-ros monitor`: how a running segmentation node and its machine do, in a terminal."""
import contextlib
import json
import time

from rich.console import Console
from rich.live import Live

from espnet_ros.cli.dashboard import Board, draw, plain_line
from espnet_ros.cli.nodes import ros
from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.telemetry.status import OK

DESCRIPTION = """Watch segmentation nodes and the machines they run on: rates, drops, latency of each stage with the
last minute, engine and model, CPU, GPU, memory, power, temperature, and all warnings with their
remedies. It only listens to /diagnostics, which costs the nodes nothing. Where the output is no
terminal, it prints a line a second. Ctrl-C ends it.
With --once the exit code is 0 when all is well and 1 when something warns, fails or is silent."""

WAITING = ('no segmentation node is heard on /diagnostics; start one with `ros2 launch espnet_ros segment.launch.py`, '
           'and see that ROS_DOMAIN_ID is the same here and there')
_TOGETHER = 1.5
"""Seconds after the first word of a node in which the others come, too."""


def add_arguments(parser):
    parser.add_argument('--nodes', metavar='NAME', nargs='+', default=[], help='only these segmentation nodes')
    parser.add_argument('--once', action='store_true', help='print once how things are, and end')
    parser.add_argument('--timeout', metavar='SECONDS', type=float, default=10.0,
                        help='with --once: how long to wait for a node (default: %(default)g)')
    parser.add_argument('--plain', action='store_true', help='a line a second, also in a terminal')
    parser.add_argument('--json', action='store_true', help='the lines as JSON, for programs')


def run(options):
    if not 0 < options.timeout <= 3600:
        raise ParameterError('--timeout is {}; it must be above 0 and at most 3600'.format(options.timeout))
    ros('the monitor')
    from espnet_ros.nodes.background import spinning
    from espnet_ros.nodes.monitor import DiagnosticsListener
    board = Board(options.nodes)
    console = Console()
    with spinning(lambda: DiagnosticsListener(lambda found: board.add(found, time.monotonic()))) as listener:
        if options.once:
            return _once(board, listener, console, options)
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            if options.plain or options.json or not console.is_terminal:
                _print_lines(board, listener, options.json)
            else:
                _show(board, listener, console)
    return 0


def _once(board, listener, console, options):
    heard = None
    deadline = time.monotonic() + options.timeout
    while heard is None or time.monotonic() < heard + _TOGETHER:
        _check(listener)
        if heard is None and any(group.is_node for group in board.groups(time.monotonic())):
            heard = time.monotonic()
        if heard is None and time.monotonic() > deadline:
            raise EspnetError(WAITING)
        time.sleep(0.05)
    now = time.monotonic()
    groups = board.groups(now)
    if options.json:
        print(_json(groups))
    elif options.plain or not console.is_terminal:
        print(plain_line(groups))
        for level, text in (warning for group in groups for warning in group.warnings):
            print(_warning(level, text))
    else:
        console.print(draw(board, now, console.width, _is_unicode(console)))
    return 0 if all(group.level == OK for group in groups) else 1


def _print_lines(board, listener, as_json):
    told: set = set()
    while True:
        _check(listener)
        groups = board.groups(time.monotonic())
        stamp = time.strftime('%H:%M:%S')
        if as_json:
            print(_json(groups), flush=True)
        else:
            print(stamp, plain_line(groups) if any(group.is_node for group in groups) else WAITING, flush=True)
            # By node and part: in each second the sentence has other numbers.
            warnings = {tuple(text.split(': ')[:2]): (level, text)
                        for group in groups for level, text in group.warnings}
            for key in warnings.keys() - told:
                print(stamp, _warning(*warnings[key]), flush=True)
            told = set(warnings)
        time.sleep(1.0)


def _show(board, listener, console):
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            _check(listener)
            live.update(draw(board, time.monotonic(), console.width, _is_unicode(console), WAITING), refresh=True)
            time.sleep(0.5)


def _check(listener):
    if listener.error is not None:
        raise EspnetError('diagnostics cannot be read: {}'.format(listener.error))


def _warning(level, text):
    return '{} {}'.format('WARN' if level == 1 else 'ERROR', text)


def _json(groups):
    return json.dumps([{
        'name': group.name, 'level': group.level, 'age': round(group.age, 3),
        'parts': {part: {'level': status.level, 'message': status.message, 'values': dict(status.values)}
                  for part, status in group.parts.items()}} for group in groups])


def _is_unicode(console):
    return (console.encoding or 'ascii').lower().startswith('utf') and not console.legacy_windows
