"""Whole-slide images with label slides, as tiles."""
import pathlib

import numpy as np

from espnet_ros.datasets.base import Dataset, LabeledImage
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels import UNLABELED, LabelClass, LabelSet
from espnet_ros.labels.truth import ground_truth
from espnet_ros.slides import SLIDE_SUFFIXES
from espnet_ros.slides.grid import OVERLAP, positions
from espnet_ros.slides.reader import Slide

TILE = 384
"""Side of the tiles in pixels, as in the whole-slide experiment of the paper (table 1d)."""

TISSUES = LabelSet('tissues', tuple(LabelClass(i, name, 0, color) for i, (name, color) in enumerate((
    ('background', (255, 255, 255)), ('benign epithelium', (0, 114, 178)), ('malignant epithelium', (213, 94, 0)),
    ('normal stroma', (204, 121, 167)), ('desmoplastic stroma', (240, 228, 66)), ('secretion', (86, 180, 233)),
    ('necrosis', (0, 0, 0)), ('blood', (170, 0, 30))))))
"""The eight tissues of the breast biopsy slides (Mehta et al., WACV 2018). The data are not public: names and their
order are from memory, colors are this package's.
"""


class SlideTiles(Dataset):
    """The tiles of the slides in a folder; the labels of each are a slide of the same stem in another folder.

    Label slides are TIFF files in tiles, gray and losslessly compressed. Tiles overlap by slides.grid.OVERLAP pixels;
    beyond a slide they are white and unlabeled. Raises SourceError, LabelError.
    """

    def __init__(self, images, labels, mapping=''):
        """mapping: as for readers.folder; '' for the ids of TISSUES."""
        self._truth = ground_truth(mapping) if mapping else ground_truth('ids', TISSUES)
        super().__init__("'{}'".format(images), self._truth.label_set)
        folder = pathlib.Path(images)
        paths = sorted(p for p in folder.glob('*') if p.suffix.lower() in (*SLIDE_SUFFIXES, '.tif', '.tiff', '.dcm'))
        if not paths:
            raise SourceError("'{}' holds no slides; is the path right?".format(folder))
        self._slides, self._tiles = [], []
        for number, path in enumerate(paths):
            slide, truth = Slide(path), Slide(pathlib.Path(labels, path.stem + '.tif'))
            if (slide.width, slide.height) != (truth.width, truth.height):
                raise LabelError("'{}' is {}x{} pixels, but its slide '{}' is {}x{}".format(
                    truth.path, truth.width, truth.height, path, slide.width, slide.height))
            self._slides.append((path.stem, slide, truth))
            self._tiles += [(number, x, y) for y in positions(slide.height, TILE, OVERLAP)
                            for x in positions(slide.width, TILE, OVERLAP)]

    def files(self):
        return [pathlib.Path(slide.path) for _, *pair in self._slides for slide in pair]

    def __len__(self):
        return len(self._tiles)

    def _read(self, i):
        number, x, y = self._tiles[i]
        stem, slide, truth = self._slides[number]
        pixels = truth.read(x, y, TILE, TILE)
        where = "the label slide '{}' at {}, {}".format(truth.path, x, y)
        if (pixels != pixels[:, :, :1]).any():
            raise LabelError('{} is in color; it must be gray, one value for each class'.format(where))
        inside = pixels[:slide.height - y, :slide.width - x, 0]
        labels = np.full((TILE, TILE), UNLABELED, np.uint8)
        labels[:inside.shape[0], :inside.shape[1]] = self._truth.decode(np.ascontiguousarray(inside), where)
        return LabeledImage('{}_{:06d}_{:06d}'.format(stem, x, y), slide.read(x, y, TILE, TILE), labels)
