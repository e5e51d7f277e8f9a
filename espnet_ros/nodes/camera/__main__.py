"""The camera node as a program."""
import sys

from espnet_ros.nodes.common.process import run


def make_node(stop):
    """Import and return the node."""
    from espnet_ros.nodes.camera.node import CameraNode
    return CameraNode(stop)


def main():
    """Run the node until its source ends or it is told to stop; return the exit code."""
    return run(make_node)


if __name__ == '__main__':
    sys.exit(main())
