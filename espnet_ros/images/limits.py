"""Types and sizes of the images that anything in this package reads, whether messages, files or video frames."""
from espnet_ros.errors import ImageError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp')
MAX_PIXELS = 64 * 1024 * 1024
MAX_SIDE = 16384
"""Pixels of width or height. Buffers for rows and columns grow with a side, however few pixels the image has."""


def check_size(width, height, name='the image'):
    """Raise ImageError when an image of that size is empty or too large; name: what the message calls it."""
    if width < 1 or height < 1:
        raise ImageError('{} is {}x{} pixels, so it is empty; fix its publisher'.format(name, width, height))
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError('{} is {}x{} pixels, more than the {} allowed or {} on a side; use smaller images'.format(
            name, width, height, MAX_PIXELS, MAX_SIDE))
