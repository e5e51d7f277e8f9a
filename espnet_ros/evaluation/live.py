"""Frames played into a running segmentation node, as by a robot's camera."""
import collections
import concurrent.futures
import contextlib
import time

from espnet_ros.errors import SourceError
from espnet_ros.evaluation.offline import fresh_frames, prefetch
from espnet_ros.evaluation.pictures import frame_pictures
from espnet_ros.evaluation.scans import score_source
from espnet_ros.evaluation.scoring import score_frame
from espnet_ros.evaluation.statistics import OUTCOMES
from espnet_ros.evaluation.tasks import Task, TaskResult

TIMEOUT = 30.0
"""Seconds in which the node must answer."""
LONGEST_PAUSE = 10.0
"""Maximum pause in seconds before the next image: a clock that was set makes gaps of years."""
_PENDING_BYTES = 256 << 20
"""Size of the ground truth of unanswered images in memory; beyond it the oldest are given up."""
_SCORING = 32
"""Maximum number of answers that wait to be scored."""
_LATE = 1.1
"""Playback that takes this many times as long as it should is reported."""


class ThroughNode:
    """Workers (see workers.InProcess) that send images to a node.

    player: a connected clients.replay.Player. rate: playback speed as a multiple of the recorded rate, whether the node
    keeps up or not; None to wait for the answer to each image.

    images: number `sent` and `answered`, those sent `again` because no answer came, and those of each of OUTCOMES.
    """

    count = 1

    def __init__(self, setup, player, rate=None):
        engine = player.engine()
        self.engines = set() if engine is None else {engine}
        self.where = setup.mode
        self.images = collections.Counter()
        self._setup, self._player, self._rate = setup, player, rate

    def run(self, tasks):
        """Yield a TaskResult for each answer of the node and one for the end of each Task. Raises EspnetError."""
        if self._rate is not None:
            self._warm_up(tasks)
        for task in tasks:
            with contextlib.closing(prefetch(fresh_frames(self._setup.sources[task.source], task))) as frames, \
                    contextlib.closing(self._ask(task, frames) if self._rate is None else self._play(task, frames)) \
                    as parts:
                yield from parts

    def _warm_up(self, tasks):
        """Send the first image once: the node then knows its subscriber, and its engine is warmed up."""
        for task in tasks:
            with contextlib.closing(fresh_frames(self._setup.sources[task.source], task)) as frames:
                frame, _ = next(frames)
                if frame is not None:
                    self._player.ask(frame.stamp, 'warm-up', frame.image, TIMEOUT)
                    return

    def _ask(self, task, frames):
        for count, (frame, problems) in enumerate(frames):
            if frame is None:
                yield TaskResult(task, [], problems)
                return
            known = self._player.repeated
            answer = self._player.ask(frame.stamp, self._frame_id(task.source, frame), frame.image, TIMEOUT)
            self.images.update(sent=1, answered=1, again=self._player.repeated - known)
            yield TaskResult(task._replace(stop=task.start + count + 1), [self._record(task, frame, answer)], problems)

    def _play(self, task, frames):
        self._player.forget()
        before = self._player.counters()
        schedule, pending = _Schedule(self._rate), _Pending()
        scores: collections.deque = collections.deque()
        sent = answered = 0
        heard = newest = 0.0
        with concurrent.futures.ThreadPoolExecutor(1) as scorer, contextlib.ExitStack() as interrupted:
            interrupted.callback(lambda: self._count(sent - len(pending.frames) - len(scores), answered, before, False))
            for frame, problems in frames:
                if frame is not None:
                    schedule.wait_for(frame.stamp)
                    heard = heard if pending.frames else time.monotonic()
                    key = frame.stamp, self._frame_id(task.source, frame)
                    self._player.send(*key, frame.image)
                    pending.add(key, frame._replace(image=None))
                    sent += 1
                elif pending.frames:  # the node never drops the newest image
                    self._player.wait(*key, TIMEOUT)
                for answer in self._player.take():
                    heard = time.monotonic()
                    asked = pending.take(answer)
                    if asked is not None:
                        age, newest = newest and answer.arrived - newest, answer.arrived - answer.latency
                        scores.append(scorer.submit(self._record, task, asked, answer, age))
                if frame is not None and pending.frames and time.monotonic() > heard + TIMEOUT:
                    raise SourceError(self._player.silence(TIMEOUT))
                records = []
                while scores and (frame is None or scores[0].done() or len(scores) > _SCORING):
                    records.append(scores.popleft().result())
                answered += len(records)
                if frame is not None:
                    stop = task.start + sent - len(pending.frames) - len(scores)
                    yield TaskResult(task._replace(stop=stop), records, problems)
            interrupted.pop_all()
        counted = self._count(sent, answered, before)
        yield TaskResult(task, records, (*problems, *schedule.problems(), *_unanswered(counted)))

    def _count(self, sent, answered, before, settled=True):
        """Return the outcomes of the sent images and add them to `images`; before: the node's counters before."""
        found = collections.Counter(sent=sent, answered=answered)
        missing = sent - answered
        after = self._player.counters(settled) if missing else {}
        for outcome in OUTCOMES:
            found[outcome] = max(0, min(missing, after.get(outcome, 0) - before.get(outcome, 0)))
            missing -= found[outcome]
        found['unknown'] = missing
        self.images.update(found)
        return found

    def _frame_id(self, source, frame):
        """Return the frame_id to send, with several cameras the topic: answers carry only stamp and frame_id."""
        return frame.topic if self._setup.sources[source].cameras > 1 else frame.frame_id

    def _record(self, task, frame, answer, age=0.0):
        record = {'bag': task.source, 'topic': frame.topic, 'stamp': frame.stamp, 'latency': answer.latency}
        if age:
            record['age'] = age
        if frame.truth is not None:
            record.update(score_frame(self._setup.comparisons[task.source], frame.truth, answer.labels,
                                      self._setup.protocol, self._setup.outlines, frame.instances))
        return record

    def draw(self, references):
        """Return the FramePictures of each FrameReference, None if it no longer exists."""
        return [self._drawn(one) for one in references]

    def _drawn(self, reference):
        source = self._setup.sources[reference.source]
        with contextlib.closing(fresh_frames(source, Task(reference.source, reference.start, len(source)))) as frames:
            for frame, _ in frames:
                if frame is not None and (frame.topic, frame.stamp) == (reference.topic, reference.stamp):
                    frame_id = self._frame_id(reference.source, frame)
                    answer = self._player.ask(frame.stamp, frame_id, frame.image, TIMEOUT)
                    return frame_pictures(self._setup.comparisons[reference.source], frame.image, frame.truth,
                                          answer.labels)
        return None

    def scans(self, sources):
        """Return the scans.Scored of each source, or the sentence why there is none."""
        return [score_source(self._setup, source, lambda frame, source=source: self._player.ask(
            frame.stamp, self._frame_id(source, frame), frame.image, TIMEOUT).labels) for source in sources]

    def close(self):
        """Do nothing: whoever started the node stops it."""


