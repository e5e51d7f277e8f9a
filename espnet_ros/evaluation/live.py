"""Bags through a running segmentation node, as a robot's camera would show them."""
import collections
import concurrent.futures
import contextlib
import time

from espnet_ros.errors import SourceError
from espnet_ros.evaluation.offline import Done, Task, ahead, fresh_frames
from espnet_ros.evaluation.pictures import frame_pictures
from espnet_ros.evaluation.scoring import score_frame
from espnet_ros.evaluation.statistics import FATES

TIMEOUT = 30.0
"""Seconds within which the node must answer."""
LONGEST_PAUSE = 10.0
"""Seconds that the player waits for the next image, at most: a clock that was set makes gaps of years."""
_WAITING_BYTES = 256 << 20
"""Ground truth of images without an answer takes this much memory; then the oldest are given up."""
_SCORING = 32
"""Answers that wait for their score, at most."""
_LATE = 1.1
"""Playing that takes so many times as long as it should is told."""


class ThroughNode:
    """Workers (see workers.InProcess) that ask a node.

    player: a nodes.replay.Player that is connected, or alike. rate: how many times as fast as recorded the images are
    played, whether the node keeps up or not; None to wait for the answer to each.

    images: how many were `sent` and `answered`, those sent `again` because no answer came, and those of each of FATES.
    """

    count = 1

    def __init__(self, setup, player, rate=None):
        engine = player.engine()
        self.engines = set() if engine is None else {engine}
        self.where = setup.way
        self.images = collections.Counter()
        self._setup, self._player, self._rate = setup, player, rate

    def run(self, tasks):
        """Yield a Done for each answer of the node and one for the end of each Task. Raises EspnetError."""
        if self._rate is not None:
            self._warm_up(tasks)
        for task in tasks:
            with contextlib.closing(ahead(fresh_frames(self._setup.sources[task.source], task))) as frames, \
                    contextlib.closing(self._ask(task, frames) if self._rate is None else self._play(task, frames)) \
                    as parts:
                yield from parts

    def _warm_up(self, tasks):
        """Ask about the first image: the node then knows its listener, and its engine is not the slower for resting."""
        for task in tasks:
            with contextlib.closing(fresh_frames(self._setup.sources[task.source], task)) as frames:
                frame, _ = next(frames)
                if frame is not None:
                    self._player.ask(frame.stamp, 'warm-up', frame.image, TIMEOUT)
                    return

    def _ask(self, task, frames):
        for count, (frame, problems) in enumerate(frames):
            if frame is None:
                yield Done(task, [], problems)
                return
            known = self._player.repeated
            answer = self._player.ask(frame.stamp, self._frame_id(task.source, frame), frame.image, TIMEOUT)
            self.images.update(sent=1, answered=1, again=self._player.repeated - known)
            yield Done(task._replace(stop=task.start + count + 1), [self._record(task, frame, answer)], problems)

    def _play(self, task, frames):
        self._player.forget()
        before = self._player.counters()
        schedule, waiting = _Schedule(self._rate), _Waiting()
        scores: collections.deque = collections.deque()
        sent = answered = 0
        heard = newest = 0.0
        with concurrent.futures.ThreadPoolExecutor(1) as scorer, contextlib.ExitStack() as interrupted:
            interrupted.callback(lambda: self._count(sent - len(waiting.frames) - len(scores), answered, before, False))
            for frame, problems in frames:
                if frame is not None:
                    schedule.wait_for(frame.stamp)
                    heard = heard if waiting.frames else time.monotonic()
                    key = frame.stamp, self._frame_id(task.source, frame)
                    self._player.send(*key, frame.image)
                    waiting.add(key, frame._replace(image=None))
                    sent += 1
                elif waiting.frames:  # the node never drops the newest image
                    self._player.wait(*key, TIMEOUT)
                for answer in self._player.take():
                    heard = time.monotonic()
                    asked = waiting.take(answer)
                    if asked is not None:
                        age, newest = newest and answer.arrived - newest, answer.arrived - answer.latency
                        scores.append(scorer.submit(self._record, task, asked, answer, age))
                if frame is not None and waiting.frames and time.monotonic() > heard + TIMEOUT:
                    raise SourceError(self._player.silence(TIMEOUT))
                records = []
                while scores and (frame is None or scores[0].done() or len(scores) > _SCORING):
                    records.append(scores.popleft().result())
                answered += len(records)
                if frame is not None:
                    stop = task.start + sent - len(waiting.frames) - len(scores)
                    yield Done(task._replace(stop=stop), records, problems)
            interrupted.pop_all()
        counted = self._count(sent, answered, before)
        yield Done(task, records, (*problems, *schedule.problems(), *_unanswered(counted)))

    def _count(self, sent, answered, before, settled=True):
        """Add to `images` and return what became of those that were sent; before: the counters until then."""
        found = collections.Counter(sent=sent, answered=answered)
        missing = sent - answered
        after = self._player.counters(settled) if missing else {}
        for fate in FATES:
            found[fate] = max(0, min(missing, after.get(fate, 0) - before.get(fate, 0)))
            missing -= found[fate]
        found['unknown'] = missing
        self.images.update(found)
        return found

    def _frame_id(self, source, frame):
        """With several cameras the topic, for an answer tells no more of its image than stamp and frame_id."""
        return frame.topic if self._setup.sources[source].cameras > 1 else frame.frame_id

    def _record(self, task, frame, answer, age=0.0):
        record = {'bag': task.source, 'topic': frame.topic, 'stamp': frame.stamp, 'latency': answer.latency}
        if age:
            record['age'] = age
        if frame.truth is not None:
            record.update(score_frame(self._setup.comparisons[task.source], frame.truth, answer.labels,
                                      self._setup.protocol, self._setup.outlines, frame.instances))
        return record

    def draw(self, wanted):
        """Return the FramePictures of each Wanted frame, None where it is not there any more."""
        return [self._drawn(one) for one in wanted]

    def _drawn(self, wanted):
        source = self._setup.sources[wanted.source]
        with contextlib.closing(fresh_frames(source, Task(wanted.source, wanted.start, len(source)))) as frames:
            for frame, _ in frames:
                if frame is not None and (frame.topic, frame.stamp) == (wanted.topic, wanted.stamp):
                    answer = self._player.ask(frame.stamp, self._frame_id(wanted.source, frame), frame.image, TIMEOUT)
                    return frame_pictures(self._setup.comparisons[wanted.source], frame.image, frame.truth,
                                          answer.labels)
        return None

    def close(self):
        """The node is not ours to end."""


