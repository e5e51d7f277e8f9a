"""`espnet-ros view`: a running segmentation node in a browser."""
import contextlib
import signal
import sys
import time

from espnet_ros.cli.nodes import ros
from espnet_ros.errors import EspnetError
from espnet_ros.monitor.board import Board
from espnet_ros.view.frames import FrameStore
from espnet_ros.view.server import PageServer
from espnet_ros.view.state import PageState

DESCRIPTION = """Show a running segmentation node in a browser: camera and result side by side, classes, rates, latency,
the machine, and warnings with their remedies. While nobody looks at the page it subscribes to diagnostics only.
The page is served on this machine alone; from another one, forward the port over SSH. Ctrl-C ends it."""


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument('--node', metavar='NAME', default='',
                        help='the segmentation node (default: the first one heard)')
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to listen on (default: %(default)s; 0.0.0.0 lets everybody on the network look)')
    parser.add_argument('--port', type=int, help='port to listen on (default: the first free one from 8080 to 8089)')


def run(options):
    """Serve the page until Ctrl-C; return the exit code."""
    ros('the live page')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the contexts
    with serving(options.node, options.host, options.port) as (server, viewer), contextlib.suppress(KeyboardInterrupt):
        print(greeting(server), flush=True)
        while viewer.error is None:
            time.sleep(0.2)
        raise EspnetError('the page cannot be fed: {}'.format(viewer.error))
    return 0


@contextlib.contextmanager
def serving(node='', host='127.0.0.1', port=None):
    """Serve the page of a segmentation node; yields the PageServer and the ROS node that feeds it.

    node: its full name; '' for the first one heard. Raises ParameterError when the port cannot be had.
    """
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.viewer import Viewer
    store, board = FrameStore(), Board([node] if node else [])
    state = PageState(board)
    with PageServer(store, state.page, host, port) as server, spinning(lambda: Viewer(
            state.target, state.camera, store, lambda found: board.add(found, time.monotonic()),
            state.set_labels)) as viewer:
        yield server, viewer


def greeting(server):
    """Return the lines that say where the page is."""
    return ('Live page: {}\n  from another machine: ssh -L {}:localhost:{} USER@THIS_MACHINE, then open '
            'http://localhost:{}'.format(server.address, *3 * [server.port]))
