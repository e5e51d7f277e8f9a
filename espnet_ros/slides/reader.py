"""Whole-slide images, larger than memory, read in regions through OpenSlide."""
import contextlib
import functools
import os

import numpy as np

from espnet_ros.errors import SourceError, one_line, printable
from espnet_ros.limits import SLIDE_CACHE_BYTES, SLIDE_PIXELS, SLIDE_SIDE, SLIDE_TILE_PIXELS


class Slide:
    """A whole-slide image at its full resolution.

    path: of the file. width, height: in pixels. It can be pickled and used in forked processes, each of which opens
    the file itself.
    """

    def __init__(self, path):
        """Open the file. Raises SourceError."""
        self.path = str(path)
        self._process, self._file = 0, None
        self.width, self.height = self._open().dimensions

    def read(self, x, y, width, height):
        """Return a region as BGR uint8 [height, width, 3], white outside of the slide and where it has no pixels.

        x, y: of its left upper corner. Raises SourceError when the file is damaged there.
        """
        from openslide import OpenSlideError
        try:
            region = np.asarray(self._open().read_region((x, y), 0, (width, height)))
        except OpenSlideError as error:  # after which OpenSlide refuses to read on from this file
            self._file = None
            raise SourceError("the slide '{}' cannot be read at {}, {}: {}; it is cut off or damaged, copy it again"
                              .format(printable(self.path), x, y, one_line(error)))
        return np.where(region[:, :, 3:] > 0, region[:, :, 2::-1], np.uint8(255))

    def __getstate__(self):
        return dict(self.__dict__, _file=None)

    def _open(self):
        if self._file is None or self._process != os.getpid():  # a fork would share the position in the file
            self._process, self._file = os.getpid(), _opened(self.path)
        return self._file


def _opened(path):
    name = printable(path)
    if not os.path.isfile(path):
        raise SourceError("there is no file '{}'".format(name))
    try:
        import openslide
    except (ImportError, OSError):  # OSError: the Python package without the library
        raise SourceError("the slide '{}' needs the Python packages openslide-python, openslide-bin and tifffile; with "
                          "pip: pip install 'espnet_ros[slides]'".format(name))
    try:
        slide = openslide.OpenSlide(path)
    except openslide.OpenSlideUnsupportedFormatError:
        raise SourceError("'{}' is no slide that OpenSlide knows: a scanner's file or a TIFF in tiles; leave out "
                          '--tiles for other images'.format(name))
    except openslide.OpenSlideError as error:
        raise SourceError("the slide '{}' cannot be opened: {}; it is cut off or damaged, copy it again".format(
            name, one_line(error)))
    width, height = slide.dimensions
    if max(width, height) > SLIDE_SIDE or width * height > SLIDE_PIXELS:
        raise SourceError("the slide '{}' claims {}x{} pixels, more than the {} on a side or {} allowed".format(
            name, width, height, SLIDE_SIDE, SLIDE_PIXELS))
    sides = [int(slide.properties.get('openslide.level[0].tile-' + side, 0)) for side in ('width', 'height')]
    if sides[0] * sides[1] > SLIDE_TILE_PIXELS:
        raise SourceError("the slide '{}' claims tiles of {}x{} pixels, more than the {} allowed; save it in smaller "
                          'ones'.format(name, *sides, SLIDE_TILE_PIXELS))
    with contextlib.suppress(openslide.OpenSlideVersionError):  # before OpenSlide 4.0
        slide.set_cache(_cache(os.getpid()))
    return slide


@functools.lru_cache(maxsize=1)
def _cache(_process):
    import openslide
    return openslide.OpenSlideCache(SLIDE_CACHE_BYTES)
