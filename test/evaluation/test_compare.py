"""Two evaluations side by side."""
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.evaluation.compare import compare, comparison_page, shown
from espnet_ros.evaluation.scoring import compare_labels, score_frame
from espnet_ros.evaluation.statistics import Statistics
from espnet_ros.labels import CAMVID, CITYSCAPES

ENGINE = {'backend': 'torch', 'precision': 'fp32', 'device': 'CPU', 'fallback': ''}


def evaluation(folder, wrong, model_set=CAMVID, protocol='cityscapes', latency=0.1, stamps=range(40), truth_seed=0):
    """Leave an evaluation of small frames, a share of whose pixels is wrong, and return its folder."""
    folder.mkdir()
    comparison, = compare_labels(model_set, [CAMVID])
    statistics = Statistics(comparison.label_set, comparison.by_class, len(stamps), protocol)
    with open(folder / 'frames.jsonl', 'w') as stream:
        for stamp in stamps:
            random = np.random.default_rng((truth_seed, stamp))
            truth = random.integers(0, 11, (12, 16), dtype=np.uint8)
            prediction = np.where(random.random(truth.shape) < wrong, (truth + 1) % 11, truth).astype(np.uint8)
            if model_set is CITYSCAPES:
                prediction = np.zeros_like(prediction)
            record = dict(score_frame(comparison, truth, prediction, protocol), bag=0, topic='/a', stamp=stamp,
                          latency=latency + random.random() / 100)
            statistics.add(record)
            stream.write(json.dumps(record) + '\n')
    configuration = {'model': {'name': 'm'}, 'input': [96, 64], 'bags': [{'paths': ['/bag']}]}
    sessions = [{'engines': [ENGINE]}]
    (folder / 'metrics.json').write_text(json.dumps(dict(
        statistics.metrics(), configuration=configuration, sessions=sessions, problems=[])))
    return folder


def by_name(found):
    return {d.name: d for d in found.differences}


def test_scores_are_those_of_the_evaluations_and_the_worse_is_worse(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.4, latency=0.05)
    found = compare(a, b)
    assert found.frames == 40
    for name, key in (('category mIOU', 'averageScoreCategories'), ('class mIOU', 'averageScoreClasses'),
                      ('pixel accuracy', 'pixelAccuracy'), ('boundary F1', 'boundaryF1')):
        d = by_name(found)[name]
        for value, folder in ((d.a, a), (d.b, b)):
            assert value == pytest.approx(json.loads((folder / 'metrics.json').read_text())[key])
        assert d.low <= d.difference <= d.high < 0 and d.verdict == 'worse', name
    latency = by_name(found)['mean latency']
    assert latency.difference == pytest.approx(-0.05, abs=0.01) and latency.verdict == 'better'
    assert set(CAMVID.names) < set(by_name(found))


def test_the_same_is_no_difference(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.2), evaluation(tmp_path / 'b', 0.2)
    for d in compare(a, b).differences:
        assert (d.difference, d.low, d.high, d.verdict) == (0, 0, 0, '')


def test_the_interval_is_that_of_a_bootstrap_by_hand(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.2, stamps=range(12)), evaluation(tmp_path / 'b', 0.25, stamps=range(12))
    frames = [[json.loads(line) for line in (folder / 'frames.jsonl').open()] for folder in (a, b)]
    right = [np.array([[sum(n for t, p, n in r['confusion'] if t == p), sum(n for _, _, n in r['confusion'])]
                       for r in records]) for records in frames]
    random = np.random.default_rng(5)
    drawn = []
    for _ in range(4000):
        chosen = random.integers(0, 12, 12)
        (x, y), (u, v) = right[0][chosen].sum(0), right[1][chosen].sum(0)
        drawn.append(u / v - x / y)
    found = by_name(compare(a, b, draws=4000))['pixel accuracy']
    assert found.low == pytest.approx(np.percentile(drawn, 2.5), abs=0.004)
    assert found.high == pytest.approx(np.percentile(drawn, 97.5), abs=0.004)
    assert compare(a, b).differences == compare(a, b).differences  # always the same draws


