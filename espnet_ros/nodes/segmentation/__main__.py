"""The segmentation node as a program."""
import sys

from espnet_ros.errors import EspnetError
from espnet_ros.nodes.common.process import run
from espnet_ros.process import tune_process

NO_TORCH = ('PyTorch is not installed for {}; on a PC: pip install torch, in the environment of ROS; on a Jetson: '
            'install the wheel for your JetPack, found on NVIDIA\'s page "Installing PyTorch for Jetson Platform"')


def make_node(_stop):
    """Import and return the node. Raises EspnetError without PyTorch."""
    try:
        import torch  # noqa: F401  here: parts of this package import it when they first need it

        from espnet_ros.nodes.segmentation.node import SegmentationNode
    except ImportError as error:
        if error.name != 'torch':
            raise
        raise EspnetError(NO_TORCH.format(sys.executable))
    return SegmentationNode()


def main():
    """Run the node until it is told to stop; return the exit code."""
    tune_process()
    return run(make_node)


if __name__ == '__main__':
    sys.exit(main())
