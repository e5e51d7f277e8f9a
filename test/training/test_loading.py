"""Sampling order, augmentation and loading do not depend on workers, processes or interruptions."""
import collections
import os
import signal

import cv2
import numpy as np
import pytest
import torch
from small_samples import ALONE, SIZE, dataset, parts, prepared, settings, stage

from espnet_ros.datasets import Dataset
from espnet_ros.errors import EngineError, LabelError, ParameterError
from espnet_ros.labels import CAMVID, UNLABELED
from espnet_ros.training import loading
from espnet_ros.training.loading import Part, epoch_order, loader, read_all, steps_of
from espnet_ros.training.process_group import ProcessGroup
from espnet_ros.training.samples import PreparedDataset

LIVELY = {'scale': (0.5, 2.0), 'stretch': 0.1, 'rotation': 5.0, 'light': 1.0, 'blur': 0.5}


class Broken(Dataset):
    """A dataset that calls `accident` with the number of the image before it gives it."""

    def __init__(self, accident, count=6):
        super().__init__('broken', CAMVID)
        self._images, self._accident = dataset(count=count), accident

    def __len__(self):
        return len(self._images)

    def _read(self, i):
        self._accident(i)
        return self._images[i]


def broken(accident):
    return PreparedDataset(Broken(accident), CAMVID, SIZE)


def wrong_label(i):
    if i == 4:
        raise LabelError("the label image '4.png' holds the value 77")


def batches(mixed, changes=None, group=ALONE, workers=0, epoch=0, step=0):
    return list(loader(settings(**LIVELY, **(changes or {})), mixed, group, workers, epoch, step))


def check_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.names == other.names
        assert torch.equal(one.image, other.image) and torch.equal(one.labels, other.labels)


def test_weights_say_how_often_an_epoch_sees_an_image():
    mixed = parts((8, 0.25), (5, 1.0), (4, 3.0), (4, 1.5))
    order = epoch_order(mixed, seed=1, stage=2, epoch=3)
    assert [t.position for t in order] == list(range(2 + 5 + 12 + 6)) and {t.epoch for t in order} == {3}
    seen = [collections.Counter(t.image for t in order if t.part == i) for i in range(4)]
    assert list(seen[0].values()) == [1, 1]
    assert seen[1] == dict.fromkeys(range(5), 1) and seen[2] == dict.fromkeys(range(4), 3)
    assert sorted(seen[3].values()) == [1, 1, 2, 2]
    assert {t.part for t in order[:12]} == {t.part for t in order[12:]} == {0, 1, 2, 3}  # mixed


def test_the_order_is_another_one_in_each_epoch_and_known_beforehand():
    mixed = parts((8, 0.25), (5, 1.0))

    def order(*which):
        return [(t.part, t.image) for t in epoch_order(mixed, *which)]

    assert order(1, 2, 3) == order(1, 2, 3)
    assert len({tuple(order(*which)) for which in ((1, 2, 3), (1, 2, 4), (1, 1, 3), (2, 2, 3))}) == 4
    seen = collections.Counter(image for epoch in range(40) for part, image in order(1, 2, epoch) if part == 0)
    assert set(seen) == set(range(8)) and sum(seen.values()) == 80  # a quarter, but not always the same one


def test_steps_of_an_epoch():
    assert steps_of(stage(parts((8, 0.25), (5, 1.0))), 2) == 3  # the seventh image is left out
    assert steps_of(stage(parts((4, 3.0))), 12) == 1
    with pytest.raises(ParameterError, match='an epoch has 7 images, too few for a batch of 8; add data, raise a '):
        steps_of(stage(parts((8, 0.25), (5, 1.0))), 8)
    with pytest.raises(ParameterError, match='with weight 0.01 an epoch has none of the 8 images of part 1; raise'):
        steps_of(stage(parts((5, 1.0), (8, 0.01))), 2)


