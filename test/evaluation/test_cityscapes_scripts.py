"""The benchmark's own scripts on the same label images."""
import itertools
import json

import cv2
import numpy as np
import pytest

from espnet_ros.evaluation.scoring import compare_labels, score_frame
from espnet_ros.evaluation.statistics import Statistics
from espnet_ros.labels import CAMVID, CITYSCAPES, CITYSCAPES_LABELS, label_id_to_train_id, train_id_to_label_id
from espnet_ros.labels.instances import OBJECTS
from espnet_ros.metrics.instances import AVERAGE_PIXELS


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


def objects_of(truth, seed=0):
    """Instance ids, uint16, of ground truth in labelIds: each human and vehicle falls into up to 5 objects."""
    number = np.random.default_rng(seed).integers(0, 5, (12, 18)).repeat(8, 0).repeat(8, 1)
    return np.where((truth >= 24) & (truth <= 33) & (number > 0), 1000 * truth.astype(int) + number, truth).astype(
        np.uint16)


def theirs(scripts, folder, pairs, instances=()):
    """The result of cityscapesScripts; they take labelIds, 0 where unlabeled."""
    names = []
    for number, (truth, prediction) in enumerate(pairs):
        names.append([str(folder / '{}_{}_labelIds.png'.format(kind, number)) for kind in ('prediction', 'truth')])
        cv2.imwrite(names[-1][0], train_id_to_label_id()[prediction])
        cv2.imwrite(names[-1][1], truth)
        if instances:
            cv2.imwrite(names[-1][1].replace('labelIds', 'instanceIds'), instances[number])
    scripts.args.evalInstLevelScore = bool(instances)
    scripts.args.JSONOutput = False
    scripts.args.quiet = True
    return scripts.evaluateImgLists(*zip(*names), scripts.args)


def ours(pairs, instances=(), model_set=CITYSCAPES):
    comparison, = compare_labels(model_set, [CITYSCAPES])
    statistics = Statistics(comparison.label_set, comparison.by_class, len(pairs))
    for (truth, prediction), objects in itertools.zip_longest(pairs, instances):
        record = score_frame(comparison, label_id_to_train_id()[truth], prediction, instances=objects)
        statistics.add(dict(json.loads(json.dumps(record)), latency=0.1))
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


@pytest.mark.parametrize('pairs', [
    [images(seed) for seed in range(5)],
    [images(5, [7, 8, 11, 24, 26]), images(6, [7, 23])],  # most classes never occur; no objects in one image
    [images(7, [7, 11, 29, 30])],  # objects that are not evaluated, and what is taken for others
    [images(8, [7, 8])],  # no object at all, but predicted ones
], ids=['many', 'few classes', 'ignored objects', 'no objects'])
def test_instance_weighted_iou_is_the_benchmarks(scripts, tmp_path, pairs):
    instances = [objects_of(truth, seed) for seed, (truth, _) in enumerate(pairs)]
    expected, found = theirs(scripts, tmp_path, pairs, instances), ours(pairs, instances)
    assert found['instanceFrames'] == len(pairs)
    for name in CITYSCAPES.names:
        assert found['classInstScores'][name] == pytest.approx(
            nan_to_none(expected['classInstScores'][name]), abs=1e-6), name
    for name, value in found['categoryInstScores'].items():
        assert value == pytest.approx(nan_to_none(expected['categoryInstScores'][name]), abs=1e-6), name
    for key in ('averageScoreInstClasses', 'averageScoreInstCategories'):
        assert found[key] == pytest.approx(nan_to_none(expected[key]), abs=1e-6)
    # The other scores are those without instances.
    assert found['classScores'] == ours(pairs)['classScores']


def test_objects_have_categories_where_classes_are_not_compared(scripts, tmp_path):
    """A model of CamVid's classes on ground truth of Cityscapes."""
    truth, _ = images(9)
    prediction = np.random.default_rng(9).choice(np.array([*CAMVID.ids, 255], np.uint8), truth.shape)
    found = ours([(truth, prediction)], [objects_of(truth)], CAMVID)
    # The same, told in Cityscapes' classes: one of each category, a cyclist is a human.
    same = np.full(256, 255, np.uint8)
    for c in CAMVID.classes:
        same[c.id] = next(row.train_id for row in CITYSCAPES_LABELS
                          if row.category == c.category and row.train_id != 255)
    expected = theirs(scripts, tmp_path, [(truth, same[prediction])], [objects_of(truth)])
    assert found['classInstScores'] == {} and found['averageScoreInstClasses'] is None
    assert found['averageScoreInstCategories'] == pytest.approx(expected['averageScoreInstCategories'], abs=1e-6)
    for name in ('human', 'vehicle'):
        assert found['categoryInstScores'][name] == pytest.approx(expected['categoryInstScores'][name], abs=1e-6)


def test_without_instances_there_is_no_such_score(scripts, tmp_path):
    found = ours([images(1)])
    assert found['instanceFrames'] == 0 and found['averageScoreInstClasses'] is None
    assert set(found['classInstScores'].values()) == set(found['categoryInstScores'].values()) == {None}


def test_the_mean_sizes_are_theirs(scripts):
    evaluated = {label.name for label in scripts.labels if label.hasInstances and not label.ignoreInEval}
    assert {name: size for name, size in scripts.args.avgClassSize.items() if name in evaluated} == AVERAGE_PIXELS
    assert {label.id for label in scripts.labels if label.hasInstances} == set(OBJECTS)


def test_every_label_of_the_table_is_theirs(scripts):
    by_id = {label.id: label for label in scripts.labels}
    for row in CITYSCAPES_LABELS:
        label = by_id[row.label_id]
        assert (row.name, row.color) == (label.name, label.color)
        assert (row.train_id == 255) == label.ignoreInEval


def nan_to_none(value):
    return None if np.isnan(value) else value
