"""Age of the segmentation node's outputs: p50 and p95 from the camera's stamp to the last output, with all outputs.

Usage: [taskset -c 0] python3 test/support/node_age.py [RATE [SECONDS]]. A camera of 1024x512 at RATE (default: 10 Hz),
the default model, a subscriber of every output; `taskset` decides how many cores all of them have. Two trees are
compared by running it in each of them, in turns.
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
from espnet_ros.diagnostics import keys
from espnet_ros.labels import CATEGORIES

WIDTH, HEIGHT = 1024, 512
IMAGES = ['labels', 'categories', 'confidence', 'color', 'overlay'] + ['mask/' + name for name in CATEGORIES[1:]]


def main():
    """Print the percentiles of each stage, by the node's own ~/latency."""
    rate, seconds = (float(word) for word in (sys.argv[1:] + ['10', '30'][len(sys.argv) - 1:]))
    with contextlib.ExitStack() as stack:
        os.environ.update(private_environment(stack.enter_context(private_domain())))
        import rclpy
        from sensor_msgs.msg import CompressedImage, Image
        from std_msgs.msg import Float64MultiArray
        nodes = stack.enter_context(Nodes(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        nodes.start('segmentation', 'image:=image_raw')
        nodes.start('camera', source='street', width=WIDTH, height=HEIGHT, rate=rate, loop=True)
        node = stack.enter_context(spinning(lambda: rclpy.create_node('node_age')))
        count, latency = [0], []

        def counted(_):
            count[0] += 1
        for kind, names in ((Image, IMAGES), (CompressedImage, ['labels/compressed', 'overlay/compressed'])):
            for name in names:  # as bytes, for reading them all in Python would be the most of the work
                node.create_subscription(kind, '/espnet/' + name, counted, 1, raw=True)
        node.create_subscription(Float64MultiArray, '/espnet/latency', latency.append, 1)
        while count[0] < 50 * len(IMAGES):  # the first ones are slower
            nodes.check()
            time.sleep(0.1)
        time.sleep(seconds)
        stages, percentiles = (dimension.label.split(', ') for dimension in latency[-1].layout.dim)
        print('{} cores, {:g} Hz'.format(len(os.sched_getaffinity(0)), rate))
        for number, stage in enumerate(stages):
            values = latency[-1].data[number * len(percentiles):]
            print('{:<16} p50 {:6.1f} ms  p95 {:6.1f} ms{}'.format(
                stage, values[0], values[1], '  (age)' if stage == keys.STAMP_TO_OUTPUT else ''))


if __name__ == '__main__':
    main()
