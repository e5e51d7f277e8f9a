"""Publish a folder's PNG images on `image`, each after the labels of the one before have come back.

Usage: python folder_publisher.py FOLDER. Frame i has the frame_id camera_<i> and a stamp of its own; the program ends
when the last frame is answered, or with code 1 when an answer stays out for 30 s.
"""
import pathlib
import sys
import time

import cv2
import rclpy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from espnet_ros.nodes.common.messages import array_to_image


def main():
    rclpy.init()
    node = rclpy.create_node('folder_publisher')
    publisher = node.create_publisher(Image, 'image', 1)
    answers = []
    node.create_subscription(Image, '/espnet/labels', lambda m: answers.append(m.header.frame_id), 10)
    while publisher.get_subscription_count() == 0 or node.count_publishers('/espnet/labels') == 0:
        rclpy.spin_once(node, timeout_sec=0.1)
    time.sleep(1.0)  # the other side's half of the discovery
    for i, path in enumerate(sorted(pathlib.Path(sys.argv[1]).glob('*.png'))):
        frame_id = 'camera_{}'.format(i)
        header = Header(frame_id=frame_id, stamp=node.get_clock().now().to_msg())
        publisher.publish(array_to_image(cv2.imread(str(path)), 'bgr8', header))
        deadline = time.monotonic() + 30.0
        while frame_id not in answers:
            rclpy.spin_once(node, timeout_sec=0.1)
            if time.monotonic() > deadline:
                sys.exit('no answer to {}'.format(path.name))
    print('published', i + 1, flush=True)


main()