class _Schedule:
    """Times at which images are due, by their stamps."""

    def __init__(self, rate):
        self._rate = rate
        self._began = self._due = 0.0
        self._stamp = None
        self._shortened = 0

    def wait_for(self, stamp):
        """Wait until the image with that stamp in ns is due."""
        if self._stamp is None:
            self._began = self._due = time.monotonic()
        else:
            pause = max(0.0, (stamp - self._stamp) * 1e-9 / self._rate)
            self._shortened += pause > LONGEST_PAUSE
            self._due += min(pause, LONGEST_PAUSE)
        self._stamp = stamp
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._ended = time.monotonic()

    def problems(self):
        """Yield sentences about deviations from the recorded timing."""
        if self._stamp is None:
            return
        wanted, taken = self._due - self._began, self._ended - self._began
        if taken > max(_LATE * wanted, wanted + 0.5):
            yield 'playback took {:.1f} s instead of {:.1f}: this machine cannot read the images faster'.format(
                taken, wanted)
        if self._shortened:
            yield '{} pauses between images were longer than {:.0f} s and were shortened to that'.format(
                self._shortened, LONGEST_PAUSE)


class _Pending:
    """Frames, without their image, that may still be answered: `frames` by (stamp, frame_id), in the order sent."""

    def __init__(self):
        self.frames = {}
        self._bytes = 0

    def add(self, key, frame):
        self.frames[key] = frame
        self._bytes += _size(frame)
        while self._bytes > _PENDING_BYTES and len(self.frames) > 1:
            self._bytes -= _size(self.frames.pop(next(iter(self.frames))))

    def take(self, answer):
        """Return the frame of an Answer, None if it was given up; earlier frames will not be answered."""
        key = answer.stamp, answer.frame_id
        if key not in self.frames:
            return None
        while True:
            first = next(iter(self.frames))
            frame = self.frames.pop(first)
            self._bytes -= _size(frame)
            if first == key:
                return frame


def _size(frame):
    return sum(pixels.nbytes for pixels in (frame.truth, frame.instances) if pixels is not None)


def _unanswered(images):
    """Yield a sentence when images had no answer."""
    if images['sent'] > images['answered']:
        yield '{} of {} images had no answer: {}'.format(
            images['sent'] - images['answered'], images['sent'],
            ', '.join('{} {}'.format(images[outcome], text) for outcome, text in OUTCOMES.items() if images[outcome]))


def playback_mode(rate=None):
    """Return the value of Setup.mode for a playback; rate: as for ThroughNode."""
    return 'through ROS, ' + ('each image after the answer to the previous one' if rate is None else
                              'at {:g} times the recorded rate'.format(rate))


def check_node(card, size, player):
    """Raise SourceError unless a connected node runs the model of a ModelCard at a network input (width, height)."""
    names = player.class_names
    if list(names) != list(card.label_set.names):
        raise SourceError('the node has {} classes ({}, ...), but the model has {} ({}, ...); give the model that the '
                          'node runs as --model'.format(len(names), ', '.join(names[:2]),
                                                              len(card.label_set.names),
                                                              ', '.join(card.label_set.names[:2])))
    weights, network_input = player.model()
    if weights and weights != card.sha256:
        raise SourceError('the node runs other weights (SHA-256 {}...) than {} ({}...); give the model that the node '
                          'runs as --model'.format(weights[:12], card.name, card.sha256[:12]))
    if network_input and network_input != '{}x{}'.format(*size):
        raise SourceError('the network input of the node is {}, not {}x{}; set --size to it'.format(
            network_input, *size))
