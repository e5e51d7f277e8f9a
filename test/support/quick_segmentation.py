"""The segmentation node as a program whose diagnostics come five times a second, because tests wait for them."""
import espnet_ros.nodes.segmentation.node as node
from espnet_ros.nodes.segmentation.__main__ import main  # noqa: F401

node.PERIOD = 0.2
