"""One node as one program: built, spun, and ended cleanly whatever ends it."""
import os
import signal
import sys
import threading
import time

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.utilities import remove_ros_args

from espnet_ros.errors import EspnetError, ParameterError

try:
    from rclpy.signals import SignalHandlerOptions
    OWN_SIGNALS = {'signal_handler_options': SignalHandlerOptions.NO}
except ImportError:  # before Humble; its SIGINT handler calls the one that was there before
    OWN_SIGNALS = {}

GRACE = 1.5
"""Seconds that a program may take to end; then it is cut off, because a driver or network does not let go."""


def run(make_node, threads=1):
    """Run the node that make_node(stop) returns until it is told to end; return the program's exit code.

    SIGINT, SIGTERM and stop() end it with 0. An EspnetError - raised by make_node or a callback, or handed over as
    stop(error) - is logged as its one sentence and ends it with 1; any other exception is raised after the clean-up.
    stop may be called from every thread and returns at once.

    Callbacks run in one thread, or in a pool of `threads`; never in the main thread, which waits for signals. The
    node's destroy_node() must end what the node has started. This is a program's whole main: GRACE seconds after the
    end the process is gone, whatever hangs. Call it from the main thread, once.
    """
    ending = _Ending()
    node = None
    try:
        _init()
        node = make_node(ending.stop)
        _spin_until(ending, node, threads)
    except Exception as error:
        ending.stop(error)
    if isinstance(ending.error, EspnetError):
        (node.get_logger() if node else get_logger('espnet_ros')).fatal(str(ending.error))
    if node:
        node.destroy_node()
    if rclpy.ok():
        rclpy.shutdown()
    if ending.error and not isinstance(ending.error, EspnetError):
        raise ending.error
    if any(thread.daemon and thread is not ending.watcher for thread in threading.enumerate()):
        _leave(ending.code)  # a thread that hangs in a library must not meet the library's own clean-up
    return ending.code


class _Ending:
    """When and why a program ends.

    Signals arrive through a pipe that Python's C code writes to, so they count also while the main thread is deep in a
    library and no Python handler could run.
    """

    def __init__(self):
        self.error = None
        self._told = threading.Event()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: None)
        self.watcher = threading.Thread(target=self._watch, name='ending', daemon=True)
        self.watcher.start()

    @property
    def code(self):
        return 1 if self.error else 0

    def stop(self, error=None):
        """Tell the program to end; the first error counts."""
        self.error = self.error or error
        if not self._told.is_set():
            os.write(self._writer, b'\0')

    def wait(self):
        self._told.wait()

    def is_told(self):
        return self._told.is_set()

    def _watch(self):
        while os.read(self._reader, 1)[0] not in (0, signal.SIGINT, signal.SIGTERM):
            pass
        self._told.set()
        time.sleep(GRACE)
        _leave(self.code)


def _init():
    """Initialize ROS from the command line. Raises ParameterError."""
    try:
        rclpy.init(**OWN_SIGNALS)
    except (RuntimeError, ValueError) as error:
        raise ParameterError('cannot use the command line {}: {}'.format(
            ' '.join(sys.argv[1:]), ' '.join(str(error).split())))
    strange = remove_ros_args(sys.argv)[1:]
    if strange:
        raise ParameterError('the command line has {}, which no node reads; parameters are given as '
                             '--ros-args -p NAME:=VALUE'.format(' '.join(strange)))


def _spin_until(ending, node, threads):
    executor = MultiThreadedExecutor(threads) if threads > 1 else SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=_spin, args=(executor, ending), name='spin', daemon=True)
    spinner.start()
    ending.wait()
    executor.create_task(lambda: None)  # wakes it; its shutdown() takes away what a thread that spins still uses
    spinner.join()
    pool = getattr(executor, '_executor', None)
    if pool:
        pool.shutdown()  # callbacks end before their node does
    executor.remove_node(node)


def _spin(executor, ending):
    try:
        while executor.context.ok() and not ending.is_told():
            executor.spin_once()
        ending.stop()
    except ExternalShutdownException:
        ending.stop()
    except Exception as error:
        ending.stop(error)


def _leave(code):
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
