"""Measuring pipelines, each in a process of its own, in turns with the published one."""
import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import typing

import cv2
import numpy as np

from espnet_ros.errors import EngineError
from espnet_ros.process import thread_settings
from espnet_ros.telemetry.machine import readings, total_power
from espnet_ros.telemetry.sources import open_machine

STAGES = ('preprocess', 'inference', 'postprocess', 'total')
BASELINE = 'baseline'
PAUSE = 0.02
"""Seconds between two pipelines' turns, for the threads of the one to come to rest."""
LOAD_SECONDS = 3.0
"""How long a pipeline then works without a pause, for the sensors of power, load and temperature."""
FRAMES = 5
"""Frames of a turn, one after the other: a single one after a long rest would find cold caches and sleeping cores."""


class Candidate(typing.NamedTuple):
    """What to measure: a model at an input size with an engine's settings, for images of a camera.

    model: name or path. backend, device, precision: as build_engine takes them; backend 'baseline' is the published
    pipeline. cameras: how many work at the same time, each in its own process.
    """

    model: str
    width: int
    height: int
    camera_width: int
    camera_height: int
    backend: str = 'auto'
    device: str = 'auto'
    precision: str = 'auto'
    cameras: int = 1


class Summary(typing.NamedTuple):
    """Median and 95th percentile of a stage, in seconds."""

    median: float
    p95: float


class Measurement(typing.NamedTuple):
    """What was measured of a candidate.

    about: what the engine told of itself (EngineInfo's fields), and whether the weights were its own or random.
    stages: by name, Summary. baseline: likewise, of the published pipeline in the same run. agreement: share of
    pixels, 0..1, that both label alike. memory: the most that a process held, MiB. energy: joules a frame, of all that
    the machine's power sensors see, None without them. machine: telemetry.machine.readings under load. problem: why it
    was not measured; all else is then empty.
    """

    candidate: Candidate
    about: typing.Dict[str, typing.Any] = {}
    stages: typing.Dict[str, Summary] = {}
    baseline: typing.Dict[str, Summary] = {}
    agreement: typing.Optional[float] = None
    memory: typing.Optional[float] = None
    energy: typing.Optional[float] = None
    machine: typing.Dict[str, float] = {}
    problem: str = ''

    @property
    def speedup(self):
        """How many times faster than the published pipeline: ratio of the medians."""
        return self.baseline['total'].median / self.stages['total'].median


def measure(candidate, warmup=2, repeats=10, images=(), on_turn=lambda: None, open_machine=open_machine):
    """Measure a candidate and, in turns of FRAMES frames with it, the published pipeline; return the Measurement.

    warmup, repeats: turns that do not count, and that do. images: paths of images to use in place of the synthetic
    street, resized to the camera's size. on_turn: is called after each turn. open_machine: as in
    telemetry.sources.
    """
    plain = candidate._replace(backend=BASELINE, precision='fp32', cameras=1)
    workers = []
    try:
        workers = [_Worker(candidate, images) for _ in range(candidate.cameras)]
        about = [worker.receive() for worker in workers][0]
        baseline = _Worker(plain._replace(device=_torch_device(about['device'])), images)
        workers.append(baseline)
        baseline.receive()
        seconds = {stage: [] for stage in STAGES}
        baseline_seconds = {stage: [] for stage in STAGES}
        for turn in range(warmup + repeats):
            for group, kept in ((workers[:-1], seconds), (workers[-1:], baseline_seconds)):
                time.sleep(PAUSE)
                for _ in range(FRAMES):
                    for worker in group:
                        worker.send('run')
                    for answer in [worker.receive() for worker in group]:
                        if turn >= warmup:
                            for stage in STAGES:
                                kept[stage].append(answer[stage])
            on_turn()
        agreement = float((_labels(workers[0]) == _labels(baseline)).mean()) if about['weights'] != 'random' else None
        energy, under_load = _under_load(workers[:-1], open_machine)
        workers[0].send('memory')
        return Measurement(candidate, about, _summaries(seconds), _summaries(baseline_seconds), agreement,
                           workers[0].receive()['memory'], energy, under_load)
    except EngineError as error:
        return Measurement(candidate, problem=str(error))
    finally:
        for worker in workers:
            worker.close()


def _under_load(workers, open_machine):
    """Return the energy of a frame, in joules or None, and the machine's readings, with the workers working."""
    machine = open_machine(interval=0.2)
    try:
        frames, powers, began = 0, [], time.monotonic()
        while time.monotonic() < began + LOAD_SECONDS:
            for worker in workers:
                worker.send('run')
            for worker in workers:
                worker.receive()
            frames += len(workers)
            if time.monotonic() > began + LOAD_SECONDS / 3:  # by then the sensors, too, have seen the load
                powers.append(total_power(machine.state()))
        seconds = time.monotonic() - began
        known = [power for power in powers if power is not None]
        return (sum(known) / len(known) * seconds / frames if known else None), dict(readings(machine.state()))
    finally:
        machine.stop()


def _summaries(seconds):
    return {stage: Summary(*np.percentile(values, (50, 95)).tolist()) for stage, values in seconds.items()}


def _labels(worker):
    worker.send('labels')
    content = np.frombuffer(base64.b64decode(worker.receive()['labels']), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_UNCHANGED)


def _torch_device(description):
    """Return where the published pipeline runs: on the GPU that the candidate runs on, else on the CPU."""
    return 'cpu' if 'CPU' in description else 'cuda'


class _Worker:
    """A process that runs espnet_ros.performance.benchmark.worker."""

    def __init__(self, candidate, images):
        environment = dict(os.environ)
        if candidate.backend == BASELINE:
            environment['GOMP_SPINCOUNT'] = '300000'  # OpenMP's own default, which this package lowers for itself
        else:
            environment.update(thread_settings(environment))
        self._errors = tempfile.TemporaryFile('w+')
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'espnet_ros.performance.benchmark.worker'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, universal_newlines=True, env=environment)
        self.send(json.dumps(dict(candidate._asdict(), images=[str(path) for path in images])))

    def send(self, request):
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
