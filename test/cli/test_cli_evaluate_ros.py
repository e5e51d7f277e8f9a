"""espnet-ros evaluate through a segmentation node: the same answers as offline, and what a robot would see."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from evaluation_rig import small_model
from ros_process import wait_until

from espnet_ros.bags.writer import write_bag
from espnet_ros.cli import main
from espnet_ros.datasets import Drive, open_dataset

pytestmark = pytest.mark.slow

pytest.importorskip('rclpy', reason='it needs ROS 2')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp('bag') / 'drive'
    write_bag(path, [Drive(8, 160, 120)])
    return path


@pytest.fixture(scope='module')
def long_bag(tmp_path_factory):
    path = tmp_path_factory.mktemp('long') / 'drive'
    write_bag(path, [Drive(200, 160, 120)])
    return path


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    return str(small_model(tmp_path_factory.mktemp('model')))


@pytest.fixture(scope='module')
def offline(bag, tiny, tmp_path_factory):
    """Folder of an evaluation of the bag without ROS."""
    folder = tmp_path_factory.mktemp('offline')
    assert main(['evaluate', str(bag), '--model', tiny, '--backend', 'torch', '--precision', 'fp32',
                 '--out', str(folder)]) == 0
    return folder


@pytest.fixture
def evaluate(bag, tiny, tmp_path):
    """Function evaluate(out, *options) -> (exit code, what was printed), in a process whose environment may change."""
    def run(out, *options):
        done = subprocess.run([sys.executable, '-m', 'espnet_ros.cli', 'evaluate', str(bag), '--model', tiny,
                               '--backend', 'torch', '--precision', 'fp32', '--out', str(tmp_path / out), *options],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=500)
        return done.returncode, done.stdout
    return run


def records(folder):
    return [json.loads(line) for line in (folder / 'frames.jsonl').read_text().splitlines()]


def test_waiting_for_each_answer_gives_the_same_as_offline(evaluate, offline, tmp_path):
    code, text = evaluate('ros', '--through-ros')
    assert code == 0 and '8 frames, 8 of 8 labeled ones scored' in text, text
    assert (tmp_path / 'ros/confusion.csv').read_text() == (offline / 'confusion.csv').read_text()
    assert [r['stamp'] for r in records(tmp_path / 'ros')] == [r['stamp'] for r in records(offline)]
    assert all(r['latency'] > 0 for r in records(tmp_path / 'ros'))
    page = (tmp_path / 'ros/report.html').read_text()
    assert 'through ROS, each image after the answer to the previous one' in page
    assert (tmp_path / 'ros/logs/segmentation.log').is_file()


def test_what_a_rate_is_too_fast_for_is_told(evaluate, tmp_path):
    code, text = evaluate('fast', '--through-ros', '--rate', '1000', '--min-coverage', '1.0')
    answered = len(records(tmp_path / 'fast'))
    assert '8 images sent, {} answered'.format(answered) in text
    metrics = json.loads((tmp_path / 'fast/metrics.json').read_text())
    images = metrics['images']
    assert sum(images.values()) == 8 + 8 and (images['sent'], images['answered']) == (8, answered)
    assert answered < 2 or ('age of the labels' in text and metrics['age']['p50'] > 0)
    engine, = metrics['sessions'][0]['engines']
    assert (engine['backend'], engine['precision']) == ('torch', 'fp32')
    assert '{} frames, {} of 8 labeled ones scored'.format(answered, answered) in text
    assert code == (0 if answered == 8 else 1)
    if answered < 8:
        assert 'coverage is' in text
        assert '{} of 8 images had no answer'.format(8 - answered) in (tmp_path / 'fast/report.html').read_text()
        assert images['unknown'] == images['failed'] == images['refused'] == images['skipped'] == 0


def test_a_model_that_does_not_load_ends_it(bag, capsys):
    assert main(['evaluate', str(bag), '--through-ros', '--model', 'no-such-model']) == 1
    assert "no model is called 'no-such-model'" in capsys.readouterr().err


class Evaluation:
    """`espnet-ros evaluate --through-ros` of a long drive, as a process."""

    def __init__(self, bag, tiny, folder):
        self.out = folder / 'out'
        self.command = [sys.executable, '-m', 'espnet_ros.cli', 'evaluate', str(bag), '--model', tiny, '--backend',
                        'torch', '--precision', 'fp32', '--no-boundary', '--through-ros', '--out', str(self.out)]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        universal_newlines=True)
        wait_until(lambda: self.process.poll() is not None or self.kept(), 120.0)

    def kept(self):
        """The lines of frames.jsonl that are whole."""
        path = self.out / 'frames.jsonl'
        return [line for line in path.read_text().splitlines() if line.endswith('}')] if path.exists() else []

    def nodes(self):
        """Process ids of the segmentation nodes that it has started."""
        found = []
        for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
            try:
                parent = int(path.read_text().rpartition(')')[2].split()[1])
            except OSError:
                continue
            if parent == self.process.pid:
                found.append(int(path.parent.name))
        return found


def test_ctrl_c_keeps_what_was_done_ends_the_node_and_the_same_command_resumes(long_bag, tiny, tmp_path):
    evaluation = Evaluation(long_bag, tiny, tmp_path)
    nodes = evaluation.nodes()
    evaluation.process.send_signal(signal.SIGINT)
    text = evaluation.process.communicate(timeout=60)[0]
    kept = evaluation.kept()
    assert evaluation.process.returncode == 130, text
    assert 'the results so far are kept in' in text and 'Traceback' not in text
    assert 0 < len(kept) < 200 and len(nodes) == 1
    wait_until(lambda: not os.path.exists('/proc/{}'.format(nodes[0])))
    done = subprocess.run(evaluation.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=300)
    assert done.returncode == 0, done.stdout
    lines = evaluation.kept()
    assert lines[:len(kept)] == kept and len(lines) == 200
    # The image in work at Ctrl-C may have been answered without being kept: it is sent once more.
    sent, answered = map(int, re.search(r'(\d+) images sent, (\d+) answered', done.stdout).groups())
    assert sent == answered and 200 <= sent <= 201


def test_a_node_that_dies_is_told_and_what_was_done_is_kept(long_bag, tiny, tmp_path):
    evaluation = Evaluation(long_bag, tiny, tmp_path)
    node, = evaluation.nodes()
    os.kill(node, signal.SIGKILL)
    text = evaluation.process.communicate(timeout=60)[0]
    assert evaluation.process.returncode == 1
    assert re.search('espnet-ros: error: the segmentation node ended with code -9', text), text
    assert 'the results so far are kept in' in text and 'Traceback' not in text and 0 < len(evaluation.kept()) < 200


def test_a_node_that_runs_already_is_asked(evaluate, offline, tiny, tmp_path, start_node):
    node = start_node('espnet_ros.nodes.segmentation.__main__', '--ros-args', '-r', '__ns:=/front', '-p',
                      'model:=' + tiny, '-p', 'backend:=torch', '-p', 'precision:=fp32')
    node.wait_for('engine ready')
    auto = '--backend', 'auto', '--precision', 'auto'
    code, text = evaluate('node', '--node', 'front/espnet', *auto)
    assert code == 0 and '8 of 8 labeled ones scored' in text, text
    assert (tmp_path / 'node/confusion.csv').read_text() == (offline / 'confusion.csv').read_text()
    assert node.is_running()
    code, text = evaluate('x', '--node', '/front/espnet', *auto, '--width', '128')
    assert code == 1 and 'the network input of the node is 96x64, not 128x64' in text, text
    code, text = evaluate('x', '--node', '/front/espnet', *auto, '--model', 'camvid-espnet-c-q8')
    assert code == 1 and 'the node runs other weights' in text, text


@pytest.mark.parametrize('options, sentence', [
    (('--rate', '2'), '--rate needs --through-ros or --node'),
    (('--node', '/espnet', '--backend', 'torch'), '--backend, --device and --precision have no effect on /espnet'),
    (('--node', 'a b'), "'a b' is not the full name of a node"), (('--node', ''), "'' is not the full name of a node"),
    (('--through-ros', '--rate', '0'), '0 is not above 0')])
def test_options_that_do_not_go_together_are_refused(bag, tiny, capsys, options, sentence):
    try:
        assert main(['evaluate', str(bag), '--model', tiny, *options]) == 1
    except SystemExit as left:
        assert left.code == 2
    assert sentence in capsys.readouterr().err


def test_camvid_through_ros_gives_the_reference_confusion_matrix(shared, tmp_path):
    write_bag(tmp_path / 'bag', [open_dataset('camvid:{}:val'.format(shared / 'data/camvid'))])
    done = subprocess.run(
        [sys.executable, '-m', 'espnet_ros.cli', 'evaluate', str(tmp_path / 'bag'), '--model',
         str(shared / 'weights/espnet/espnet_p_2_q_8_camvid.pth'), '--precision', 'fp32', '--no-boundary',
         '--through-ros', '--min-class-miou', '0.7009', '--out', str(tmp_path / 'out')],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=500)
    assert done.returncode == 0 and '101 images sent, 101 answered' in done.stdout, done.stdout
    metrics = json.loads((tmp_path / 'out/metrics.json').read_text())
    golden = np.loadtxt(str(shared / 'golden/camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    found = np.array(metrics['confMatrix'])
    assert found.sum() == golden.sum() and np.abs(found - golden).sum() / 2 < 0.001 * golden.sum()
    assert round(100 * metrics['averageScoreClasses'], 2) == 70.10