def test_a_batch():
    mixed = stage(parts((3, 1.0), (4, 1.0)), epochs=1)
    first, second, third = batches(mixed)
    assert first.image.shape == (2, 3, 64, 64) and first.image.dtype == torch.uint8
    assert first.image.is_contiguous(memory_format=torch.channels_last)
    assert first.labels.shape == (2, 64, 64) and first.labels.dtype == torch.uint8
    names = [name for batch in (first, second, third) for name in batch.names]
    assert len(set(names)) == 6 and set(names) <= {
        'part {0}_{1:06d} of part {0}'.format(part, i) for part, count in ((0, 3), (1, 4)) for i in range(count)}


def test_a_batch_holds_what_the_augmentation_makes_of_its_images():
    mixed = parts((4, 1.0))
    nothing = {'scale': (1.0, 1.0), 'stretch': 0.0, 'rotation': 0.0, 'light': 0.0, 'blur': 0.0, 'flip': 0.0}
    order = epoch_order(mixed, settings().seed, 2, 0)
    found, = list(loader(settings(batch=4, **nothing), stage(mixed, 1, SIZE), ALONE, 0, 0, 0))
    for i, index in enumerate(order):
        image, labels, name = mixed[0].samples[index.image]
        assert found.names[i] == name
        np.testing.assert_array_equal(found.image[i].permute(1, 2, 0).numpy(), image)
        np.testing.assert_array_equal(found.labels[i].numpy(), labels)


def test_labels_of_the_encoder_are_those_at_the_middle_of_its_cells():
    full, = batches(stage(parts((2, 1.0)), epochs=1, label_stride=1))
    eighth, = batches(stage(parts((2, 1.0)), epochs=1, label_stride=8))
    assert torch.equal(eighth.image, full.image)
    assert torch.equal(eighth.labels, full.labels[:, 4::8, 4::8]) and eighth.labels.shape == (2, 8, 8)


def test_a_repeated_image_is_augmented_differently():
    image = [image for batch in batches(stage(parts((1, 4.0)), epochs=2)) for image in batch.image]
    assert len({i.numpy().tobytes() for i in image}) == 8


def test_the_seed_and_the_stage_change_everything():
    mixed = stage(parts((4, 1.0)), epochs=1)
    first, seed, number = (batches(*which) for which in (
        (mixed,), (mixed, {'seed': 2}), (mixed._replace(number=1),)))
    assert len({b'|'.join(b.image.numpy().tobytes() for b in found) for found in (first, seed, number)}) == 3


@pytest.mark.slow
def test_workers_change_nothing():
    mixed = stage(parts((6, 0.5), (5, 1.0)), epochs=2)
    alone = batches(mixed)
    assert len(alone) == 8
    check_same(batches(mixed, workers=1), alone)
    check_same(batches(mixed, workers=2), alone)
    check_same(batches(mixed, workers=2, epoch=1, step=2), alone[6:])


