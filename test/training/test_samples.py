"""Training samples: image and labels stay together, wrong files are named."""
import cv2
import numpy as np
import pytest

from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels import UNLABELED
from espnet_ros.training.samples import Sample, augment, camvid, class_weights, street


class Dice:
    """Stands in for the random numbers: everything neutral, but for the scale and whether to flip."""

    def __init__(self, scale=1.0, flip=False):
        self.scale, self.flip = scale, flip

    def uniform(self, low, high, size=None):
        if size is not None:
            return np.ones(size)
        if np.ndim(low):
            return np.array(low, float)  # the crop's corner, as far to the top left as it can be
        if (low, high) == (0.6, 1.8):
            return self.scale
        return 1.0 if low <= 1.0 <= high else 0.0

    def random(self):
        return 0.0 if self.flip else 0.9


def blocks(width, height, seed=0):
    """A sample of rectangles, none of them thin; each label has a grey of its own."""
    cells = np.random.RandomState(seed).randint(0, 11, (height // 16 + 1, width // 20 + 1)).astype(np.uint8)
    labels = np.ascontiguousarray(cells.repeat(16, 0).repeat(20, 1)[:height, :width])
    return Sample(cv2.merge([20 + 22 * labels] * 3), labels)


def inside(labels):
    """Pixels whose 5x5 neighbours all have their label, and are in the picture."""
    same = cv2.erode(labels, np.ones((5, 5))) == cv2.dilate(labels, np.ones((5, 5)))
    result = np.zeros(labels.shape, bool)
    result[2:-2, 2:-2] = same[2:-2, 2:-2]
    return result


@pytest.mark.parametrize('seed', range(30))
def test_image_and_labels_stay_aligned(seed):
    sample = blocks(120, 90, seed)
    image, labels = augment(sample, np.random.default_rng(seed), 112, 80)
    assert image.shape == (80, 112, 3) and labels.shape == (80, 112) and image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= set(range(11)) | {UNLABELED}
    core = inside(labels)
    assert core.mean() > 0.2
    colors = {}
    for label in np.unique(labels[core]):
        seen = np.unique(image[core & (labels == label)], axis=0)
        assert len(seen) == 1, (label, seen)  # one label, one colour, right up to its edges
        colors[label] = seen[0].astype(int).sum()
    known = [colors[label] for label in sorted(set(colors) - {UNLABELED})]
    assert known == sorted(known)  # light and colour change, but brighter stays brighter


def test_nothing_changes_when_nothing_is_drawn():
    sample = blocks(96, 64)
    image, labels = augment(sample, Dice(), 96, 64)
    assert np.array_equal(labels, sample.labels)
    assert np.abs(image.astype(int) - sample.image).max() <= 1


def test_flip_mirrors_image_and_labels():
    sample = blocks(96, 64)
    image, labels = augment(sample, Dice(flip=True), 96, 64)
    for result, original in ((labels, sample.labels), (image.max(2) // 2, sample.image.max(2) // 2)):
        mirrored = original[:, ::-1].astype(int)
        assert any(np.abs(result[:, s:].astype(int) - mirrored[:, :96 - s]).max() <= 1 for s in (0, 1))


def test_borders_are_unlabelled_and_black():
    sample = Sample(np.full((64, 96, 3), 200, np.uint8), np.full((64, 96), 3, np.uint8))
    image, labels = augment(sample, Dice(scale=0.75), 96, 64)
    # The corner with the smallest shift leaves the sample at the bottom right: 72 x 48 pixels of it.
    assert (labels == UNLABELED).sum() == pytest.approx(96 * 64 - 72 * 48, abs=130)
    assert set(np.unique(labels)) == {3, UNLABELED}
    clear = inside(labels)
    assert (image[clear & (labels == UNLABELED)] == 0).all() and (image[clear & (labels == 3)] >= 199).all()


def test_a_larger_sample_fills_the_crop():
    image, labels = augment(blocks(240, 180), Dice(scale=1.0), 96, 64)
    assert UNLABELED not in labels


def test_the_same_seed_gives_the_same_sample():
    results = [augment(blocks(96, 64), np.random.default_rng(5), 96, 64) for _ in range(2)]
    assert np.array_equal(results[0].image, results[1].image) and np.array_equal(results[0].labels, results[1].labels)


@pytest.fixture
def folder(tmp_path):
    for name in ('train', 'trainannot'):
        (tmp_path / name).mkdir()
    write(tmp_path / 'train' / 'b.png', np.full((6, 8, 3), 9, np.uint8))
    write(tmp_path / 'trainannot' / 'b.png', np.arange(48, dtype=np.uint8).reshape(6, 8) % 12)
    return tmp_path


def write(path, image):
    assert cv2.imwrite(str(path), image)


def test_camvid_reads_pairs_in_order_and_unlabelled_is_255(folder):
    write(folder / 'train' / 'a.png', np.full((6, 8, 3), 5, np.uint8))
    write(folder / 'trainannot' / 'a.png', np.zeros((6, 8), np.uint8))
    first, second = camvid(folder, 'train')
    assert first.image[0, 0].tolist() == [5, 5, 5] and first.labels.max() == 0
    assert second.labels.ravel()[:13].tolist() == list(range(11)) + [UNLABELED, 0] and second.labels.dtype == np.uint8


def test_camvid_names_what_is_wrong(folder):
    image, labels = folder / 'train' / 'b.png', folder / 'trainannot' / 'b.png'
    with pytest.raises(SourceError, match="no PNG images in '.*val'; --camvid names the folder"):
        camvid(folder, 'val')
    with pytest.raises(SourceError, match='no PNG images'):
        camvid(folder / 'none', 'train')
    write(labels, np.zeros((6, 9), np.uint8))
    with pytest.raises(LabelError, match=r"'.*trainannot/b.png' is \(6, 9\) but its image is \(6, 8, 3\)"):
        camvid(folder, 'train')
    write(labels, np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(LabelError, match=r'is \(6, 8, 3\)'):
        camvid(folder, 'train')
    write(labels, np.full((6, 8), 12, np.uint8))
    with pytest.raises(LabelError, match="'.*trainannot/b.png' holds the value 12; CamVid ids end at 11"):
        camvid(folder, 'train')
    labels.write_bytes(b'no image')
    with pytest.raises(SourceError, match="'.*trainannot/b.png' is missing or not an image"):
        camvid(folder, 'train')
    labels.unlink()
    with pytest.raises(SourceError, match='trainannot/b.png'):
        camvid(folder, 'train')
    image.write_bytes(b'')
    with pytest.raises(SourceError, match="'.*train/b.png' is missing or not an image"):
        camvid(folder, 'train')


def test_camvid_on_the_real_data(shared):
    samples = camvid(shared / 'data' / 'camvid', 'val')
    assert len(samples) == 101
    counts = sum(np.bincount(s.labels.ravel(), minlength=256) for s in samples)
    confusion = np.loadtxt(str(shared / 'golden' / 'camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    assert counts[:11].tolist() == confusion.sum(1)[:11].tolist() and counts[UNLABELED] == confusion[11].sum()


def test_street_samples_have_camvid_ids():
    samples = street(2, 160, 96, first_seed=4)
    assert [s.image.shape for s in samples] == [(96, 160, 3)] * 2
    assert not np.array_equal(samples[0].image, samples[1].image)
    for sample in samples:
        ids = set(np.unique(sample.labels).tolist())
        assert ids <= set(range(11)) | {UNLABELED} and {0, 3} <= ids  # sky and road


def test_class_weights_are_those_of_the_paper():
    labels = np.array([[0, 0, 0, 1, 255, 255]], np.uint8)
    weights = class_weights([Sample(None, labels)], 3)
    assert weights.dtype == np.float32
    assert weights.tolist() == pytest.approx([1 / np.log(1.1 + p) for p in (0.75, 0.25, 0.0)], rel=1e-6)
