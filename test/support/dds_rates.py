"""Rates at which subscribers of different quality of service receive the segmentation node's outputs.

Usage: python3 test/support/dds_rates.py [PROFILE.xml]. A camera of 10 Hz and 1024x512, the default model, and one
subscriber at a time, 15 s each; PROFILE.xml is a Fast DDS profile for the nodes, such as config/fastdds.xml.
"""
import contextlib
import os
import pathlib
import sys
import tempfile
import time

from espnet_ros.cli.nodes import Nodes
from espnet_ros.clients.background import spinning
from espnet_ros.clients.domain import private_domain, private_environment

SECONDS = 15.0
WIDTH, HEIGHT, RATE = 1024, 512, 10.0


def subscribe(node, topic, reliable):
    """Return a list that grows with each message."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import CompressedImage, Image
    found = []
    qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT)
    kind = CompressedImage if topic.endswith('compressed') else Image
    return found, node.create_subscription(kind, '/espnet/' + topic, lambda message: found.append(None), qos)


def main():
    """Print a rate for each topic and quality of service."""
    with contextlib.ExitStack() as stack:
        environment = private_environment(stack.enter_context(private_domain()))
        os.environ.clear()
        os.environ.update(environment)
        import rclpy
        nodes = stack.enter_context(Nodes(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        profile = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(pathlib.Path(sys.argv[1]).resolve())} if sys.argv[1:] else {}
        os.environ.update(profile)
        nodes.start('segmentation', 'image:=image_raw')
        nodes.start('camera', source='street', width=WIDTH, height=HEIGHT, rate=RATE)
        for name in profile:  # subscribers do without it
            del os.environ[name]
        node = stack.enter_context(spinning(lambda: rclpy.create_node('dds_rates')))
        warm, subscription = subscribe(node, 'labels', True)
        while len(warm) < 20:
            nodes.check()
            time.sleep(0.1)
        node.destroy_subscription(subscription)
        for topic in ('overlay', 'labels', 'overlay/compressed', 'labels/compressed'):
            for reliable in (True, False):
                found, subscription = subscribe(node, topic, reliable)
                time.sleep(2.0)
                before, began = len(found), time.monotonic()
                time.sleep(SECONDS)
                rate = (len(found) - before) / (time.monotonic() - began)
                node.destroy_subscription(subscription)
                print('{:<20} {:<12} {:5.1f} Hz'.format(topic, 'reliable' if reliable else 'best effort', rate),
                      flush=True)


if __name__ == '__main__':
    main()
