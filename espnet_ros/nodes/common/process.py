"""Runs one node as one program: initializes ROS, spins, and shuts down cleanly on signals, errors and requests."""
import os
import signal
import sys
import threading
import time

from espnet_ros.errors import EspnetError, ParameterError

# This module imports rclpy inside functions, so that signals are handled before imports that take seconds.

GRACE = 1.5
"""Seconds until a program that is told to end is cut off, because a driver or the network blocks it."""


def run(make_node, threads=1):
    """Run the node that make_node(stop) returns until it is told to end; return the program's exit code.

    SIGINT, SIGTERM and stop() end it with exit code 0. An EspnetError - raised by make_node or a callback, or passed
    to stop(error) - is logged as one sentence and ends it with 1; any other exception is raised after the clean-up.
    stop may be called from any thread and returns at once.

    Callbacks run in one thread, or in a pool of `threads`; never in the main thread, which waits for signals.
    make_node should import what takes long: signals are handled from here on. The node's destroy_node() must end what
    the node has started. This is a program's whole main: GRACE seconds after it is told to end, the process exits even
    if something blocks. Call it from the main thread, once.
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
        _log_fatal(node, str(ending.error))
    if node:
        node.destroy_node()
    shut_down()
    if ending.error and not isinstance(ending.error, EspnetError):
        raise ending.error
    if any(thread.daemon and thread is not ending.watcher for thread in threading.enumerate()):
        _leave(ending.code)  # a thread that blocks in a library would meet that library's own clean-up
    return ending.code


def init(args=None):
    """Initialize ROS without its signal handlers. args: command line; None for the program's.

    ROS from wheels is installed in the Python environment, where it is found only through AMENT_PREFIX_PATH.
    """
    if 'AMENT_PREFIX_PATH' not in os.environ and os.path.isdir(os.path.join(sys.prefix, 'share', 'ament_index')):
        os.environ['AMENT_PREFIX_PATH'] = sys.prefix
    import rclpy
    try:
        from rclpy.signals import SignalHandlerOptions
    except ImportError:  # before Humble; its SIGINT handler calls the previous one
        rclpy.init(args=args)
    else:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)


def shut_down():
    """Shut ROS down where it is initialized."""
    import rclpy
    if rclpy.ok():
        rclpy.shutdown()


class _Ending:
    """When and why a program ends.

    Signals arrive through a pipe that Python's C code writes to, so they are seen also while the main thread is inside
    a library and no Python handler can run.
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
        init()
    except (RuntimeError, ValueError) as error:
        raise ParameterError('cannot use the command line {}: {}'.format(
            ' '.join(sys.argv[1:]), ' '.join(str(error).split())))
    from rclpy.utilities import remove_ros_args
    unknown = remove_ros_args(sys.argv)[1:]
    if unknown:
        raise ParameterError('the command line has {}, which no node reads; parameters are given as '
                             '--ros-args -p NAME:=VALUE'.format(' '.join(unknown)))


def _spin_until(ending, node, threads):
    from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
    executor = MultiThreadedExecutor(threads) if threads > 1 else SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=_spin, args=(executor, ending), name='spin', daemon=True)
    spinner.start()
    ending.wait()
    executor.create_task(lambda: None)  # wakes it; shutdown() now would destroy what the spinning thread still uses
    spinner.join()
    pool = getattr(executor, '_executor', None)
    if pool:
        pool.shutdown()  # callbacks end before their node does
    executor.remove_node(node)
    executor.shutdown(timeout_sec=0.5)


def _spin(executor, ending):
    from rclpy.executors import ExternalShutdownException
    try:
        while executor.context.ok() and not ending.is_told():
            executor.spin_once()
        ending.stop()
    except ExternalShutdownException:
        ending.stop()
    except Exception as error:
        ending.stop(error)


def _log_fatal(node, text):
    from rclpy.logging import get_logger
    (node.get_logger() if node else get_logger('espnet_ros')).fatal(text)


def _leave(code):
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
