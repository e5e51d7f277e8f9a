"""Evaluation through a node, with a stand-in for the node: matches, drops, ages, silence, interruption."""
import json
import time
import typing

import numpy as np
import pytest
from bag_maker import LABEL_MAP, BagMaker, labels, make, picture, stamp_of
from evaluation_rig import setup_for, without_times

from espnet_ros.engine import EngineInfo
from espnet_ros.errors import SourceError
from espnet_ros.evaluation import live
from espnet_ros.evaluation.evaluate import evaluate
from espnet_ros.evaluation.journal import read_frames
from espnet_ros.evaluation.live import ThroughNode, check_node, playback_mode
from espnet_ros.evaluation.offline import Evaluator
from espnet_ros.evaluation.statistics import OUTCOMES
from espnet_ros.evaluation.tasks import Task
from espnet_ros.evaluation.workers import InProcess
from espnet_ros.labels import CAMVID
from espnet_ros.models.card import read_card
from espnet_ros.reports.report import page

NOTHING = {'received': 0, 'lost': 0, 'dropped': 0, 'refused': 0, 'skipped': 0, 'failed': 0}


class Answer(typing.NamedTuple):
    stamp: int
    frame_id: str
    labels: np.ndarray
    arrived: float
    latency: float


class StandIn:
    """A player whose node segments at once, and drops the images whose numbers are in `dropped`.

    deaf_from: number of the image from which on nothing is answered. stops_at: of the one at which Ctrl-C is pressed.
    """

    class_names = CAMVID.names

    def __init__(self, setup, dropped=(), deaf_from=10**9, stops_at=10**9, counts=True):
        self.segmenter = Evaluator(setup).segmenter
        self.dropped, self.deaf_from, self.stops_at, self.counts = dropped, deaf_from, stops_at, counts
        self.sent, self.asked, self.times = [], [], []
        self.repeated = self.forgotten = 0
        self._answers = []

    def engine(self):
        return EngineInfo('torch', 'CPU', 'fp32', 0.0)

    def send(self, stamp, frame_id, image):
        if len(self.sent) == self.stops_at:
            raise KeyboardInterrupt
        number = len(self.sent)
        self.sent.append((stamp, frame_id))
        self.times.append(time.monotonic())
        if number not in self.dropped and number < self.deaf_from:
            self._answers.append(Answer(stamp, frame_id, self.segmenter.segment(image).labels,
                                        self.times[-1] + 0.25, 0.25))

    def take(self):
        answers, self._answers = self._answers, []
        return answers

    def wait(self, stamp, frame_id, timeout):
        return any(answer[:2] == (stamp, frame_id) for answer in self._answers)

    def ask(self, stamp, frame_id, image, timeout):
        self.asked.append((stamp, frame_id))
        if len(self.asked) == 3:
            self.repeated += 1
        return Answer(stamp, frame_id, self.segmenter.segment(image).labels, 0.0, 0.125)

    def forget(self):
        self.forgotten += 1
        self._answers = []

    def counters(self, settled=True):
        gone = len([n for n in self.dropped if n < len(self.sent)])
        return dict(NOTHING, received=len(self.sent), dropped=gone) if self.counts else {}

    def silence(self, seconds):
        return 'silent for {:.0f} s'.format(seconds)


def through(setup, rate=None, **settings):
    """Return (ThroughNode, StandIn) for a Setup."""
    player = StandIn(setup, **settings)
    return ThroughNode(setup._replace(mode=playback_mode(rate)), player, rate), player


def played(node, tasks):
    """Return the records, and the problems of the last TaskResult but that the machine was loaded."""
    parts = list(node.run(tasks))
    return ([record for part in parts for record in part.records],
            tuple(text for text in parts[-1].problems if not text.startswith('playback took ')))


