"""The benchmark's own scripts on the same label images."""
import cv2
import numpy as np
import pytest

from espnet_ros.evaluation.scoring import compare_labels, score_frame
from espnet_ros.evaluation.statistics import Statistics
from espnet_ros.labels import CITYSCAPES, CITYSCAPES_LABELS, label_id_to_train_id, train_id_to_label_id


@pytest.fixture(scope='module')
def scripts():
    return pytest.importorskip('cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling')


def images(seed, classes=range(34)):
    """Ground truth in labelIds, and a prediction in trainIds with 255 that is right in most pixels."""
    random = np.random.default_rng(seed)
    truth = random.choice(np.array(classes, np.uint8), (6, 9)).repeat(16, 0).repeat(16, 1)
    other = random.choice(np.array([*CITYSCAPES.ids, 255], np.uint8), truth.shape)
    right = (random.random(truth.shape) < 0.7) & (label_id_to_train_id()[truth] != 255)
    return truth, np.where(right, label_id_to_train_id()[truth], other)


def theirs(scripts, folder, pairs):
    """The result of cityscapesScripts; they take labelIds, 0 where unlabelled."""
    names = []
    for number, (truth, prediction) in enumerate(pairs):
        names.append([str(folder / '{}_{}.png'.format(kind, number)) for kind in ('prediction', 'truth')])
        cv2.imwrite(names[-1][0], train_id_to_label_id()[prediction])
        cv2.imwrite(names[-1][1], truth)
    scripts.args.evalInstLevelScore = scripts.args.JSONOutput = False
    scripts.args.quiet = True
    return scripts.evaluateImgLists(*zip(*names), scripts.args)


def ours(pairs):
    comparison, = compare_labels(CITYSCAPES, [CITYSCAPES])
    statistics = Statistics(comparison.label_set, True, len(pairs))
    for truth, prediction in pairs:
        statistics.add(dict(score_frame(comparison, label_id_to_train_id()[truth], prediction), latency=0.1))
    return statistics.metrics()


@pytest.mark.parametrize('pairs', [
    [images(seed) for seed in range(5)],
    [images(5, [7, 8, 11, 23, 0])],  # most classes never occur
    [images(6, [9, 14, 29])],  # ignored ones only, two of them in categories
], ids=['many', 'few classes', 'ignored classes'])
def test_class_and_category_iou_are_the_benchmarks(scripts, tmp_path, pairs):
    expected, found = theirs(scripts, tmp_path, pairs), ours(pairs)
    for name in CITYSCAPES.names:
        assert found['classScores'][name] == pytest.approx(nan_to_none(expected['classScores'][name]), abs=1e-6), name
    for name, value in found['categoryScores'].items():
        assert value == pytest.approx(nan_to_none(expected['categoryScores'][name]), abs=1e-6), name
    for key in ('averageScoreClasses', 'averageScoreCategories'):
        assert found[key] == pytest.approx(nan_to_none(expected[key]), abs=1e-6)


def test_the_confusion_matrix_is_theirs_without_what_they_ignore(scripts, tmp_path):
    pairs = [images(1), images(2)]
    expected, found = theirs(scripts, tmp_path, pairs), ours(pairs)
    for truth in CITYSCAPES.names:
        for prediction in CITYSCAPES.names:
            assert (found['confMatrix'][found['labels'][truth]][found['labels'][prediction]]
                    == expected['confMatrix'][expected['labels'][truth]][expected['labels'][prediction]])
    assert set(expected) - {'perImageScores'} <= set(found)
    assert sum(map(sum, found['confMatrix'])) == sum(map(sum, expected['confMatrix']))


def test_every_label_of_the_table_is_theirs(scripts):
    by_id = {label.id: label for label in scripts.labels}
    for row in CITYSCAPES_LABELS:
        label = by_id[row.label_id]
        assert (row.name, row.color) == (label.name, label.color)
        assert (row.train_id == 255) == label.ignoreInEval


def nan_to_none(value):
    return None if np.isnan(value) else value
