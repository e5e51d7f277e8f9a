"""Slides in tiles: as in one piece where receptive fields allow, resumable, with a sentence for what cannot be."""
import math
import tracemalloc

import numpy as np
import pytest
import torch
from small_models import CARD, network

from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import ParameterError, SourceError
from espnet_ros.network import NetworkConfig
from espnet_ros.segmenter import best_class
from espnet_ros.slides.stitching import Stitcher, write_labels


class Slide:
    """An image in memory in place of a slide's file."""

    def __init__(self, path, image):
        path.touch()
        self.path, self.image = str(path), image
        self.height, self.width = image.shape[:2]
        self.read_tiles = []

    def read(self, x, y, width, height):
        self.read_tiles.append((x, y))
        region = np.full((height, width, 3), 255, np.uint8)
        inside = self.image[y:y + height, x:x + width]
        region[:inside.shape[0], :inside.shape[1]] = inside
        return region


class Pointwise(Engine):
    """Gives the channels of a pixel as its logits, so that nothing depends on neighbors; `broken` after some tiles."""

    broken = math.inf

    def run(self, image, confidence=False):
        """Nothing asks for it: slides take logits."""

    def logits(self, image):
        self.broken -= 1
        if self.broken < 0:
            raise KeyboardInterrupt
        return image.astype(np.float32).transpose(2, 0, 1).copy()

    def describe(self):
        return EngineInfo('none', 'none', 'fp32', 0.0)


POINTWISE = CARD._replace(outputs=(0, 2, 255))


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def stitched(slide, engine, folder, overlap=8):
    stitcher = Stitcher(slide, engine, overlap, folder)
    stitcher.run(lambda: None)
    return np.concatenate(list(stitcher.rows(50)))


@pytest.mark.parametrize('height, width', [(64, 64), (65, 200), (200, 65), (331, 213), (40, 100), (100, 40)])
@pytest.mark.parametrize('overlap', [0, 8, 30])
def test_a_network_that_sees_pixels_alone_gives_the_labels_of_one_piece(tmp_path, height, width, overlap):
    image = picture(height, width)
    labels = stitched(Slide(tmp_path / 's', image), Pointwise(POINTWISE, 64, 64), tmp_path / 'p', overlap)
    np.testing.assert_array_equal(labels, np.array([0, 2, 255], np.uint8)[image.argmax(2)])


def test_logits_are_averaged_where_tiles_overlap(tmp_path):
    class Counting(Pointwise):
        """Says class 1 with the certainty that its tile's number gives, class 0 with 2.5."""

        calls = 0

        def logits(self, image):
            self.calls += 1
            planes = np.zeros((3, 64, 64), np.float32)
            planes[0], planes[1] = 2.5, self.calls
            return planes
    labels = stitched(Slide(tmp_path / 's', picture(64, 208)), Counting(POINTWISE, 64, 64), tmp_path / 'p', 16)
    # Tiles at 0, 48, 96 and 144: 1, 2, 3 and 4 of class 1; (2 + 3) / 2 is not above 2.5, and the first of equals wins.
    assert (labels[0, :112] == 0).all() and (labels[0, 112:] == 2).all()


def test_stitched_labels_are_those_of_one_piece_where_the_receptive_field_allows(tmp_path):
    """ESPNet-C, shallow and not dilated: a logit depends on pixels less than 48 away, an overlap has 56."""
    torch.manual_seed(4)
    config = NetworkConfig(variant='espnet-c', classes=4, alpha2=1, alpha3=1, dilated=False)
    card = CARD._replace(architecture=config, outputs=(0, 1, 2, 3))
    net = network(config)
    image = np.kron(picture(40, 40), np.ones((16, 16, 1), np.uint8))
    engine = PyTorchEngine(card, net, 640, 640)
    whole, _ = best_class(engine.logits(image), card.outputs, 640, 640)
    tiles = PyTorchEngine(card, net, 384, 384)
    labels = stitched(Slide(tmp_path / 's', image), tiles, tmp_path / 'p', 56)
    inner = [256, 384]  # edges of tiles inside the slide: at 0..384 and 256..640
    near = np.abs(np.arange(640)[:, None] + 0.5 - inner).min(1) < 48
    allowed = ~(near[:, None] | near)
    assert allowed.mean() > 0.45 and len(np.unique(whole)) > 2
    assert (labels == whole)[allowed].mean() > 0.9999  # equal but for rounding
    assert (labels == whole)[~allowed].mean() < 0.9999  # elsewhere tiles see zeros behind their edges


