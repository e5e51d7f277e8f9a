"""Datasets of slides: their tiles, and slides that are hostile."""
import pickle
import struct
import sys

import numpy as np
import pytest

pytest.importorskip('openslide', reason='slides need openslide-python and openslide-bin')
tifffile = pytest.importorskip('tifffile', reason='slides need tifffile')

from slide_maker import SyntheticSlide, write_slide  # noqa: E402

from espnet_ros.datasets import TISSUES, open_dataset  # noqa: E402
from espnet_ros.errors import LabelError, SourceError  # noqa: E402
from espnet_ros.slides import reader  # noqa: E402
from espnet_ros.slides.reader import Slide  # noqa: E402


def whole(slide, what):
    """The image (what = 0, BGR) or the labels (1) of a SyntheticSlide in one piece."""
    tiles = iter(slide.tiles(what))
    rows = [np.hstack([next(tiles) for _ in range(0, slide.width, 256)]) for _ in range(0, slide.height, 256)]
    pixels = np.vstack(rows)[:slide.height, :slide.width]
    return pixels if what else pixels[:, :, ::-1]


def test_tiles_of_slides_and_their_labels(tmp_path):
    write_slide(tmp_path, 700, 390, 1, 'b')
    write_slide(tmp_path, 400, 384, 2, 'a')
    dataset = open_dataset('wsi:{0}/slides:{0}/labels'.format(tmp_path))
    assert [item.name for item in dataset] == [
        'a_000000_000000', 'a_000016_000000', 'b_000000_000000', 'b_000320_000000', 'b_000000_000008',
        'b_000320_000008']
    assert dataset.label_set == TISSUES and len(TISSUES.classes) == 8
    slide = SyntheticSlide(700, 390, 1)
    image, labels = whole(slide, 0), whole(slide, 1)
    item = pickle.loads(pickle.dumps(dataset))[5]
    assert item.image.shape == (384, 384, 3) and item.labels.shape == (384, 384)
    np.testing.assert_array_equal(item.image[:382, :380], image[8:, 320:])
    np.testing.assert_array_equal(item.labels[:382, :380], labels[8:, 320:])
    assert (item.labels[382:] == 255).all() and (item.labels[:, 380:] == 255).all()
    assert (item.image[382:] == 255).all() and (item.image[:, 380:] == 255).all()
    assert len(dataset.files()) == 4


def test_labels_that_do_not_fit(tmp_path):
    write_slide(tmp_path, 400, 400)
    write_slide(tmp_path / 'other', 500, 400)
    with pytest.raises(LabelError, match="labels/slide.tif' is 500x400 pixels, but its slide '.*' is 400x400"):
        open_dataset('wsi:{0}/slides:{0}/other/labels'.format(tmp_path))
    with pytest.raises(LabelError, match="label slide '.*' at 0, 0 is in color; it must be gray"):
        open_dataset('wsi:{0}/slides:{0}/slides'.format(tmp_path))[0]
    (tmp_path / 'map.yaml').write_text('label_set: {name: two, classes: [{id: 0, name: none, color: [0, 0, 0]}, '
                                       '{id: 1, name: tumor, color: [255, 0, 0]}]}\nclasses: {none: [0], tumor: [2]}')
    with pytest.raises(LabelError, match="label slide '.*' at 0, 0 holds the value 1 "):
        open_dataset('wsi:{0}/slides:{0}/labels:{0}/map.yaml'.format(tmp_path))[0]
    with pytest.raises(SourceError, match="no file '.*slide.tif'"):
        open_dataset('wsi:{0}/slides:{0}'.format(tmp_path))
    with pytest.raises(SourceError, match="'.*images' holds no slides"):
        open_dataset('wsi:{0}/images:{0}/labels'.format(tmp_path))


def changed(path, tag, value, kind='<I'):
    """Overwrite the value of a TIFF tag of the first page."""
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].tags[tag].valueoffset
    with open(path, 'r+b') as stream:
        stream.seek(offset)
        stream.write(struct.pack(kind, value))


def hostile(path, kind):
    """Write a file that is no usable slide."""
    image = np.zeros((600, 600, 3), np.uint8)
    if kind == 'not tiled':
        return tifffile.imwrite(path, image, photometric='rgb')
    if kind == 'text':
        return path.write_text('a slide')
    if kind == 'empty':
        return path.write_bytes(b'')
    random = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    tifffile.imwrite(path, random, photometric='rgb', tile=(256, 256), compression='zlib')
    if kind == 'cut':
        path.write_bytes(path.read_bytes()[:1000000])
    if kind == 'cut in its directory':
        path.write_bytes(path.read_bytes()[:40])
    if kind == 'gigantic':
        changed(path, 'ImageWidth', 1 << 30)
        changed(path, 'ImageLength', 1 << 30)
    if kind == 'gigantic tiles':
        changed(path, 'TileWidth', 1 << 16)
        changed(path, 'TileLength', 1 << 16)
    if kind == 'photometric':
        changed(path, 'PhotometricInterpretation', 77, '<H')
    return None


@pytest.mark.parametrize('kind, words', [
    ('cut', 'cannot be read at .*copy it again'), ('cut in its directory', 'no slide that OpenSlide knows|cut off'),
    ('gigantic', 'x.tif. (claims|cannot be opened: Invalid TIFF)'),
    ('gigantic tiles', 'claims tiles of 65536x65536 pixels'), ('photometric', 'copy it again|no slide'),
    ('not tiled', 'no slide that OpenSlide knows: a scanner.s file or a TIFF in tiles'),
    ('text', 'no slide that OpenSlide knows'), ('empty', 'no slide that OpenSlide knows'), ('nothing', 'no file')])
def test_hostile_slides_get_a_sentence(tmp_path, kind, words, capfd):
    path = tmp_path / 'x.tif'
    if kind != 'nothing':
        hostile(path, kind)
    with pytest.raises(SourceError, match=words) as caught:
        slide = Slide(path)
        slide.read(0, 0, 384, 384)
        slide.read(1100, 1100, 384, 384)
    assert '\n' not in str(caught.value) and str(path) in str(caught.value)
    assert capfd.readouterr().err == ''


def test_slides_have_a_limit(tmp_path, monkeypatch):
    path, _ = write_slide(tmp_path, 400, 300)
    monkeypatch.setattr(reader, 'SLIDE_SIDE', 399)
    with pytest.raises(SourceError, match='claims 400x300 pixels, more than the 399 on a side'):
        Slide(path)


def test_all_slides_of_a_process_share_one_cache(tmp_path, monkeypatch):
    import openslide
    caches = []
    monkeypatch.setattr(openslide.OpenSlide, 'set_cache', lambda self, cache: caches.append(cache))
    for name in 'ab':
        Slide(write_slide(tmp_path, 400, 384, name=name)[0])
    assert len(caches) == 2 and caches[0] is caches[1]


def test_without_openslide_the_remedy_is_named(tmp_path, monkeypatch):
    path, _ = write_slide(tmp_path, 400, 300)
    monkeypatch.setitem(sys.modules, 'openslide', None)
    with pytest.raises(SourceError, match=r"needs the Python packages .*pip install 'espnet_ros\[slides\]'"):
        Slide(path)
