"""The ground node as a program."""
import sys

from espnet_ros.nodes.common.process import run
from espnet_ros.nodes.ground.node import GroundNode


def main():
    """Run the node until it is told to stop; return the exit code."""
    return run(lambda stop: GroundNode())


if __name__ == '__main__':
    sys.exit(main())
