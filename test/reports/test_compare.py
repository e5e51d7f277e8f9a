"""Two evaluations side by side."""
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from evaluation_rig import finished_evaluation as evaluation

from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.reports.compare import compare, comparison_page, shown


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


def edited(value, path, change):
    """Change what lies at a path of keys and indices of plain data: None removes it."""
    *parents, last = path
    for key in parents:
        value = value[key]
    if change is None:
        del value[last]
    else:
        value[last] = change


@pytest.mark.parametrize('path, change, problem', [
    (('labelSet',), None, "it lacks 'labelSet'"), (('scoredFrames',), None, "it lacks 'scoredFrames'"),
    (('configuration', 'model', 'name'), None, "it lacks 'name'"), (('configuration', 'model'), 7, ''),
    (('configuration', 'input'), [480], ''), (('configuration', 'bags', 0, 'paths'), [1], ''),
    (('sessions', 0, 'engines', 0, 'device'), None, "it lacks 'device'"), (('sessions',), 1, ''),
    (('protocol',), 'mine', "protocol is 'mine'"), (('byClass',), 'yes', "byClass 'yes'")])
def test_edited_metrics_are_one_sentence(tmp_path, path, change, problem):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.1)
    metrics = json.loads((b / 'metrics.json').read_text())
    edited(metrics, path, change)
    (b / 'metrics.json').write_text(json.dumps(metrics))
    with pytest.raises(ParameterError, match='b/metrics.json. is damaged, edited .*{}.*; repeat'.format(problem)):
        compare(a, b)


@pytest.mark.parametrize('path, change', [
    (('bag',), None), (('latency',), None), (('boundary_f1',), 'high'), (('stamp',), [1]), (('stamp',), '1'),
    (('confusion',), 7), (('confusion',), [[0, 1]]), (('confusion',), [[0, 99, 5]]), (('confusion',), [[-1, 0, 5]]),
    (('confusion',), [[0, 0, -5]]), (('confusion',), [[0, 0, 1e400]]), (('confusion',), [[0, 0, 10**30]])])
def test_edited_frames_are_one_sentence(tmp_path, path, change):
    a, b = evaluation(tmp_path / 'a', 0.1, stamps=range(3)), evaluation(tmp_path / 'b', 0.1, stamps=range(3))
    for folder in (a, b):  # both, so that a key that is edited is one that both have
        records = [json.loads(line) for line in (folder / 'frames.jsonl').open()]
        edited(records[1], path, change)
        (folder / 'frames.jsonl').write_text(''.join(json.dumps(record) + '\n' for record in records))
    with pytest.raises(ParameterError, match='a/frames.jsonl. is damaged, edited .*; repeat'):
        compare(a, b)


def test_the_page_and_its_numbers(tmp_path):
    a, b = evaluation(tmp_path / 'a', 0.1), evaluation(tmp_path / 'b', 0.3)
    found = compare(a, b)
    page = comparison_page(found, ['<first>', 'second'])
    assert '<first>' not in page and '&lt;first&gt;' in page
    d = by_name(found)['class mIOU']
    assert '{:+.2f} to {:+.2f}'.format(100 * d.low, 100 * d.high) in page
    assert shown(math.nan, '%') == '–' and shown(0.5, '%', True) == '+50.00' and shown(0.0123, 'ms') == '12.3'
