"""Dataset statistics and their cache."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from small_samples import ALONE, SIZE, camvid_files, prepared, write

from espnet_ros.datasets import camvid
from espnet_ros.errors import LabelError
from espnet_ros.labels import CAMVID, CATEGORY_SET, UNLABELED
from espnet_ros.training.loading import read_all
from espnet_ros.training.samples import PreparedDataset
from espnet_ros.training.survey import Survey, class_weights, combine, survey


class Reader:
    """Reads, and counts how often it was asked to."""

    def __init__(self):
        self.count = 0

    def __call__(self, samples, numbers):
        self.count += 1
        return read_all(samples, numbers)


@pytest.fixture
def read():
    return Reader()


@pytest.fixture
def files(tmp_path):
    return camvid_files(tmp_path / 'camvid', 3)


def look(dataset, read, size=SIZE, label_set=CAMVID):
    return survey(PreparedDataset(dataset, label_set, size), len(label_set.ids), read, ALONE)


def test_it_counts_labels_and_measures_brightness(files, read):
    found = look(files, read)
    images, labels = zip(*((item.image, item.labels) for item in files))
    counts = np.bincount(np.concatenate(labels, None), minlength=256)
    assert found.pixels == tuple(counts[:11].tolist()) and counts[UNLABELED] > 0
    pixels = np.stack(images)[:, ::4, ::4].reshape(-1, 3)
    np.testing.assert_allclose(found.mean, pixels.mean(0), atol=6e-4)
    np.testing.assert_allclose(found.std, pixels.std(0), atol=6e-4)
    assert all(type(value) is float for value in found.mean + found.std)


def test_labels_are_counted_as_the_network_will_see_them(files, read):
    found = look(files, read, (64, 64), CATEGORY_SET)
    samples = [PreparedDataset(files, CATEGORY_SET, (64, 64))[i] for i in range(3)]
    assert found.pixels == tuple(np.bincount(
        np.concatenate([s.labels for s in samples], None), minlength=256)[:7].tolist())


def test_images_of_one_color_have_a_deviation(read):
    samples = prepared(count=1)
    samples.keep(0, samples[0]._replace(image=np.full((64, 96, 3), 7, np.uint8)))
    assert survey(samples, 11, read, ALONE)[1:] == ((7.0, 7.0, 7.0), (1.0, 1.0, 1.0))


def test_files_are_read_once(files, read, cache):
    found = look(files, read)
    assert (look(files, read), read.count) == (found, 1)
    again = camvid(files.pairs[0].image.parents[1], 'train')
    assert (look(again, read), read.count) == (found, 1)
    assert len(list((cache / 'surveys').iterdir())) == 1


@pytest.mark.slow
def test_another_process_finds_the_cached_result(files, read):
    look(files, read)
    program = """if True:
        import sys
        from espnet_ros.datasets import camvid
        from espnet_ros.labels import CAMVID
        from espnet_ros.training.samples import PreparedDataset
        from espnet_ros.training.survey import survey
        from espnet_ros.training.process_group import ProcessGroup
        def read(*_):
            raise SystemExit('it was read again')
        files = PreparedDataset(camvid(sys.argv[1], 'train'), CAMVID, (96, 64))
        print(survey(files, 11, read, ProcessGroup(0, 1, None)))"""
    result = subprocess.run([sys.executable, '-c', program, str(files.pairs[0].image.parents[1])],
                            capture_output=True, text=True)
    assert (result.stderr, result.stdout) == ('', '{}\n'.format(look(files, read)))


def test_it_is_taken_again_when_anything_changed(tmp_path, files, read):
    first = look(files, read)
    look(files, read, (64, 64))
    look(files, read, SIZE, CATEGORY_SET)
    assert read.count == 3
    labels = files.pairs[1].labels
    write(labels, np.full(SIZE[::-1], 3, np.uint8))
    second = look(files, read)
    assert read.count == 4 and second.pixels[3] > first.pixels[3] and second.pixels[0] < first.pixels[0]
    write(files.pairs[0].image, np.full((*SIZE[::-1], 3), 9, np.uint8))
    assert look(files, read).mean[0] < second.mean[0] and read.count == 5
    assert look(camvid_files(tmp_path / 'more', 4), read).pixels != second.pixels and read.count == 6
    assert look(files, read) == look(files, read) and read.count == 6


def test_kept_samples_are_in_memory_and_read_anew(files, read):
    samples = PreparedDataset(files, CAMVID, SIZE)
    found = survey(samples, 11, read, ALONE, keep=True)
    assert samples.is_kept and look(files, read) == found and read.count == 1
    for pair in files.pairs:
        pair.image.unlink()
    assert [s.name for s in read_all(samples)] == ['{} of camvid train'.format(p.name) for p in files.pairs]
    assert survey(samples, 11, read, ALONE, keep=True) == found


def test_what_is_no_file_is_not_cached(read, cache):
    for _ in range(2):
        survey(prepared(), 11, read, ALONE)
    assert read.count == 2 and not cache.exists()


def test_a_cache_that_cannot_be_written(files, read, cache, monkeypatch):
    cache.write_text('a file, not a folder')
    found = look(files, read)
    assert (look(files, read), read.count) == (found, 2)
    monkeypatch.delenv('ESPNET_ROS_CACHE')
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setenv('HOME', 'nowhere')  # this user has no home
    assert (look(files, read), read.count) == (found, 3)


GOOD = {'pixels': [5] * 11, 'mean': [1.0, 2.0, 3.0], 'std': [4.0, 5.0, 6.0]}


def test_the_cache_is_believed(files, read, cache):
    look(files, read)
    path, = (cache / 'surveys').iterdir()
    path.write_text(json.dumps(GOOD))
    assert look(files, read) == Survey((5,) * 11, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)) and read.count == 1


@pytest.mark.parametrize('content', [
    '', '{', '[]', '3', 'null', '[' * 100000, '\xff', '{"pixels": 3, "mean": 3, "std": 3}',
    *(json.dumps({**GOOD, **change}) for change in (
        {'pixels': [5] * 12}, {'pixels': [-1] * 11}, {'pixels': [0.5] * 11}, {'pixels': ['5'] * 11},
        {'pixels': [True] * 11}, {'pixels': [[5]] * 11}, {'pixels': 'abcdefghijk'}, {'pixels': {'a': 1}},
        {'mean': [1.0, 2.0]}, {'mean': [1.0, 2.0, float('nan')]}, {'mean': [1.0, 2.0, float('inf')]},
        {'mean': [1.0, 2.0, 256.0]}, {'std': [0.0, 1.0, 1.0]}, {'std': [-1.0, 1.0, 1.0]}, {'std': None}))])
def test_a_hostile_cache_is_not_believed(files, read, cache, content):
    found = look(files, read)
    path, = (cache / 'surveys').iterdir()
    path.write_text(content, encoding='latin-1')
    assert (look(files, read), read.count) == (found, 2)
    assert (look(files, read), read.count) == (found, 2)  # it was repaired


def test_everything_unusable_is_named(tmp_path, read, cache):
    files = camvid_files(tmp_path / 'camvid', 4)
    first, second, third, fourth = files.pairs
    first.labels.unlink()
    write(second.labels, np.zeros((64, 95), np.uint8))
    write(third.labels, np.full((64, 96), 77, np.uint8))
    fourth.image.write_bytes(cv2.imencode('.png', np.zeros((64, 96, 3), np.uint8))[1].tobytes()[:60])
    with pytest.raises(LabelError) as caught:
        look(files, read)
    head, *lines = str(caught.value).split('\n')
    assert head == '4 of 4 images of camvid train cannot be used:' and len(lines) == 4
    assert lines[0] == "cannot read '{}': No such file or directory".format(first.labels)
    assert lines[1] == "'{}' is 95x64 pixels, but its image '{}' is 96x64".format(second.labels, second.image)
    assert lines[2].startswith("the label image '{}' holds the value 77 in 6144 pixels".format(third.labels))
    assert lines[3].startswith('{} (60 bytes) is not an image or is damaged'.format(fourth.image))
    assert not cache.exists()


def test_ten_unusable_images_are_enough(tmp_path, read):
    files = camvid_files(tmp_path / 'camvid', 14)
    for pair in files.pairs[1:13]:
        pair.labels.unlink()
    with pytest.raises(LabelError) as caught:
        look(files, read)
    head, *lines = str(caught.value).split('\n')
    assert head.startswith('12 of 14 images') and len(lines) == 11 and lines[10] == '...'
    assert [str(pair.labels) in line for pair, line in zip(files.pairs[1:], lines[:10])] == [True] * 10


def test_surveys_are_combined_by_weight():
    rng = np.random.default_rng(1)
    sets = [rng.normal(100, 20, (300, 3)), rng.normal(50, 5, (100, 3))]
    surveys = [Survey(pixels, tuple(values.mean(0)), tuple(values.std(0)))
               for pixels, values in zip(((300, 0), (20, 80)), sets)]
    found = combine(surveys, [1.0, 3.0])
    assert found.pixels == (360, 240)
    mixed = np.concatenate([sets[0], sets[1], sets[1], sets[1]])
    np.testing.assert_allclose(found.mean, mixed.mean(0), atol=6e-4)
    np.testing.assert_allclose(found.std, mixed.std(0), atol=6e-4)
    alone = combine(surveys[:1], [0.25, 3.0])
    assert alone.pixels == (75, 0)
    np.testing.assert_allclose(alone.mean + alone.std, surveys[0].mean + surveys[0].std, atol=6e-4)


def test_class_weights_are_those_of_the_paper():
    weights = class_weights((3, 1, 0), 1.1)
    assert weights.dtype == np.float32
    assert weights.tolist() == pytest.approx([1 / np.log(1.1 + p) for p in (0.75, 0.25, 0.0)], rel=1e-6)
    assert class_weights((0, 0), 1.1).tolist() == pytest.approx([1 / np.log(1.1)] * 2, rel=1e-6)
