"""Publish one picture again and again on `image`: the camera of the tests under load.

Usage: python flood_publisher.py WIDTH HEIGHT RATE SECONDS. Waits for the node to listen, publishes one image, rests a
second, prints `begin`, publishes, rests a second, publishes one last image with the frame_id `last`, and prints how
many images that were together.
"""
import sys
import time

import numpy as np
import rclpy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from espnet_ros.nodes.common.messages import array_to_image


def main():
    width, height, rate, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    rclpy.init()
    node = rclpy.create_node('flood_publisher')
    publisher = node.create_publisher(Image, 'image', 1)
    while publisher.get_subscription_count() == 0:
        rclpy.spin_once(node, timeout_sec=0.1)
    time.sleep(1.0)  # the other side's half of the discovery
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    message = array_to_image(picture, 'bgr8', Header(frame_id='camera'))
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(1.0)  # until it is delivered: of those lost before the first that arrives, the node cannot know
    print('begin', flush=True)
    began = time.monotonic()
    count = 0
    while time.monotonic() < began + seconds:
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        count += 1
        time.sleep(max(0.0, began + count / rate - time.monotonic()))
    time.sleep(1.0)
    message.header.frame_id = 'last'
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    print('published', count + 2, flush=True)
    time.sleep(1.0)  # until it is delivered


main()
