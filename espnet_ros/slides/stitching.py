"""Segmentation of slides in overlapping tiles, whose logits are averaged, in bounded memory and resumable."""
import json
import os

import cv2
import numpy as np

from espnet_ros.errors import ParameterError, SourceError, printable
from espnet_ros.files import write_file
from espnet_ros.slides.grid import positions

STATE, LABELS = 'state', 'labels'
"""Files of an interrupted segmentation: its place and sums, and the labels so far, uint8 rows one after the other."""
TIFF_TILE = 512
"""Side of the tiles of the label image in pixels."""


class Stitcher:
    """Segments a slide row of tiles by row of tiles, from the top.

    The logits of the tiles that cover a pixel are averaged, and the best class of the average is its label. Of the
    sums, only those of one tile and of the overlap with the next row are in memory.

    slide: reader.Slide. engine: an engine.Engine that gives logits; its input size is that of the tiles. overlap: of
    neighboring tiles in pixels. folder: for the files of an interrupted segmentation, which goes on from there with
    the same result when slide, model, engine and tiles are the same. Raises ParameterError, SourceError.
    """

    def __init__(self, slide, engine, overlap, folder):
        if not 0 <= overlap <= min(engine.width, engine.height) // 2:
            raise ParameterError('overlap is {}; it must be from 0 to half a tile, {} pixels'.format(
                overlap, min(engine.width, engine.height) // 2))
        if slide.width < engine.width and slide.height < engine.height:
            raise SourceError("the slide '{}' is {}x{} pixels, less than a tile of {}x{}; it is a thumbnail, or an "
                              'image for which --tiles should be left out'.format(
                                  printable(slide.path), slide.width, slide.height, engine.width, engine.height))
        self._slide, self._engine, self._folder = slide, engine, str(folder)
        self._xs = positions(slide.width, engine.width, overlap)
        self._ys = positions(slide.height, engine.height, overlap)
        self._classes = np.array(engine.card.outputs, np.uint8)
        status, info = os.stat(slide.path), engine.describe()
        self._identity = json.dumps([
            slide.path, status.st_size, status.st_mtime_ns, engine.card.sha256, list(engine.card.outputs), engine.width,
            engine.height, overlap, info.backend, info.precision]).encode()
        self._row, self._sums = self._kept()

    @property
    def tiles(self):
        """Number of tiles of the slide."""
        return len(self._xs) * len(self._ys)

    @property
    def done(self):
        """Number of tiles that need not be computed again."""
        return self._row * len(self._xs)

    def run(self, advance):
        """Segment the remaining tiles, calling `advance` after each. Raises SourceError, EngineError."""
        os.makedirs(self._folder, exist_ok=True)
        with open(os.path.join(self._folder, LABELS), 'ab') as stream:
            for row in range(self._row, len(self._ys)):
                stream.truncate(self._ys[row] * self._slide.width)
                labels, self._sums = self._segment_row(row, advance)
                stream.write(labels.data)
                stream.flush()
                self._row = row + 1
                self._write_state()

    def rows(self, count):
        """Yield the labels of a finished segmentation, uint8 [count or fewer, width], from the top."""
        with open(os.path.join(self._folder, LABELS), 'rb') as stream:
            for _ in range(0, self._slide.height, count):
                yield np.frombuffer(stream.read(count * self._slide.width), np.uint8).reshape(-1, self._slide.width)

    def _segment_row(self, row, advance):
        """Return the labels that are final after a row of tiles, and the sums of the rows below them."""
        tile_width, tile_height = self._engine.width, self._engine.height
        y = self._ys[row]
        last = row + 1 == len(self._ys)
        final = (self._slide.height if last else self._ys[row + 1]) - y
        final = min(final, tile_height)
        kept = 0 if last else tile_height - final
        labels = np.empty((final, self._slide.width), np.uint8)
        below = np.empty((len(self._classes), kept, self._xs[-1] + tile_width), np.float32)
        window = np.zeros((len(self._classes), tile_height, tile_width), np.float32)
        begun = 0  # columns from the left that are, or were, in the window
        for number, x in enumerate(self._xs):
            fresh = x + tile_width - begun
            window[:, :, :tile_width - fresh] = window[:, :, fresh:].copy()
            window[:, :, tile_width - fresh:] = 0
            above = self._sums[:, :, begun:begun + fresh]
            window[:, :above.shape[1], tile_width - fresh:] += above
            begun = x + tile_width
            window += self._logits(x, y)
            end = self._xs[number + 1] if number + 1 < len(self._xs) else begun
            best = self._classes[window[:, :final, :end - x].argmax(0)]
            labels[:, x:end] = best[:, :max(0, self._slide.width - x)]
            below[:, :, x:end] = window[:, final:final + kept, :end - x]
            advance()
        return labels, below

    def _logits(self, x, y):
        """Return the logits of a tile, float32 [outputs, height, width]."""
        width, height = self._engine.width, self._engine.height
        logits = self._engine.logits(self._slide.read(x, y, width, height))
        if logits.shape[1:] == (height, width):
            return logits
        return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in logits])

    def _write_state(self):
        header = self._identity + b'\n' + json.dumps([self._row, *self._sums.shape]).encode() + b'\n'
        write_file(os.path.join(self._folder, STATE), header + self._sums.tobytes())

    def _kept(self):
        """Return the row to go on with, and the sums above it, of an interrupted segmentation or of a new one."""
        width = self._xs[-1] + self._engine.width
        nothing = 0, np.zeros((len(self._classes), 0, width), np.float32)
        try:
            with open(os.path.join(self._folder, STATE), 'rb') as stream:
                if stream.readline(1 << 16) != self._identity + b'\n':
                    return nothing
                row, outputs, kept, columns = json.loads(stream.readline(1 << 10))
                if (outputs, columns) != (len(self._classes), width) or not 0 <= kept <= self._engine.height:
                    return nothing
                sums = np.frombuffer(stream.read(4 * outputs * kept * width), np.float32).reshape(outputs, kept, width)
            end = self._slide.height if row == len(self._ys) else self._ys[row]
            if os.path.getsize(os.path.join(self._folder, LABELS)) < end * self._slide.width:
                return nothing
            return row, sums
        except (OSError, ValueError, TypeError, IndexError):
            return nothing


def write_labels(path, stitcher, width, height):
    """Write the labels of a finished segmentation as a tiled TIFF of ids, uint8, losslessly compressed.

    Larger than 4 GB it is a BigTIFF. Raises SourceError without the package tifffile.
    """
    try:
        import tifffile
    except ImportError:
        raise SourceError("label images of slides need the Python package tifffile; with pip: pip install "
                          "'espnet_ros[slides]'")
    tifffile.imwrite(str(path), _tiles(stitcher), shape=(height, width), dtype=np.uint8, tile=(TIFF_TILE, TIFF_TILE),
                     photometric='minisblack', compression='zlib', bigtiff=width * height > 1 << 31, metadata=None,
                     software='espnet_ros')


def _tiles(stitcher):
    for rows in stitcher.rows(TIFF_TILE):
        padded = np.zeros((TIFF_TILE, -(-rows.shape[1] // TIFF_TILE) * TIFF_TILE), np.uint8)
        padded[:len(rows), :rows.shape[1]] = rows
        yield from np.hsplit(padded, padded.shape[1] // TIFF_TILE)
