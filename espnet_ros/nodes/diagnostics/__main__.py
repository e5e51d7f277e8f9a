"""The diagnostics node as a program."""
import sys

from espnet_ros.nodes.common.process import run


def make_node(_stop):
    """Import and return the node."""
    from espnet_ros.nodes.diagnostics.node import DiagnosticsNode
    return DiagnosticsNode()


def main():
    """Run the node until it is told to stop; return the exit code."""
    return run(make_node)


if __name__ == '__main__':
    sys.exit(main())