@pytest.mark.parametrize('rate', [None, 1000.0])
def test_the_results_are_those_of_an_offline_evaluation(tmp_path, rate):
    setup = setup_for(tmp_path, count=8)
    offline = [record for part in Evaluator(setup).run(Task(0, 0, 8)) for record in part.records]
    node, _ = through(setup, rate)
    records, problems = played(node, [Task(0, 0, 8)])
    assert problems == ()
    for record, expected in zip(records, offline):
        assert {k: v for k, v in without_times(record).items() if k != 'age'} == without_times(expected)
    assert node.images == ({'sent': 8, 'answered': 8, 'again': 1} if rate is None else
                           dict.fromkeys(OUTCOMES, 0) | {'sent': 8, 'answered': 8})
    assert node.engines == {EngineInfo('torch', 'CPU', 'fp32', 0.0)}


def test_images_are_played_when_they_are_due(tmp_path):
    node, player = through(setup_for(tmp_path, count=6), 2.0)
    records, problems = played(node, [Task(0, 0, 6)])
    gaps = np.diff(player.times)
    assert gaps.sum() >= 0.25 - 0.02  # 5 intervals of 0.1 s, twice as fast; a loaded machine is slower
    assert player.asked == [(stamp_of(0), 'warm-up')]
    assert [record['latency'] for record in records] == [0.25] * 6
    # Labels reach their age when the next ones arrive: 0.25 s after the next image, which comes a gap later.
    assert 'age' not in records[0]
    assert [record['age'] for record in records[1:]] == pytest.approx(gaps + 0.25)


def test_dropped_images_are_counted_and_told_apart(tmp_path):
    setup = setup_for(tmp_path, count=10)
    node, _ = through(setup, 1000.0, dropped=(1, 2, 9))
    evaluation = evaluate(setup._replace(mode=playback_mode(1000.0)), tmp_path / 'out', lambda s: node)
    statistics = evaluation.statistics
    assert [r['stamp'] for r in read_frames(tmp_path / 'out')] == [stamp_of(n) for n in (0, 3, 4, 5, 6, 7, 8)]
    assert statistics.images == dict.fromkeys(OUTCOMES, 0) | {'sent': 10, 'answered': 7, 'dropped': 3}
    assert statistics.coverage == 0.7 and len(statistics.ages) == 6
    metrics = json.loads((tmp_path / 'out/metrics.json').read_text())
    assert metrics['images'] == statistics.images and metrics['age']['p50'] == statistics.age(50)
    sentence = '3 of 10 images had no answer: 3 dropped by the node for newer ones'
    text = page(evaluation)
    assert sentence in metrics['problems'] and sentence in text
    assert '10 images sent, 7 answered, 3 dropped by the node for newer ones.' in text and 'age, ms' in text


def test_without_diagnostics_nobody_knows_why(tmp_path):
    node, _ = through(setup_for(tmp_path, count=4), 1000.0, dropped=(1,), counts=False)
    assert played(node, [Task(0, 0, 4)])[1] == ('1 of 4 images had no answer: 1 unaccounted for',)


def test_a_silent_node_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(live, 'TIMEOUT', 0.0)
    node, player = through(setup_for(tmp_path, count=10), 4.0, deaf_from=3)
    with pytest.raises(SourceError, match='silent for 0 s'):
        played(node, [Task(0, 0, 10)])
    assert len(player.sent) < 10


def test_ctrl_c_keeps_what_was_answered_and_the_rest_is_played_later(tmp_path):
    setup = setup_for(tmp_path, count=8)._replace(mode=playback_mode(1000.0))
    with pytest.raises(KeyboardInterrupt):
        evaluate(setup, tmp_path / 'out', lambda s: through(s, 1000.0, dropped=(2,), stops_at=5)[0])
    kept = [record['stamp'] for record in read_frames(tmp_path / 'out')]
    assert set(kept) <= {stamp_of(n) for n in (0, 1, 3, 4)}
    node, player = through(setup, 1000.0)
    statistics = evaluate(setup, tmp_path / 'out', lambda s: node).statistics
    stamps = [record['stamp'] for record in read_frames(tmp_path / 'out')]
    assert stamps[:len(kept)] == kept and stamps[-1] == stamp_of(7)
    assert {stamp_of(n) for n in range(8)} - set(stamps) <= {stamp_of(2)}
    assert statistics.images['sent'] == 8 and statistics.images['answered'] == len(stamps)


