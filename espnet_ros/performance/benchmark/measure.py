"""Measuring a pipeline in alternating turns with the published one."""
import typing

from espnet_ros.errors import EngineError
from espnet_ros.performance import timeline
from espnet_ros.performance.benchmark.processes import Worker, alternate, run_frame
from espnet_ros.performance.contention import Contention, ContentionMeter
from espnet_ros.performance.statistics import CONFIDENCE, Ratio, Summary, ratio_of_turns, summarize
from espnet_ros.telemetry.sources import open_machine

STAGES = ('preprocess', 'inference', 'postprocess', 'total')
BASELINE = 'baseline'
LOAD_SECONDS = 3.0
"""How long a pipeline works without a pause, for the sensors of power, load and temperature."""
SPREAD_LIMIT = 0.25
"""Width of the interval of a speedup, as a share of it, beyond which it is marked."""


class Candidate(typing.NamedTuple):
    """What to measure: a model at an input size with an engine's settings, for images of a camera.

    model: name or path. backend, device, precision: as build_engine takes them; backend 'baseline' is the published
    pipeline. cameras: how many work at the same time. shared: whether one process serves all of them; else
    each has its own.
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
    shared: bool = False


class Measurement(typing.NamedTuple):
    """What was measured of a candidate.

    about: EngineInfo's fields, and 'weights': 'its own' or 'random'. stages: Summary by name. baseline: likewise, of
    the published pipeline in the same run. speedup: Ratio of the baseline's time to the candidate's. contention: while
    both were measured. agreement: share of pixels (0..1) with the same label from both, None with random weights.
    memory: peak of a process, MiB. energy: joules per frame of all that the power sensors measure, None without them.
    machine: telemetry's readings under load. seconds: of each frame in total, by turns; baseline_seconds likewise.
    problem: why it was not measured; all else is then empty.
    """

    candidate: Candidate
    about: typing.Dict[str, typing.Any] = {}
    stages: typing.Dict[str, Summary] = {}
    baseline: typing.Dict[str, Summary] = {}
    speedup: typing.Optional[Ratio] = None
    contention: Contention = Contention()
    agreement: typing.Optional[float] = None
    memory: typing.Optional[float] = None
    energy: typing.Optional[float] = None
    machine: typing.Dict[str, float] = {}
    seconds: typing.Sequence[typing.Sequence[float]] = ()
    baseline_seconds: typing.Sequence[typing.Sequence[float]] = ()
    problem: str = ''

    @property
    def marks(self):
        """Sentences about why the times are not to be trusted, empty if they are."""
        marks = [self.contention.problem] if self.contention.problem else []
        if self.speedup is not None and self.speedup.spread > SPREAD_LIMIT:
            marks.append('the speedup varied from {:.1f} to {:.1f}: raise --repeats or quiet the machine'.format(
                self.speedup.low, self.speedup.high))
        if self.speedup is not None and self.speedup.confidence < CONFIDENCE:
            marks.append('the interval of {} turns holds the speedup with a probability of {:.0f}%, not {:.0f}%: raise '
                         '--repeats to 6 or more'.format(len(self.speedup.turns), 100 * self.speedup.confidence,
                                                         100 * CONFIDENCE))
        return marks


def measure(candidate, warmup=2, repeats=10, images=(), on_turn=lambda: None, open_machine=open_machine):
    """Measure a candidate in alternating turns with the published pipeline; return the Measurement.

    warmup, repeats: turns that do not count, and that do. images: paths of images to use in place of the synthetic
    street, resized to the camera's size. on_turn: called after each turn. open_machine: as in telemetry.sources.
    """
    workers = []
    try:
        workers += [Worker(candidate, images) for _ in range(candidate.cameras)]
        about = [worker.receive() for worker in workers][0]
        baseline = Worker(candidate._replace(backend=BASELINE, precision='fp32', cameras=1,
                                             device=about.pop('torch_device')), images)
        workers.append(baseline)
        baseline.receive()
        meter = ContentionMeter([worker.pid for worker in workers])
        meter.start()
        own, published = alternate([workers[:-1], [baseline]], warmup, repeats, on_turn)
        contention = meter.stop()
        agreement = None
        if about['weights'] != 'random':
            agreement = float((workers[0].labels() == baseline.labels()).mean())
        energy, readings = under_load(workers[:-1], open_machine)
        return Measurement(
            candidate, about, _summaries(own), _summaries(published), _speedup(own, published), contention, agreement,
            workers[0].memory(), energy, readings, _totals(own), _totals(published))
    except EngineError as error:
        return Measurement(candidate, problem=str(error))
    finally:
        for worker in workers:
            worker.close()


def under_load(workers, open_machine=open_machine):
    """Let workers work for LOAD_SECONDS; return joules per frame (None if unknown) and the machine's mean readings."""
    line = timeline.record(lambda: run_frame(workers), LOAD_SECONDS, rest=0.0, interval=0.2, open_machine=open_machine)
    energy = timeline.energy(line)[0]
    return energy and energy / len(workers), {
        name: reading.work for name, reading in timeline.averages(line).items()}


def _summaries(turns):
    return {stage: summarize([frame[stage] for turn in turns for frame in turn]) for stage in STAGES}


def _totals(turns):
    return [[frame['total'] for frame in turn] for turn in turns]


def _speedup(own, published):
    return ratio_of_turns(*([summarize(turn).median for turn in _totals(turns)] for turns in (published, own)))