def test_loading_resumes_at_any_step():
    mixed = stage(parts((6, 0.5), (5, 1.0)), epochs=2)
    alone = batches(mixed)
    for done in range(9):
        check_same(batches(mixed, epoch=done // 4, step=done % 4), alone[done:])


@pytest.mark.parametrize('count', [2, 3, 4])
def test_processes_share_the_batch_of_one(count):
    mixed = stage(parts((6, 1.0), (3, 1.0)), epochs=2)
    alone = batches(mixed, {'batch': 4})
    group = [batches(mixed, {'batch': 4}, ProcessGroup(rank, count, torch.device('cpu'))) for rank in range(count)]
    for step, whole in enumerate(alone):
        for i in range(4):
            own = group[i % count][step]
            assert own.names[i // count] == whole.names[i]
            assert torch.equal(own.image[i // count], whole.image[i])
            assert torch.equal(own.labels[i // count], whole.labels[i])
        assert sum(len(own[step].names) for own in group) == 4


def test_more_processes_than_images_in_a_batch():
    with pytest.raises(ParameterError, match='a batch of 2 is too small for 3 processes; raise the setting batch'):
        batches(stage(parts((6, 1.0))), group=ProcessGroup(2, 3, torch.device('cpu')))


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_the_sentence_of_an_unusable_image_comes_through(workers):
    mixed = stage([Part(broken(wrong_label))], epochs=1)
    with pytest.raises(LabelError) as caught:
        batches(mixed, workers=workers)
    assert str(caught.value) == "the label image '4.png' holds the value 77"


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_reading_all(workers):
    samples = broken(wrong_label)
    found = list(read_all(samples, workers=workers))
    assert isinstance(found.pop(4), LabelError) and len(found) == 5
    for i, sample in zip((0, 1, 2, 3, 5), found):
        assert isinstance(sample.image, np.ndarray) and sample.name == samples[i].name
        np.testing.assert_array_equal(sample.image, samples[i].image)
        np.testing.assert_array_equal(sample.labels, samples[i].labels)
    assert [sample.name for sample in read_all(samples, [5, 0], workers)] == [samples[5].name, samples[0].name]


def test_what_is_kept_needs_no_workers():
    samples = prepared(count=3)
    for i in range(3):
        samples.keep(i, samples[i])
    assert [found is samples[i] for i, found in enumerate(read_all(samples, workers=2))] == [True] * 3


def killed_in_a_worker():
    here = os.getpid()

    def accident(i):
        if os.getpid() != here and i == 4:
            os.kill(os.getpid(), signal.SIGKILL)
    return accident


def all_batches(samples):
    return batches(stage([Part(samples)], epochs=1), workers=2)


def all_samples(samples):
    return list(read_all(samples, workers=2))


@pytest.mark.slow
@pytest.mark.parametrize('read', [all_batches, all_samples])
def test_a_killed_worker_ends_it_with_a_sentence(read):
    before = signal.getsignal(signal.SIGCHLD)
    with pytest.raises(EngineError, match=r'images cannot be read by 2 processes: .+; free memory'):
        read(broken(killed_in_a_worker()))
    assert signal.getsignal(signal.SIGCHLD) is before  # PyTorch's would interrupt whatever is done meanwhile


def test_a_mistake_in_a_worker_is_not_taken_for_a_lack_of_memory(monkeypatch):
    def batches_of(*_, **__):
        raise RuntimeError('Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback')
    monkeypatch.setattr(loading, 'DataLoader', batches_of)
    with pytest.raises(RuntimeError, match='Caught RuntimeError'):
        all_samples(prepared())


@pytest.mark.slow
def test_workers_survive_the_threads_of_opencv():
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        large = np.zeros((2000, 2000, 3), np.uint8)
        cv2.GaussianBlur(cv2.warpAffine(large, np.eye(2, 3), (2000, 2000)), (0, 0), 3)
        assert len(all_batches(prepared(count=6))) == 3  # a worker would wait forever for threads that it has not
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.slow
def test_workers_end_when_nobody_wants_more():
    given = loader(settings(), stage(parts((6, 1.0)), epochs=1000), ALONE, 2, 0, 0)
    before = {child.pid for child in torch.multiprocessing.active_children()}
    next(given)
    workers = {child.pid for child in torch.multiprocessing.active_children()} - before
    assert len(workers) == 2
    given.close()
    assert not workers & {child.pid for child in torch.multiprocessing.active_children()}


def test_what_lies_outside_is_unlabeled_in_the_batch():
    batch, = batches(stage(parts((2, 1.0)), epochs=1, crop=(256, 256)))
    assert (batch.labels == UNLABELED).any() and set(batch.labels.unique().tolist()) <= {*range(11), UNLABELED}


def test_the_first_stage_may_have_a_batch_of_its_own():
    own = settings(batch=2, encoder_batch=3)
    sizes = [[len(batch.names) for batch in loader(own, stage(parts((6, 1.0)), epochs=1)._replace(number=number), ALONE,
                                                   0, 0, 0)] for number in (1, 2)]
    assert sizes == [[3, 3], [2, 2, 2]]
    with pytest.raises(ParameterError, match='lower the setting batch or encoder_batch$'):
        steps_of(stage(parts((6, 1.0)))._replace(number=1), 12)
