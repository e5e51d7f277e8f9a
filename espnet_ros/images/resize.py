"""Resizing for the network, the same for training, calibration and the robot: images linearly, labels by nearest."""
import cv2
import numpy as np


def resize_image(image, width, height):
    """Return an image resized to [height, width, 3], or the image itself where it has that size already.

    image: BGR uint8 [H, W, 3]. The result is float32 0..255, bilinear about pixel centers: rounding to bytes would
    change up to 0.6% of the labels (PyTorch on Cityscapes images, 2048x1024 to 1024x512).
    """
    if image.shape[1::-1] == (width, height):
        return image
    return cv2.resize(image.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def resize_for_viewing(image, width, height):
    """Return an image uint8 [H, W] or [H, W, 3] resized to width and height; shrinking averages over areas."""
    if image.shape[1::-1] == (width, height):
        return image
    shrinks = width < image.shape[1] and height < image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_nearest(image, width, height):
    """Return a 2D array resized to [height, width]; each pixel takes the value under its center.

    OpenCV's INTER_NEAREST takes the value under the pixel's corner instead, which shifts labels by up to half a pixel.
    """
    if image.shape == (height, width):
        return image
    columns = ((np.arange(width) + 0.5) * image.shape[1] / width).astype(np.intp)
    rows = ((np.arange(height) + 0.5) * image.shape[0] / height).astype(np.intp)
    # The order with the smaller array between the two steps.
    if image.shape[0] * width <= height * image.shape[1]:
        return image.take(columns, axis=1).take(rows, axis=0)
    return image.take(rows, axis=0).take(columns, axis=1)
