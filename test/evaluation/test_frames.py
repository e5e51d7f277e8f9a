"""Datasets as frames for the evaluator: the results of the same images in a bag, without writing one."""
import json
import pickle

import numpy as np
import pytest
from evaluation_rig import setup_for, without_times

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Drive, LabeledImage, Memory
from espnet_ros.errors import LabelError
from espnet_ros.evaluation.evaluate import evaluate
from espnet_ros.evaluation.frames import DatasetFrames
from espnet_ros.evaluation.journal import read_frames
from espnet_ros.evaluation.scoring import compare_labels
from espnet_ros.evaluation.workers import InProcess
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.models.card import read_card
from espnet_ros.reports.report import page


class Objects(Memory):
    """Labeled images with instances."""

    def _read(self, i):
        image, labels = self._pairs[i]
        return LabeledImage(str(i), image, labels, np.where(labels == 13, 26001 + i, 7).astype(np.uint16))


def result(folder):
    """What the same frames leave behind, wherever they come from."""
    metrics = json.loads((folder / 'metrics.json').read_text())
    for key in ('latency', 'stages', 'sessions', 'configuration'):
        del metrics[key]
    records = [{key: value for key, value in without_times(record).items() if key != 'topic'}
               for record in read_frames(folder)]
    return metrics, records, (folder / 'confusion.csv').read_bytes()


def with_source(setup, source):
    comparisons = tuple(compare_labels(read_card(setup.model).label_set, [source.label_set]))
    return setup._replace(sources=(source,), comparisons=comparisons)


@pytest.mark.parametrize('instances', [False, True])
def test_a_dataset_gives_the_results_of_a_bag_of_it(tmp_path, instances):
    dataset = Drive(5, 96, 64)
    if instances:
        dataset = Objects('objects', CITYSCAPES, [item[1:3] for item in dataset])
    write_bag(tmp_path / 'bag', [dataset], BagSettings(images='png'))
    setup = setup_for(tmp_path, label_set=CITYSCAPES)
    expected = evaluate(setup, tmp_path / 'from bag', InProcess).statistics
    found = evaluate(with_source(setup, DatasetFrames(dataset)), tmp_path / 'from dataset', InProcess).statistics
    assert result(tmp_path / 'from dataset') == result(tmp_path / 'from bag')
    assert found.objects.frames == expected.objects.frames == (5 if instances else 0)
    metrics = json.loads((tmp_path / 'from dataset/metrics.json').read_text())
    assert set(metrics) == set(json.loads((tmp_path / 'from bag/metrics.json').read_text()))
    assert metrics['configuration']['bags'][0]['paths'] == [dataset.name]
    assert [record['topic'] for record in read_frames(tmp_path / 'from dataset')] == [item.name for item in dataset]


def test_instances_are_scored_by_the_rule_of_the_authors_too(tmp_path):
    """What is predicted as a class where the ground truth is unlabeled counts as false positives."""
    dataset = Objects('objects', CITYSCAPES, [(item.image, np.where(item.labels == 10, 255, item.labels).astype(
        np.uint8)) for item in Drive(3, 96, 64)])
    setup = setup_for(tmp_path, count=1, label_set=CITYSCAPES)
    found = {}
    for protocol in ('cityscapes', 'authors'):
        scored = with_source(setup._replace(protocol=protocol), DatasetFrames(dataset))
        found[protocol] = evaluate(scored, tmp_path / protocol, InProcess).statistics
    rows = found['authors'].confusion
    assert rows[-1, :-1].sum() > 0 and np.array_equal(rows, found['cityscapes'].confusion)
    car = CITYSCAPES.names.index('car')
    weighted = {p: s.objects._classes['car'] for p, s in found.items()}
    assert np.array_equal(weighted['authors'], weighted['cityscapes'])
    false = rows[:, car].sum() - rows[car, car]
    assert found['authors'].class_iiou['car'] == pytest.approx(
        weighted['authors'][0] / (weighted['authors'].sum() + false))
    assert found['cityscapes'].class_iiou['car'] == pytest.approx(
        weighted['authors'][0] / (weighted['authors'].sum() + false - rows[-1, car]))


def test_labels_are_converted(tmp_path):
    frames = DatasetFrames(Drive(2, 96, 64), CAMVID)
    assert frames.label_set == CAMVID
    write_bag(tmp_path / 'bag', [Drive(2, 96, 64)])
    with open_bag(tmp_path / 'bag') as bag:
        for frame, recorded in zip(frames, bag):
            assert set(np.unique(frame.truth)) <= {*CAMVID.ids, 255} and frame.stamp == recorded.stamp
            assert np.array_equal(frame.truth == 3, recorded.truth == 0)  # roads
            assert np.array_equal(frame.image, recorded.image)
    with pytest.raises(LabelError):
        DatasetFrames(Memory('m', CAMVID, []), CITYSCAPES)


def test_a_dataset_can_be_sent_to_other_processes(tmp_path):
    setup = setup_for(tmp_path, label_set=CITYSCAPES)
    setup = with_source(setup, DatasetFrames(Drive(6, 96, 64), name='drive:6:96x64'))
    evaluate(setup, tmp_path / 'one', InProcess)
    evaluation = evaluate(pickle.loads(pickle.dumps(setup)), tmp_path / 'two', InProcess)
    assert result(tmp_path / 'one') == result(tmp_path / 'two')
    text = page(evaluation)
    assert 'drive:6:96x64: 6 frames, 6 of them labeled, ground truth of cityscapes' in text
    assert text.count('<img ') == 6 * 4
