"""The pipeline from frames to records."""
import threading

import cv2
import numpy as np
import pytest
from bag_maker import LABEL_MAP, BagMaker, labels, picture, stamp_of
from evaluation_rig import setup_for, without_times

from espnet_ros.errors import SourceError
from espnet_ros.evaluation.offline import Evaluator, FrameReference, prefetch
from espnet_ros.evaluation.scoring import score_frame
from espnet_ros.evaluation.tasks import Task


@pytest.fixture
def evaluator(tmp_path):
    return Evaluator(setup_for(tmp_path))


def test_every_frame_is_segmented_and_scored(evaluator):
    parts = list(evaluator.run(Task(0, 0, 5)))
    assert [part.task for part in parts] == [Task(0, 0, n) for n in (1, 2, 3, 4, 5, 5)]
    assert parts[-1].records == [] and {part.problems for part in parts} == {()}
    for number, part in enumerate(parts[:-1]):
        record, = part.records
        expected = score_frame(evaluator.setup.comparisons[0], labels(number),
                               evaluator.segmenter.segment(picture(number)).labels)
        assert without_times(record) == dict(
            expected, bag=0, topic='/camera/image_raw', stamp=stamp_of(number))
        assert record['latency'] == pytest.approx(sum(record['stages'].values())) and record['latency'] > 0
        assert list(record['stages']) == ['preprocess', 'inference', 'postprocess']


def test_the_engine_waits_for_nothing_but_itself(evaluator):
    """Its thread neither reads, resizes nor scores: others do, ahead of it and behind it."""
    threads, segmenter = {}, evaluator.segmenter

    def watched(name):
        step = getattr(segmenter, name)

        def call(*arguments):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return step(*arguments)
        return call
    for name in ('prepare', 'infer', 'finish'):
        setattr(segmenter, name, watched(name))
    assert len(list(evaluator.run(Task(0, 0, 5)))) == 6
    assert threads['prepare'] == {'prefetch'} and threads['infer'] == {threading.current_thread().name}
    assert not threads['finish'] & (threads['infer'] | threads['prepare'])


def test_latency_can_be_measured_with_nothing_beside_it(evaluator):
    expected = [without_times(record) for part in evaluator.run(Task(0, 0, 5)) for record in part.records]
    alone = Evaluator(evaluator.setup._replace(overlap=False))
    before, seen = set(threading.enumerate()), []
    infer = alone.segmenter.infer

    def watched(*arguments):
        seen.append(set(threading.enumerate()) - before)
        return infer(*arguments)
    alone.segmenter.infer = watched
    parts = list(alone.run(Task(0, 0, 5)))
    assert seen == [set()] * 5  # neither frames that are decoded ahead nor a scorer
    assert [without_times(record) for part in parts for record in part.records] == expected
    assert [part.task for part in parts] == [Task(0, 0, n) for n in (1, 2, 3, 4, 5, 5)]


def test_a_part_of_a_bag(evaluator):
    records = [record for part in evaluator.run(Task(0, 2, 4)) for record in part.records]
    assert [record['stamp'] for record in records] == [stamp_of(2), stamp_of(3)]
    assert [part.task for part in evaluator.run(Task(0, 5, 5))] == [Task(0, 5, 5)]


def test_frames_without_ground_truth_are_timed_and_broken_ones_named(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        for number in range(6):
            if number in (1, 2):
                bag.image('/camera/image_raw', stamp_of(number), picture(number), encoding='nonsense')
                bag.image('/camera/ground_truth', stamp_of(number), labels(number))
            else:
                bag.frame(number, truth=number != 3)
    evaluator = Evaluator(setup_for(tmp_path))
    parts = list(evaluator.run(Task(0, 0, 6)))
    records = [record for part in parts for record in part.records]
    assert [record['stamp'] for record in records] == [stamp_of(n) for n in (0, 3, 4, 5)]
    assert ['confusion' in record for record in records] == [True, False, True, True]
    assert [part.task.stop for part in parts] == [1, 2, 3, 4, 6]  # never more than what is certain
    assert '2 images on /camera/image_raw cannot be decoded' in parts[-1].problems[0]
    assert evaluator.draw(FrameReference(0, 0, '/camera/image_raw', stamp_of(4))) is not None
    assert evaluator.setup.sources[0].problems == ()  # what is left out belongs to the task
    # A second run begins afresh.
    assert list(evaluator.run(Task(0, 0, 6)))[-1].problems == parts[-1].problems
    assert '1 images' in list(evaluator.run(Task(0, 2, 6)))[-1].problems[0]


def test_a_frame_is_drawn(evaluator):
    drawn = evaluator.draw(FrameReference(0, 1, '/camera/image_raw', stamp_of(3)))
    found = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for _, data in drawn]
    assert [kind for kind, _ in drawn] == ['image/jpeg', 'image/png', 'image/png', 'image/jpeg']
    palette = evaluator.setup.comparisons[0].label_set.palette()[:, ::-1]
    truth = labels(3)
    prediction = evaluator.segmenter.segment(picture(3)).labels
    assert np.array_equal(found[1], palette[np.where(truth == 255, 11, truth)])
    assert np.array_equal(found[2], palette[prediction])
    assert found[0].shape == found[3].shape == truth.shape + (3,)
    assert evaluator.draw(FrameReference(0, 4, '/camera/image_raw', stamp_of(3))) is None


def test_large_frames_are_drawn_small(tmp_path):
    with BagMaker(tmp_path / 'bag') as bag:
        bag.text('/camera/ground_truth/label_map', LABEL_MAP)
        bag.image('/camera/image_raw', stamp_of(0), picture(0, 1000, 500))
        bag.image('/camera/ground_truth', stamp_of(0), labels(0, 500, 250))
    drawn = Evaluator(setup_for(tmp_path)).draw(FrameReference(0, 0, '/camera/image_raw', stamp_of(0)))
    for _, data in drawn:
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (240, 480, 3)


def counting(log, end=10**9, error=None):
    try:
        for n in range(end):
            log.append(n)
            yield n
        if error:
            raise error
    finally:
        log.append('closed')


def test_prefetch_keeps_the_order_and_ends():
    log = []
    assert list(prefetch(counting(log, 50))) == list(range(50)) and log[-1] == 'closed'
    assert list(prefetch(counting([], 0))) == []


def test_prefetch_is_never_far_ahead():
    log = []
    items = prefetch(counting(log))
    for n in range(5):
        assert next(items) == n
        assert len(log) <= n + 5  # two wait, one is in the thread's hands, one was just taken
    items.close()
    assert log[-1] == 'closed'
    assert not any(thread.name == 'prefetch' for thread in threading.enumerate())


def test_prefetch_raises_errors_after_the_items_before_them():
    items = prefetch(counting([], 2, SourceError('it is gone')))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(SourceError, match='it is gone'):
        next(items)
