"""Spins a node in a thread beside a program's main thread."""
import contextlib
import threading

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from espnet_ros.nodes.common.process import init, shut_down


@contextlib.contextmanager
def spinning(make_node):
    """Initialize ROS, spin the node that make_node() returns in a thread, and yield it; afterwards undo both.

    What one of its callbacks raises ends the thread and becomes the node's attribute `error`.
    """
    init(args=[])
    try:
        node = make_node()
    except BaseException:
        shut_down()
        raise
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    ended = threading.Event()

    def spin():
        try:
            while not ended.is_set():
                executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:  # Ctrl-C
            pass
        except Exception as error:
            node.error = error
    thread = threading.Thread(target=spin, name='spinning', daemon=True)
    thread.start()
    try:
        yield node
    finally:
        ended.set()
        thread.join()
        node.destroy_node()
        shut_down()