class _Schedule:
    """When images are due, by their stamps."""

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
        """Yield sentences about what was not played as recorded."""
        if self._stamp is None:
            return
        wanted, taken = self._due - self._began, self._ended - self._began
        if taken > max(_LATE * wanted, wanted + 0.5):
            yield 'playing took {:.1f} s in place of {:.1f}: this machine reads the images no faster'.format(
                taken, wanted)
        if self._shortened:
            yield '{} pauses between images were longer than {:.0f} s and shortened to that'.format(
                self._shortened, LONGEST_PAUSE)


class _Waiting:
    """Frames without their image that may still be answered, in the order of sending: `frames`, by stamp, frame_id."""

    def __init__(self):
        self.frames = {}
        self._bytes = 0

    def add(self, key, frame):
        self.frames[key] = frame
        self._bytes += _size(frame)
        while self._bytes > _WAITING_BYTES and len(self.frames) > 1:
            self._bytes -= _size(self.frames.pop(next(iter(self.frames))))

    def take(self, answer):
        """Return the frame of an Answer, None if it was given up; those before it will have none."""
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
            ', '.join('{} {}'.format(images[fate], text) for fate, text in FATES.items() if images[fate]))


def way(rate=None):
    """Return, in words, how images are played; rate as for ThroughNode."""
    return 'through ROS, ' + ('each image after the answer to the one before' if rate is None else
                              'at {:g} times the recorded rate'.format(rate))


def check_node(card, size, player):
    """Raise SourceError unless a connected node runs the model of a ModelCard at a network input (width, height)."""
    names = player.class_names
    if list(names) != list(card.label_set.names):
        raise SourceError('the node labels {} classes ({}, ...), but those of the model are {} ({}, ...); give as '
                          '--model what the node runs'.format(len(names), ', '.join(names[:2]),
                                                              len(card.label_set.names),
                                                              ', '.join(card.label_set.names[:2])))
    weights, network_input = player.model()
    if weights and weights != card.sha256:
        raise SourceError('the node runs other weights (SHA-256 {}...) than {} ({}...); give as --model what the node '
                          'runs'.format(weights[:12], card.name, card.sha256[:12]))
    if network_input and network_input != '{}x{}'.format(*size):
        raise SourceError('the network input of the node is {}, not {}x{}; say so with --width and --height'.format(
            network_input, *size))
