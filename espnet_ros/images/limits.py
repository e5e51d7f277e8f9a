"""Types and sizes of the images that anything in this package reads, whether messages, files or video frames."""
from espnet_ros.errors import ImageError
from espnet_ros.limits import MAX_PIXELS, MAX_SCANNED_PIXELS, MAX_SIDE

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'MAX_SIDE', 'check_scans', 'check_size']

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp')


def check_size(width, height, name='the image'):
    """Raise ImageError when an image of that size is empty or too large; name: what the message calls it."""
    if width < 1 or height < 1:
        raise ImageError('{} is {}x{} pixels, so it is empty; fix its publisher'.format(name, width, height))
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError('{} is {}x{} pixels, more than the {} allowed or {} on a side; use smaller images'.format(
            name, width, height, MAX_PIXELS, MAX_SIDE))


def check_scans(scans, width, height, name='the image'):
    """Raise ImageError when a JPEG has so many scans that its decoder would be busy for long."""
    if scans * width * height > MAX_SCANNED_PIXELS:
        raise ImageError('{} is a JPEG of {}x{} pixels with {} scans, which takes too long to decode; save it without '
                         'progression'.format(name, width, height, scans))
