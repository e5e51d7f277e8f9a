"""espnet-ros evaluate through a segmentation node: the same answers as offline, and what a robot would see."""
import json
import subprocess
import sys

import pytest

from espnet_ros.datasets import Drive
from espnet_ros.evaluation.bag_writer import write_bag

pytest.importorskip('rclpy', reason='it needs ROS 2')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp('bag') / 'drive'
    write_bag(path, [Drive(8, 160, 120)])
    return path


@pytest.fixture
def evaluate(bag, tiny, tmp_path):
    """Function evaluate(out, *options) -> (exit code, what was printed), in a process whose environment may change."""
    def run(out, *options):
        done = subprocess.run([sys.executable, '-m', 'espnet_ros.cli', 'evaluate', str(bag), '--model', tiny,
                               '--backend', 'torch', '--precision', 'fp32', '--out', str(tmp_path / out), *options],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=200)
        return done.returncode, done.stdout
    return run


def records(folder):
    return [json.loads(line) for line in (folder / 'frames.jsonl').read_text().splitlines()]


def test_waiting_for_each_answer_gives_the_same_as_offline(evaluate, tmp_path):
    for out, options in (('offline', ()), ('ros', ('--through-ros',))):
        code, text = evaluate(out, *options)
        assert code == 0, text
        assert '8 frames, 8 of 8 labelled ones scored' in text
    assert (tmp_path / 'ros/confusion.csv').read_text() == (tmp_path / 'offline/confusion.csv').read_text()
    assert [r['stamp'] for r in records(tmp_path / 'ros')] == [r['stamp'] for r in records(tmp_path / 'offline')]
    assert all(r['latency'] > 0 for r in records(tmp_path / 'ros'))
    page = (tmp_path / 'ros/report.html').read_text()
    assert 'through ROS, each image after the answer to the one before' in page
    assert (tmp_path / 'ros/logs/segmentation.log').is_file()


def test_what_a_rate_is_too_fast_for_is_told(evaluate, tmp_path):
    code, text = evaluate('fast', '--through-ros', '--rate', '1000', '--min-coverage', '1.0')
    answered = len(records(tmp_path / 'fast'))
    assert '{} frames, {} of 8 labelled ones scored'.format(answered, answered) in text
    assert code == (0 if answered == 8 else 1)
    if answered < 8:
        assert 'coverage is' in text
        assert '{} of 8 images had no answer'.format(8 - answered) in (tmp_path / 'fast/report.html').read_text()


def test_a_model_that_does_not_load_ends_it(evaluate):
    code, text = evaluate('x', '--through-ros', '--model', 'no-such-model')
    assert code == 1 and "no model is called 'no-such-model'" in text and 'Traceback' not in text