def test_only_common_frames_count_and_blocks_widen_nothing_that_is_independent(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.2), evaluation(tmp_path / 'b', 0.3, stamps=range(30, 50))
    found = compare(a, b)
    assert found.frames == 10
    # One block holds all: every draw is the whole.
    for d in compare(a, b, block=10).differences:
        assert (d.low, d.high) == pytest.approx((d.difference, d.difference))


def changed(**values):
    """CamVid's label set with a class that is another one in some respect."""
    first, *others = CAMVID.classes
    return CAMVID._replace(classes=(first._replace(**values), *others))


def test_equal_predictions_are_equal_when_one_was_scored_by_category(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.3), evaluation(tmp_path / 'b', 0.3, changed(name='Heaven'))
    assert [json.loads((folder / 'metrics.json').read_text())['byClass'] for folder in (a, b)] == [True, False]
    for first, second in ((a, b), (b, a)):
        found = compare(first, second)
        assert 'by category, without boundary F1' in found.note and found.note in comparison_page(found, ['a', 'b'])
        assert by_name(found)['pixel accuracy'].a > 0.7 and 'boundary F1' not in by_name(found)
        assert all((d.difference, d.low, d.high, d.verdict) == (0, 0, 0, '') for d in found.differences)


def test_other_colors_are_no_other_classes(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.1, changed(color=(1, 2, 3)))
    assert compare(a, b).note == '' and 'class mIOU' in by_name(compare(a, b))


def test_models_of_other_label_sets_are_compared_by_category(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.1, CITYSCAPES)
    assert 'class mIOU' not in by_name(compare(a, b)) and 'flat' in by_name(compare(a, b))
    assert by_name(compare(a, b))['category mIOU'].verdict == 'worse'


def test_what_cannot_be_compared_is_one_sentence(tmp_path):
    a = evaluation(tmp_path / 'a', 0.1)
    with pytest.raises(ParameterError, match='protocol'):
        compare(a, evaluation(tmp_path / 'b', 0.1, protocol='authors'))
    with pytest.raises(ParameterError, match='no labeled frame in common'):
        compare(a, evaluation(tmp_path / 'c', 0.1, stamps=range(100, 103)))
    with pytest.raises(ParameterError, match='is not a finished evaluation .*; give a folder that'):
        compare(a, tmp_path / 'nothing')


@pytest.mark.slow
def test_a_comparison_needs_neither_pytorch_nor_opencv(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.3)
    program = ('import sys\nfrom espnet_ros.cli import main\nassert main(["compare", *sys.argv[1:]]) == 0\n'
               'sys.exit(", ".join({"torch", "cv2", "rosbags"} & set(sys.modules)) or 0)')
    found = subprocess.run([sys.executable, '-c', program, str(a), str(b)], capture_output=True, text=True)
    assert found.returncode == 0 and 'worse' in found.stdout, found.stderr


@pytest.mark.parametrize('content', ['', '[]', '7', '{}', '\xff', '{"labelSet": {}, "byClass": true}', '[' * 10000])
def test_damaged_metrics_are_one_sentence(tmp_path, content):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.1)
    (b / 'metrics.json').write_bytes(content.encode('latin-1'))
    with pytest.raises(EspnetError):
        compare(a, b)


def test_the_page_and_its_numbers(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.3)
    found = compare(a, b)
    page = comparison_page(found, ['<first>', 'second'])
    assert '<first>' not in page and '&lt;first&gt;' in page
    d = by_name(found)['class mIOU']
    assert '{:+.2f} to {:+.2f}'.format(100 * d.low, 100 * d.high) in page
    assert shown(math.nan, '%') == '–' and shown(0.5, '%', True) == '+50.00' and shown(0.0123, 'ms') == '12.3'
