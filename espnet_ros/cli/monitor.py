"""`espnet-ros monitor`: state of running segmentation nodes and their machines in a terminal."""
import contextlib
import json
import math
import signal
import sys
import time

from rich.console import Console
from rich.live import Live

from espnet_ros.cli.nodes import ros
from espnet_ros.cli.options import add_alias
from espnet_ros.diagnostics.status import OK, WARN
from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.monitor.board import WORDS, Board
from espnet_ros.monitor.dashboard import draw, plain_line

DESCRIPTION = """Watch segmentation nodes and the machines they run on: rates, drops, latency of each stage with the
last minute, engine and model, CPU, GPU, memory, power, temperature, and all warnings with their
remedies. It only subscribes to /diagnostics, which costs the nodes nothing. Where the output is
not a terminal, it prints a line a second. Ctrl-C ends it.
With --once the exit code is 0 without problems, 3 with a warning, 4 when something is in error or
silent, and 1 without any node."""

WAITING = ('no diagnostics of a segmentation node on {}; start one with `ros2 launch espnet_ros segment.launch.py`, '
           'and make sure that ROS_DOMAIN_ID is the same')
WARNS, FAILS = 3, 4
"""Exit codes of --once; 1 and 2 are those of a failed command and a wrong command line."""
_TOGETHER = 2.5
"""Seconds after the first diagnostics within which all nodes have published some."""


def add_arguments(parser):
    add_alias(parser, '--nodes', 'nodes', nargs='+')
    parser.add_argument('--node', metavar='NAME', nargs='+', default=[], dest='nodes',
                        help='only these segmentation nodes, or those in these namespaces; each must be running')
    parser.add_argument('--topic', metavar='TOPIC', default='/diagnostics',
                        help='topic of the diagnostics (default: %(default)s)')
    parser.add_argument('--once', action='store_true', help='print the state once and end')
    parser.add_argument('--timeout', metavar='S', type=float, default=10.0,
                        help='with --once: how long to wait for the nodes (default: %(default)g)')
    parser.add_argument('--plain', action='store_true', help='a line a second, also in a terminal')
    parser.add_argument('--json', action='store_true', help='the lines as JSON, for programs')


def run(options):
    if not 0 < options.timeout <= 3600:
        raise ParameterError('--timeout is {}; it must be above 0 and at most 3600'.format(options.timeout))
    ros('the monitor')
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.monitor import DiagnosticsListener
    board = Board(options.nodes)
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(errors='replace')  # a terminal may lack what a message has
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the contexts, which mend the terminal
    with spinning(lambda: DiagnosticsListener(
            lambda found: board.add(found, time.monotonic()), options.topic)) as listener:
        if options.once:
            return _once(board, listener, console, options)
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            if options.plain or options.json or not console.is_terminal or console.is_dumb_terminal:
                _print_lines(board, listener, options)
            else:
                _show(board, listener, console, options)
    return 0


def _once(board, listener, console, options):
    complete = None
    deadline = time.monotonic() + options.timeout
    while complete is None or time.monotonic() < complete + _TOGETHER:
        _check(listener)
        now = time.monotonic()
        nodes = [group for group in board.groups(now) if group.is_node]
        if complete is None and nodes and all(group.parts for group in nodes):
            complete = now
        if complete is None and now > deadline:
            if not any(group.parts for group in nodes):
                raise EspnetError(_waiting(board, listener, options))
            break
        time.sleep(0.05)
    now = time.monotonic()
    groups = board.groups(now)
    if options.json:
        print(_json(groups))
    elif options.plain or not console.is_terminal:
        print(plain_line(groups))
        for alert in (alert for group in groups for alert in group.alerts):
            print(WORDS[alert.level], alert.sentence)
    else:
        console.print(draw(board, now, console.width, _is_unicode(console)))
    return {OK: 0, WARN: WARNS}.get(max(group.level for group in groups), FAILS)


def _print_lines(board, listener, options):
    told: set = set()
    while True:
        _check(listener)
        groups = board.groups(time.monotonic())
        stamp = time.strftime('%H:%M:%S')
        if options.json:
            print(_json(groups), flush=True)
        else:
            is_heard = any(group.is_node and group.parts for group in groups)
            print(stamp, plain_line(groups) if is_heard else _waiting(board, listener, options), flush=True)
            # Not by its text: that has other numbers each second.
            alerts = {alert[:3]: alert for group in groups for alert in group.alerts}
            for key in alerts.keys() - told:
                print(stamp, WORDS[alerts[key].level], alerts[key].sentence, flush=True)
            told = set(alerts)
        time.sleep(1.0)


def _show(board, listener, console, options):
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            _check(listener)
            live.update(draw(board, time.monotonic(), console.width, _is_unicode(console),
                             _waiting(board, listener, options)), refresh=True)
            time.sleep(0.5)


def _waiting(board, listener, options):
    """Return why there is no node to show, and what to do."""
    similar = listener.similar()
    if similar:
        return 'nothing publishes {}; did you mean {}?'.format(options.topic, ' or '.join(similar))
    if board.others:
        return 'no diagnostics of {} on {}; name one of these with --node: {}'.format(
            ' or '.join(options.nodes), options.topic, ', '.join(board.others))
    return WAITING.format(options.topic)


def _check(listener):
    if listener.error is not None:
        raise EspnetError('diagnostics cannot be read: {}'.format(listener.error))


def _json(groups):
    """One line; the age of a node that was asked for and never heard is null."""
    return json.dumps([{
        'name': group.name, 'level': group.level, 'age': None if math.isinf(group.age) else round(group.age, 3),
        'parts': {part: {'level': status.level, 'message': status.message, 'values': dict(status.values)}
                  for part, status in group.parts.items()}} for group in groups])


def _is_unicode(console):
    return (console.encoding or 'ascii').lower().startswith('utf') and not console.legacy_windows
