"""Synthetic slides with their labels, as tiled TIFF files of any size: `python slide_maker.py SIDE FOLDER`."""
import pathlib
import sys

import cv2
import numpy as np
import tifffile

TILE = 256
COLORS = np.array([[243, 243, 244], [150, 90, 175], [110, 50, 140], [228, 170, 205], [200, 120, 170], [220, 200, 235],
                   [240, 130, 150], [190, 30, 50]], np.uint8)
"""RGB of the eight tissue classes, about those of hematoxylin and eosin."""
BLOB = 128
"""Pixels between points of the lattice whose interpolation says what tissue is where."""


class SyntheticSlide:
    """Blobs of eight tissues with grain, the same for the same size and seed. width, height: in pixels."""

    def __init__(self, width, height, seed=0):
        self.width, self.height = width, height
        random = np.random.default_rng(seed)
        self._lattice = random.random((height // BLOB + 4, width // BLOB + 4, 8), np.float32)
        self._grain = random.integers(-20, 20, (TILE, TILE, 3), np.int16)

    def tile(self, x, y):
        """Return image, RGB uint8, and labels, uint8 0..7, of the tile at x, y, multiples of TILE."""
        points = TILE // BLOB + 1
        part = self._lattice[y // BLOB:y // BLOB + points + 1, x // BLOB:x // BLOB + points + 1]
        field = cv2.resize(part, None, fx=BLOB, fy=BLOB, interpolation=cv2.INTER_LINEAR)
        labels = field[BLOB // 2:BLOB // 2 + TILE, BLOB // 2:BLOB // 2 + TILE].argmax(2).astype(np.uint8)
        return np.clip(COLORS[labels] + self._grain, 0, 255).astype(np.uint8), labels

    def tiles(self, what):
        """Yield images (what = 0) or labels (1) of all tiles, row by row."""
        for y in range(0, self.height, TILE):
            for x in range(0, self.width, TILE):
                yield self.tile(x, y)[what]


def write_slide(folder, width, height, seed=0, name='slide'):
    """Write folder/slides/NAME.tif and folder/labels/NAME.tif; return both paths."""
    slide = SyntheticSlide(width, height, seed)
    paths = []
    for what, kind in enumerate(('slides', 'labels')):
        path = pathlib.Path(folder, kind, name + '.tif')
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (height, width, 3) if what == 0 else (height, width)
        tifffile.imwrite(path, slide.tiles(what), shape=shape, dtype=np.uint8, tile=(TILE, TILE), compression='zlib',
                         compressionargs={'level': 1}, photometric='minisblack' if what else 'rgb', metadata=None)
        paths.append(path)
    return paths


if __name__ == '__main__':
    print(*write_slide(sys.argv[2], int(sys.argv[1]), int(sys.argv[1])), sep='\n')