def test_each_bag_begins_afresh(tmp_path):
    make(tmp_path / 'b', 3)
    setup = setup_for(tmp_path, [make(tmp_path / 'a', 3), tmp_path / 'b'])  # with the same stamps
    node, player = through(setup, 1000.0)
    records, _ = played(node, [Task(0, 0, 3), Task(1, 0, 3)])
    assert [(r['bag'], r['stamp']) for r in records] == [(bag, stamp_of(n)) for bag in (0, 1) for n in range(3)]
    assert player.forgotten == 2


@pytest.mark.parametrize('rate', [None, 1000.0])
def test_cameras_of_equal_stamps_and_frames_are_told_apart_by_topic(tmp_path, rate):
    with BagMaker(tmp_path / 'bag') as bag:
        for side in ('/left', '/right'):
            bag.text(side + '/ground_truth/label_map', LABEL_MAP)
        for number in range(4):
            for offset, side in enumerate(('/left', '/right')):
                bag.image(side + '/image_raw', stamp_of(number), picture(2 * number + offset), frame_id='rig')
                bag.image(side + '/ground_truth', stamp_of(number), labels(2 * number + offset))
    setup = setup_for(tmp_path)
    offline = [record for part in Evaluator(setup).run(Task(0, 0, 8)) for record in part.records]
    node, player = through(setup, rate)
    records, problems = played(node, [Task(0, 0, 8)])
    assert set(player.sent or player.asked) == {
        (stamp_of(n), side + '/image_raw') for n in range(4) for side in ('/left', '/right')}
    assert problems == () and len(records) == 8
    assert [r['confusion'] for r in records] == [r['confusion'] for r in offline]


def test_long_pauses_and_what_cannot_be_played_in_time_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(live, 'LONGEST_PAUSE', 0.2)
    with BagMaker(tmp_path / 'bag') as bag:
        for number in (0, 1, 10**6):
            bag.image('/camera/image_raw', stamp_of(number), picture(number), frame_id='front')
    node, player = through(setup_for(tmp_path), 1.0)
    records, problems = played(node, [Task(0, 0, 3)])
    assert len(records) == 3 and '1 pauses between images were longer than 0 s and were shortened to that' in problems
    node, player = through(setup_for(tmp_path), 1.0)
    send, player.send = player.send, lambda *image: (time.sleep(0.8), send(*image))
    assert any(text.startswith('playback took ') for text in list(node.run([Task(0, 0, 3)]))[-1].problems)


def test_what_waits_for_an_answer_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(live, '_PENDING_BYTES', 3 * 32 * 24)
    node, _ = through(setup_for(tmp_path, count=10), 1000.0, dropped=range(9))
    records, problems = played(node, [Task(0, 0, 10)])
    assert [record['stamp'] for record in records] == [stamp_of(9)]
    assert problems == ('9 of 10 images had no answer: 9 dropped by the node for newer ones',)


def test_another_way_is_another_evaluation(tmp_path):
    setup = setup_for(tmp_path, count=3)
    evaluate(setup, tmp_path / 'out', InProcess)
    assert json.loads((tmp_path / 'out/metrics.json').read_text())['images'] == {}
    with pytest.raises(SourceError):
        check_node(read_card(setup.model), (96, 64), Told(names=('road',)))


class Told:
    """What a player knows of its node."""

    def __init__(self, names=CAMVID.names, weights='', network_input=''):
        self.class_names, self._model = names, (weights, network_input)

    def model(self):
        return self._model


def test_a_node_with_another_model_is_refused(tmp_path):
    card = read_card(setup_for(tmp_path).model)
    check_node(card, (96, 64), Told())
    check_node(card, (96, 64), Told(weights=card.sha256, network_input='96x64'))
    for told, sentence in ((Told(names=('road', 'sky')), 'has 2 classes'),
                           (Told(weights='f' * 64), 'runs other weights'),
                           (Told(network_input='128x64'), 'is 128x64, not 96x64; set --size to it')):
        with pytest.raises(SourceError, match=sentence):
            check_node(card, (96, 64), told)
