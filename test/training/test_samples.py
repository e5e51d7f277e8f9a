"""Samples have the size and classes of the network; augmentation keeps image and labels aligned."""
import cv2
import numpy as np
import pytest
from small_models import LABELS
from small_samples import SIZE, blocks, dataset, prepared, settings

from espnet_ros.datasets import Memory, Streets, camvid
from espnet_ros.errors import LabelError
from espnet_ros.images.resize import resize_nearest
from espnet_ros.labels import CAMVID, CATEGORY_SET, CITYSCAPES, UNLABELED
from espnet_ros.segmenter import Segmenter
from espnet_ros.training.samples import Augmentation, PreparedDataset, Sample, augmentation, class_index

NOTHING = Augmentation(SIZE, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0)
EVERYTHING = Augmentation((112, 80), (0.5, 2.0), 0.2, 20.0, 0.5, 1.0, 0.0)


class Dice:
    """Stands in for random numbers: always the highest."""

    def uniform(self, low, high, size=None):
        return np.full(size, high, float) if size else high

    def random(self):
        return 1.0


def rng(seed=0):
    return np.random.default_rng(seed)


def inside(labels):
    """Pixels whose 5x5 neighbors all have their label, and are in the picture."""
    same = cv2.erode(labels, np.ones((5, 5))) == cv2.dilate(labels, np.ones((5, 5)))
    result = np.zeros(labels.shape, bool)
    result[2:-2, 2:-2] = same[2:-2, 2:-2]
    return result


@pytest.mark.parametrize('seed', range(30))
def test_image_and_labels_stay_aligned(seed):
    image, labels, name = EVERYTHING.apply(blocks(seed, 120, 90), rng(seed))
    assert image.shape == (80, 112, 3) and labels.shape == (80, 112) and image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= set(range(11)) | {UNLABELED} and name == 'blocks {}'.format(seed)
    core = inside(labels)
    assert core.mean() > 0.2
    colors = {}
    for label in np.unique(labels[core]):
        seen = np.unique(image[core & (labels == label)], axis=0)
        assert len(seen) == 1, (label, seen)  # one label, one color, right up to its edges
        colors[label] = seen[0].astype(int).sum()
    known = [colors[label] for label in sorted(set(colors) - {UNLABELED})]
    assert known == sorted(known)  # light and color change, but brighter stays brighter


def same(result, image, labels):
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_array_equal(result.image, image)


def test_nothing_changes_when_nothing_may():
    image, labels, _ = sample = blocks()
    same(NOTHING.apply(sample, rng()), image, labels)
    same(NOTHING._replace(light=1e-9, blur=1e-9).apply(sample, rng()), image, labels)


def test_a_mirrored_image():
    image, labels, _ = sample = blocks()
    same(NOTHING._replace(flip=1.0).apply(sample, rng()), image[:, ::-1], labels[:, ::-1])
    one_in_four = [not np.array_equal(NOTHING._replace(flip=0.25).apply(sample, rng(seed)).labels, labels)
                   for seed in range(400)]
    assert 70 < sum(one_in_four) < 130


@pytest.mark.parametrize('degrees, turns', [(90, -1), (180, 2)])
def test_a_rotated_image(degrees, turns):
    image, labels, _ = sample = blocks()
    crop = SIZE[::-1] if degrees == 90 else SIZE
    result = NOTHING._replace(rotation=float(degrees), crop=crop).apply(sample, Dice())
    same(result, np.rot90(image, turns), np.rot90(labels, turns))


def test_a_rotated_image_has_unlabeled_corners():
    labels = np.full((64, 64), 3, np.uint8)
    result = NOTHING._replace(rotation=45.0, crop=(90, 90)).apply(Sample(cv2.merge([labels] * 3), labels), Dice())
    assert (result.labels == 3).sum() == pytest.approx(64 * 64, abs=80)
    assert result.labels[0, 0] == result.labels[-1, -1] == result.labels[0, -1] == UNLABELED
    assert result.labels[45, 45] == 3 and not result.image[0, 0].any()


def test_an_image_twice_as_large():
    _, labels, _ = sample = blocks()
    result = NOTHING._replace(scale=(2.0, 2.0), crop=(2 * SIZE[0], 2 * SIZE[1])).apply(sample, rng())
    np.testing.assert_array_equal(result.labels, labels.repeat(2, 0).repeat(2, 1))


def test_stretching_keeps_the_area():
    labels = np.full((64, 64), 3, np.uint8)
    result = NOTHING._replace(stretch=0.25, crop=(128, 128)).apply(Sample(cv2.merge([labels] * 3), labels), Dice())
    rows, columns = np.nonzero(result.labels == 3)
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (80, pytest.approx(51, abs=1))


def test_a_crop_larger_than_the_image_is_filled_with_nothing():
    _, labels, _ = sample = blocks()
    corners = set()
    for seed in range(20):
        result = NOTHING._replace(crop=(128, 96)).apply(sample, rng(seed))
        rows, columns = np.nonzero(result.labels != UNLABELED)
        top, left = rows.min(), columns.min()
        np.testing.assert_array_equal(result.labels[top:top + SIZE[1], left:left + SIZE[0]], labels)
        assert len(rows) == labels.size
        clear = inside(result.labels) & (result.labels == UNLABELED)
        assert clear.any() and not result.image[clear].any()
        corners.add((top, left))
    assert len(corners) > 10
    tops, lefts = zip(*corners)
    assert min(tops) >= 0 and max(tops) <= 32 and min(lefts) >= 0 and max(lefts) <= 32


