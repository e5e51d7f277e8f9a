"""`espnet-ros view`: a running segmentation node in a browser."""
import contextlib
import math
import pathlib
import signal
import sys
import tempfile
import time

from espnet_ros import models
from espnet_ros.bags.paths import check_bag
from espnet_ros.cli.nodes import ros, segmentation_node
from espnet_ros.cli.options import add_model, whole
from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.monitor.board import Board
from espnet_ros.view.frames import FrameStore
from espnet_ros.view.server import PageServer
from espnet_ros.view.state import PageState

DESCRIPTION = """Show a running segmentation node in a browser: camera and result side by side, classes, rates, latency,
the machine, and warnings with their remedies. While nobody looks at the page it subscribes to diagnostics only.
The page is served on this machine alone; from another one, forward the port over SSH. Ctrl-C ends it.
With --bag it shows a recording instead: its images are played, again and again, through a segmentation node
that is started for it and that the network does not see."""

CONNECT_SECONDS, BUILD_SECONDS, LONGEST_PAUSE, TICK_SECONDS = 60.0, 3600.0, 1.0, 0.01
"""Time limits for finding that node and for building its engine, the longest pause between two images of a bag, and the
time between two messages on /clock."""

TELL_SECONDS = 5.0
"""Seconds without a node after which the terminal tells so, too; diagnostics come once a second."""


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument('--node', metavar='NAME', default='',
                        help='the segmentation node (default: the first one heard)')
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to listen on (default: %(default)s; 0.0.0.0 lets everybody on the network look)')
    parser.add_argument('--port', metavar='N', type=whole(0, 65535),
                        help='port to listen on (default: the first free one from 8080 to 8089)')
    bag = parser.add_argument_group('a recording')
    bag.add_argument('--bag', metavar='BAG', help='rosbag2 folder, .mcap, .db3 or ROS 1 .bag file to show')
    bag.add_argument('--image-topic', metavar='TOPIC', help='images to use if the bag has several')
    add_model(bag, models.DEFAULT)


def run(options):
    """Serve the page until Ctrl-C; return the exit code."""
    if options.bag:
        check_bag(options.bag)
    for flag, value, is_default in (('--image-topic', options.image_topic, not options.image_topic),
                                    ('--model', options.model, options.model == models.DEFAULT)):
        if not options.bag and not is_default:
            raise ParameterError('{} {} has no effect without --bag: a running node has its own'.format(flag, value))
    ros('the live page')
    if options.bag:
        return _show_bag(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the contexts
    with serving(options.node, options.host, options.port) as (server, viewer, state), \
            contextlib.suppress(KeyboardInterrupt):
        print(greeting(server), flush=True)
        late = time.monotonic() + TELL_SECONDS
        while viewer.error is None:
            if time.monotonic() > late:
                late = math.inf
                if state.target() is None:
                    print('espnet-ros view: ' + state.waiting(), file=sys.stderr, flush=True)
            time.sleep(0.2)
        raise EspnetError('the page cannot be fed: {}'.format(viewer.error))
    return 0


def _show_bag(options):
    from espnet_ros.bags.reader import open_bag
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.replay import Player
    print('espnet-ros view: reading {}'.format(options.bag), file=sys.stderr, flush=True)
    with open_bag(options.bag, options.image_topic) as bag, tempfile.TemporaryDirectory() as folder, \
            segmentation_node(pathlib.Path(folder), model=options.model, use_sim_time=True) as nodes, \
            contextlib.suppress(KeyboardInterrupt):
        if not len(bag):
            raise EspnetError("there are no images in '{}': {}".format(options.bag, '; '.join(bag.problems)))
        nodes.start('diagnostics')
        nodes.start_page(options.host, options.port)
        print('\n'.join(_page_lines(nodes)), flush=True)
        with spinning(lambda: Player('/espnet', nodes.check)) as player:
            player.connect(CONNECT_SECONDS, BUILD_SECONDS, lambda text: print('node: ' + text, flush=True))
            while True:
                _play(bag, player, nodes)
                player.forget()
    return 0


def _page_lines(nodes):
    """Wait for the page and return what it says of its address. Raises EspnetError when it ends."""
    while True:
        lines = nodes.lines('page')
        if not nodes.is_running('page'):
            raise EspnetError('the page cannot be shown: {}'.format(' '.join(lines[-1:])))
        nodes.check()
        if len(lines) > 1:
            return lines
        time.sleep(0.1)


def _play(bag, player, nodes):
    """Send the images of a bag once, as fast as they were recorded. Raises EspnetError when none can be read."""
    before, due, sent = None, time.monotonic(), 0.0
    for frame in bag:
        if before is not None:
            due += min(LONGEST_PAUSE, max(0.0, (frame.stamp - before) / 1e9))
        before = frame.stamp
        while time.monotonic() < due:
            player.tick(time.monotonic() - sent)  # less than the time to the next stamp, so that it never goes back
            time.sleep(max(0.0, min(TICK_SECONDS, due - time.monotonic())))
        due = max(due, time.monotonic() - LONGEST_PAUSE)  # a slow machine does not catch up in a burst
        nodes.check()
        sent = time.monotonic()
        player.send(frame.stamp, frame.frame_id, frame.image)
        player.take()
    if before is None:
        raise EspnetError('none of the images can be shown: {}'.format('; '.join(bag.problems)))


@contextlib.contextmanager
def serving(node='', host='127.0.0.1', port=None):
    """Serve the page of a segmentation node; yields the PageServer, the ROS node that feeds it, and the PageState.

    node: its full name; '' for the first one heard. Raises ParameterError when the port cannot be had.
    """
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.viewer import Viewer
    store, board = FrameStore(), Board([node] if node else [])
    state = PageState(board)
    with PageServer(store, state.page, host, port) as server, spinning(lambda: Viewer(
            state.target, state.camera, store, lambda found: board.add(found, time.monotonic()),
            state.set_labels)) as viewer:
        yield server, viewer, state


def greeting(server):
    """Return the lines that say where the page is."""
    return ('Live page: {}\n  from another machine: ssh -L {}:localhost:{} USER@THIS_MACHINE, then open '
            'http://localhost:{}'.format(server.address, *3 * [server.port]))
