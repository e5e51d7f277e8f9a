"""Pipelines in processes of their own, and their turns."""
import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

from espnet_ros.errors import EngineError
from espnet_ros.process import thread_settings

PAUSE = 0.02
"""Seconds between the turns of two pipelines, in which the threads of the first go to sleep."""
FRAMES = 5
"""Frames of a turn, one after the other: a single one after a pause finds cold caches and sleeping cores."""
SLOW = 1.0
"""Seconds of a frame from which on a turn has only one."""


class Worker:
    """A process that runs espnet_ros.performance.benchmark.worker.

    All have the same thread settings (process.thread_settings).
    """

    def __init__(self, candidate, images=()):
        """candidate: measure.Candidate. images: paths of images to use in place of the synthetic street."""
        self._errors = tempfile.TemporaryFile('w+')
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'espnet_ros.performance.benchmark.worker'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, universal_newlines=True,
            env=dict(os.environ, **thread_settings(os.environ)))
        self.pid = self._process.pid
        self.send(json.dumps(dict(candidate._asdict(), images=[str(path) for path in images])))

    def send(self, request):
        """Send 'run', 'labels' or 'memory'; `receive` has the answer."""
        with contextlib.suppress(BrokenPipeError):  # receive says why
            self._process.stdin.write(request + '\n')
            self._process.stdin.flush()

    def receive(self):
        """Return the answer to the oldest request. Raises EngineError."""
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            last = ([line.strip() for line in self._errors if line.strip()] or ['no message'])[-1]
            raise EngineError('its process ended with code {}: {}'.format(code, last))
        answer = json.loads(line)
        if 'error' in answer:
            raise EngineError(answer['error'])
        return answer

    def memory(self):
        """Return the peak of the process's memory, in MiB. Raises EngineError."""
        self.send('memory')
        return self.receive()['memory']

    def labels(self):
        """Return the labels of the first frame, uint8 [H, W]. Raises EngineError."""
        import cv2  # here, so that commands start fast
        import numpy as np
        self.send('labels')
        content = np.frombuffer(base64.b64decode(self.receive()['labels']), np.uint8)
        return cv2.imdecode(content, cv2.IMREAD_UNCHANGED)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def run_frame(workers):
    """Let workers segment a frame at the same time; return each one's seconds by stage. Raises EngineError."""
    for worker in workers:
        worker.send('run')
    return [worker.receive() for worker in workers]


def alternate(groups, warmup, repeats, on_turn=lambda: None, until=0.0):
    """Let groups of workers work in alternating turns, in reverse order each second time, so that drift cancels.

    warmup, repeats: turns that do not count, and that do. on_turn: called after all groups had a turn. until: time by
    time.monotonic() until which there are more turns than that. Returns for each group a list of its turns, each a list
    of frames' seconds by stage. Raises EngineError.
    """
    frames = [1 if run_frame(group)[0]['total'] > SLOW else FRAMES for group in groups]
    turns = [[] for _ in groups]
    number = 0
    while number < warmup + repeats or time.monotonic() < until:
        for index in range(len(groups))[::-1 if number % 2 else 1]:
            time.sleep(PAUSE)
            answers = [answer for _ in range(frames[index]) for answer in run_frame(groups[index])]
            if number >= warmup:
                turns[index].append(answers)
        number += 1
        on_turn()
    return turns