def test_a_smaller_crop_comes_from_everywhere_in_the_image():
    ramp = np.arange(64, dtype=np.uint8)[:, None] * np.ones(96, np.uint8)
    sample = Sample(cv2.merge([ramp] * 3), ramp)
    tops = [NOTHING._replace(crop=(64, 32)).apply(sample, rng(seed)).labels[0, 0] for seed in range(200)]
    assert min(tops) <= 1 and max(tops) >= 31 and max(tops) <= 32 and len(set(tops)) > 25
    assert all(UNLABELED not in NOTHING._replace(crop=(64, 32)).apply(sample, rng(seed)).labels for seed in range(50))


def test_the_same_seed_gives_the_same_sample():
    everything = EVERYTHING._replace(blur=0.5)
    first, again, other = (everything.apply(blocks(), rng(seed)) for seed in (5, 5, 6))
    same(first, again.image, again.labels)
    assert not np.array_equal(first.image, other.image) and not np.array_equal(first.labels, other.labels)


def test_blur_and_light_leave_labels_and_sample_alone():
    sample = blocks()
    image = sample.image.copy()
    result = NOTHING._replace(light=2.0, blur=1.0).apply(sample, rng(3))
    np.testing.assert_array_equal(result.labels, sample.labels)
    np.testing.assert_array_equal(sample.image, image)
    assert np.abs(result.image.astype(int) - image).mean() > 3


def test_the_augmentation_of_settings():
    assert augmentation(settings(scale=(0.6, 1.8), flip=0.25, blur=0.1), (64, 64)) == Augmentation(
        (64, 64), (0.6, 1.8), 0.0, 0.0, 0.25, 0.0, 0.1)


def test_class_indices_follow_the_label_set():
    table = class_index(LABELS)
    assert table.dtype == np.uint8 and table[[2, 5, 9]].tolist() == [0, 1, 2]
    assert (np.delete(table, [2, 5, 9]) == UNLABELED).all() and len(table) == 256


def test_labels_become_class_indices_of_the_wanted_set():
    labels = np.array([[0, 1, 8, 9, 11, 12, 255]], np.uint8).repeat(2, 0)
    source = Memory('streets', CITYSCAPES, [(np.zeros((2, 7, 3), np.uint8), labels)])

    def prepared_labels(label_set):
        return PreparedDataset(source, label_set, (7, 2))[0].labels[0].tolist()

    assert prepared_labels(CITYSCAPES) == labels[0].tolist()
    assert prepared_labels(CAMVID) == [3, 4, 5, 5, 9, 10, 255]  # road, pavement, tree twice, pedestrian, bicyclist
    assert prepared_labels(CATEGORY_SET) == [0, 0, 3, 3, 5, 5, 255]  # flat is category 1 and the first class
    with pytest.raises(LabelError, match="labels of the set 'camvid' cannot be converted to 'cityscapes'"):
        PreparedDataset(dataset(), CITYSCAPES, SIZE)


class Engine:
    """What a Segmenter needs to know of its engine before it prepares an image."""

    width, height = SIZE

    def describe(self):
        return None


def test_samples_are_resized_as_the_node_does_it():
    source = Streets(2, 200, 152, seed=4)
    samples = PreparedDataset(source, CAMVID, SIZE)
    assert (len(samples), samples.name, samples.bytes) == (2, 'street seed 4', 2 * 96 * 64 * 4)
    image, labels, name = samples[1]
    node = Segmenter(Engine()).prepare(source[1].image).pixels
    assert node.dtype == np.float32 and image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.rint(node))
    exact = PreparedDataset(source, CAMVID, SIZE, as_bytes=False)
    np.testing.assert_array_equal(exact[1].image, node)
    assert exact.bytes == 2 * 96 * 64 * 13 and exact[1].image.dtype == np.float32
    np.testing.assert_array_equal(labels, samples.table[resize_nearest(source[1].labels, *SIZE)])
    assert name == 'street_000005 of street seed 4'


def test_kept_samples_are_not_read_again():
    samples = prepared(count=2)
    assert not samples.is_kept
    kept = [blocks(50), blocks(51)]
    for i, sample in enumerate(kept):
        samples.keep(i, sample)
    assert samples.is_kept and all(samples[i] is kept[i] for i in range(2))


def test_camvid_on_the_real_data(shared):
    samples = PreparedDataset(camvid(shared / 'data' / 'camvid', 'val'), CAMVID, (480, 360))
    assert len(samples) == 101
    counts = sum(np.bincount(samples[i].labels.ravel(), minlength=256) for i in range(101))
    confusion = np.loadtxt(str(shared / 'golden' / 'camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    assert counts[:11].tolist() == confusion.sum(1)[:11].tolist() and counts[UNLABELED] == confusion[11].sum()