def test_an_interrupted_segmentation_goes_on_with_the_same_result(tmp_path):
    slide = Slide(tmp_path / 's', picture(300, 250))
    wanted = stitched(slide, Pointwise(POINTWISE, 64, 64), tmp_path / 'whole')
    count = len(slide.read_tiles)
    first = Pointwise(POINTWISE, 64, 64)
    first.broken = count // 2 + 1
    with pytest.raises(KeyboardInterrupt):
        stitched(slide, first, tmp_path / 'p')
    with open(tmp_path / 'p' / 'labels', 'ab') as stream:
        stream.write(b'of a row that was written when the process was killed')
    del slide.read_tiles[:]
    stitcher = Stitcher(slide, Pointwise(POINTWISE, 64, 64), 8, tmp_path / 'p')
    assert 0 < stitcher.done < stitcher.tiles == count
    done = []
    stitcher.run(lambda: done.append(1))
    assert len(done) == len(slide.read_tiles) == stitcher.tiles - count // 2 // 5 * 5
    np.testing.assert_array_equal(np.concatenate(list(stitcher.rows(64))), wanted)
    # Finished, and kept for other settings of the model only.
    assert Stitcher(slide, Pointwise(POINTWISE, 64, 64), 8, tmp_path / 'p').done == count
    assert Stitcher(slide, Pointwise(POINTWISE, 64, 64), 16, tmp_path / 'p').done == 0
    assert Stitcher(slide, Pointwise(POINTWISE._replace(sha256='1' * 64), 64, 64), 8, tmp_path / 'p').done == 0


@pytest.mark.parametrize('damage', [
    lambda folder: (folder / 'state').write_bytes(b''), lambda folder: (folder / 'labels').write_bytes(b'x'),
    lambda folder: (folder / 'state').write_bytes((folder / 'state').read_bytes()[:-5]),
    lambda folder: (folder / 'state').write_bytes((folder / 'state').read_bytes().split(b'\n')[0] + b'\n[1, 2]\n'),
    lambda folder: (folder / 'labels').unlink()])
def test_damaged_leftovers_are_begun_anew(tmp_path, damage):
    slide = Slide(tmp_path / 's', picture(200, 100))
    engine = Pointwise(POINTWISE, 64, 64)
    engine.broken = 5
    with pytest.raises(KeyboardInterrupt):
        stitched(slide, engine, tmp_path / 'p')
    damage(tmp_path / 'p')
    assert Stitcher(slide, Pointwise(POINTWISE, 64, 64), 8, tmp_path / 'p').done == 0
    labels = stitched(slide, Pointwise(POINTWISE, 64, 64), tmp_path / 'p')
    np.testing.assert_array_equal(labels, np.array([0, 2, 255], np.uint8)[slide.image.argmax(2)])


def test_what_cannot_be_tiled_gets_a_sentence(tmp_path):
    engine = Pointwise(POINTWISE, 64, 64)
    with pytest.raises(ParameterError, match='overlap is 33; it must be from 0 to half a tile, 32 pixels'):
        Stitcher(Slide(tmp_path / 's', picture(100, 100)), engine, 33, tmp_path / 'p')
    with pytest.raises(SourceError, match='is 50x40 pixels, less than a tile of 64x64; it is a thumbnail'):
        Stitcher(Slide(tmp_path / 's', picture(40, 50)), engine, 8, tmp_path / 'p')
    assert not (tmp_path / 'p').exists()


def test_the_label_image_is_a_tiled_tiff(tmp_path):
    tifffile = pytest.importorskip('tifffile')
    slide = Slide(tmp_path / 's', picture(600, 700))
    stitcher = Stitcher(slide, Pointwise(POINTWISE, 64, 64), 8, tmp_path / 'p')
    stitcher.run(lambda: None)
    write_labels(tmp_path / 'labels.tif', stitcher, 700, 600)
    with tifffile.TiffFile(tmp_path / 'labels.tif') as file:
        page = file.pages[0]
        assert page.is_tiled and (page.tilewidth, page.dtype, page.photometric.name) == (512, np.uint8, 'MINISBLACK')
        np.testing.assert_array_equal(page.asarray(), np.array([0, 2, 255], np.uint8)[slide.image.argmax(2)])


class Constant(Pointwise):
    """Gives the same logits for every tile, at no cost."""

    def logits(self, image):
        return np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (8, self.height, self.width))


@pytest.mark.slow
def test_memory_depends_on_the_width_of_a_slide_alone(tmp_path):
    tifffile = pytest.importorskip('tifffile')
    peaks = []
    for height in (1000, 2000):
        slide = Slide(tmp_path / 's', np.broadcast_to(np.uint8(9), (height, 20_000, 3)))
        engine = Constant(CARD._replace(outputs=tuple(range(8))), 384, 384)
        tracemalloc.start()
        try:
            stitcher = Stitcher(slide, engine, 56, tmp_path / str(height))
            stitcher.run(lambda: None)
            write_labels(tmp_path / 'labels.tif', stitcher, 20_000, height)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (tifffile.imread(tmp_path / 'labels.tif') == 7).all()
    assert peaks[1] - peaks[0] < 1e6 and peaks[1] < 400e6, peaks
