"""Bags through a running segmentation node, as a robot's camera would show them."""
import contextlib
import time

from espnet_ros.errors import SourceError
from espnet_ros.evaluation.offline import Done, fresh_frames
from espnet_ros.evaluation.pictures import frame_pictures
from espnet_ros.evaluation.scoring import score_frame

TIMEOUT = 30.0
"""Seconds within which the node must answer."""


class ThroughNode:
    """Workers (see workers.InProcess) that ask a node.

    player: has send, take and ask as nodes.replay.Player. rate: how many times as fast as recorded the images are
    played, whether the node keeps up or not; None to wait for the answer to each.
    """

    count = 1

    def __init__(self, setup, player, rate=None):
        self.engines = set()
        self.where = setup.way
        self._setup, self._player, self._rate = setup, player, rate

    def run(self, tasks):
        """Yield a Done for each answer of the node and one for the end of each Task. Raises SourceError."""
        for task in tasks:
            with contextlib.closing(fresh_frames(self._setup.bags[task.bag], task)) as frames:
                yield from (self._ask(task, frames) if self._rate is None else self._play(task, frames))

    def _ask(self, task, frames):
        for count, (frame, problems) in enumerate(frames):
            if frame is None:
                yield Done(task, [], problems)
            else:
                answer = self._player.ask(frame.stamp, frame.frame_id, frame.image, TIMEOUT)
                yield Done(task._replace(stop=task.start + count + 1), [self._record(task, frame, answer)], problems)

    def _play(self, task, frames):
        waiting, began, first, sent, missed = [], 0.0, 0, 0, 0
        for frame, problems in frames:
            if frame is not None:
                if not sent:
                    began, first = time.monotonic(), frame.stamp
                time.sleep(max(0.0, began + (frame.stamp - first) * 1e-9 / self._rate - time.monotonic()))
                self._player.send(frame.stamp, frame.frame_id, frame.image)
                sent += 1
                waiting.append(frame)
            elif sent:
                time.sleep(min(TIMEOUT, 2.0))  # for the answers that are on their way
            answers = [self._player.take(other.stamp) for other in waiting]
            newest = max((i for i, answer in enumerate(answers) if answer), default=-1)
            records = [self._record(task, other, answer) for other, answer in zip(waiting, answers) if answer]
            missed += newest + 1 - len(records)  # the node answers in order: these it has dropped
            del waiting[:newest + 1]
            if frame is not None:
                yield Done(task._replace(stop=task.start + sent - len(waiting)), records, problems)
            else:
                missed += len(waiting)
                lost = ('{} of {} images had no answer: the node dropped them for newer ones, or they were lost on '
                        'their way'.format(missed, sent),) if missed else ()
                yield Done(task, records, tuple(problems) + lost)

    def _record(self, task, frame, answer):
        record = {'bag': task.bag, 'topic': frame.topic, 'stamp': frame.stamp, 'latency': answer.latency}
        if frame.truth is not None:
            record.update(score_frame(self._setup.comparisons[task.bag], frame.truth, answer.labels,
                                      self._setup.protocol, self._setup.outlines))
        return record

    def draw(self, wanted):
        """Return the FramePictures of each Wanted frame, None where it is not there any more."""
        return [self._drawn(one) for one in wanted]

    def _drawn(self, wanted):
        with contextlib.closing(self._setup.bags[wanted.bag].frames(wanted.start)) as frames:
            for frame in frames:
                if (frame.topic, frame.stamp) == (wanted.topic, wanted.stamp):
                    answer = self._player.ask(frame.stamp, frame.frame_id, frame.image, TIMEOUT)
                    return frame_pictures(self._setup.comparisons[wanted.bag], frame.image, frame.truth, answer.labels)
        return None

    def close(self):
        """The node is not ours to end."""


def way(rate=None):
    """Return, in words, how images are played; rate as for ThroughNode."""
    return 'through ROS, ' + ('each image after the answer to the one before' if rate is None else
                              'at {:g} times the recorded rate'.format(rate))


def check_labels(label_set, names):
    """Raise SourceError unless a node's class names are those of the label set."""
    if list(names) != list(label_set.names):
        raise SourceError('the node labels {} classes ({}, ...), but those of the model are {} ({}, ...); give as '
                          '--model what the node runs'.format(
                              len(names), ', '.join(names[:2]), len(label_set.names), ', '.join(label_set.names[:2])))
