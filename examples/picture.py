"""From a picture to labels, in three lines."""
import cv2

import espnet_ros

segmenter = espnet_ros.load('camvid-espnet-q8')  # built once; takes a second
result = segmenter.segment(cv2.imread('docs/street.jpg'), confidence=True)
print(result.labels.shape, result.labels.dtype, result.confidence.mean())  # labels are at the picture's size
