"""The profile of a model on this machine."""
import platform
import time
import typing

import torch

from espnet_ros import __version__
from espnet_ros.engine.openvino_engine import OpenVINOEngine
from espnet_ros.errors import EngineError
from espnet_ros.network import parameter_count
from espnet_ros.performance import timeline
from espnet_ros.performance.memory import peak_memory
from espnet_ros.performance.profile.clocks import find_clock
from espnet_ros.performance.profile.counters import Counters, measure_counters
from espnet_ros.performance.profile.efficiency import Efficiency, measure_efficiency
from espnet_ros.performance.profile.frequencies import Point, choose, measure_frequencies
from espnet_ros.performance.profile.kernels import Kernel, measure_kernels, measure_openvino_kernels
from espnet_ros.performance.profile.layers import Layer
from espnet_ros.performance.profile.roofline import Position, Roofline, measure_roofline, position
from espnet_ros.performance.statistics import summarize

NO_GPU = ('no GPU load, warp and memory efficiency, and sensitivity to GPU frequency: the network runs on the CPU; use '
          '--device cuda on a machine with an NVIDIA GPU')
NOT_ASKED = ('no sensitivity to GPU frequency: it is measured with --frequencies, which locks the GPU clock meanwhile '
             'and needs root')
NOT_IN_PYTORCH = ('no warp and memory efficiency: it is measured in PyTorch, in which an ONNX file does not run')
NO_POWER = ('no power and energy: this machine has no power sensor; a Jetson has, and an NVIDIA GPU through '
            'the package nvidia-ml-py')
RANDOM = ('the weights of this model are not fetched: with random ones kernels take as long, but an engine that is '
          'compared with PyTorch may be refused or take another precision; fetch them: espnet-ros models fetch {}')


class Profile(typing.NamedTuple):
    """What was measured.

    about: of the model, engine and machine, by name. parts: as of Subject.layers. kernels: by engine: PyTorch's, then
    OpenVINO's where that is the engine. timeline: of the engine at work. memory: the most
    that this process held, MiB; gpu_memory: that PyTorch held on the GPU, None without one. positions: under the
    roofline, by engine, of those whose precision it is. frequencies: empty when they were not asked for. missing:
    sentences about what could not be measured.
    """

    about: typing.Dict[str, typing.Any]
    parts: typing.Sequence[Layer]
    kernels: typing.Dict[str, typing.Sequence[Kernel]]
    timeline: timeline.Timeline
    memory: float
    gpu_memory: typing.Optional[float]
    roofline: Roofline
    positions: typing.Dict[str, Position]
    counters: Counters
    efficiency: typing.Optional[Efficiency]
    frequencies: typing.Sequence[Point]
    missing: typing.Tuple[str, ...]

    @property
    def frame_seconds(self):
        """The median time of a frame in the engine."""
        return summarize(self.timeline.frame_seconds).median


def profile(subject, model, seconds=10.0, frequencies=None, say=lambda text: None):
    """Measure a Subject and return its Profile.

    model: the name or path by which it was found. seconds: how long it works for the timeline. frequencies: None, or
    those of the GPU to try, in MHz, empty for some. say: is called with what is being done. Raises ParameterError for
    frequencies that the GPU does not have.
    """
    missing, device = [], subject.device
    if subject.problem:
        missing.append(subject.problem)
    if subject.weights == 'random':
        missing.append(RANDOM.format(subject.card.name))
    on_gpu = device.type == 'cuda'
    clock, points = None, []
    if frequencies is not None:
        try:
            clock, frequencies = _clock(device, frequencies)
        except EngineError as error:
            missing.append('no sensitivity to GPU frequency: {}'.format(error))
    elif on_gpu:
        missing.append(NOT_ASKED)
    say('the machine under load, {:.0f} s'.format(seconds))
    line = timeline.record(subject.segment, seconds)
    memory = peak_memory()
    gpu_memory = torch.cuda.max_memory_allocated(device) / 2.0 ** 20 if on_gpu else None
    say('time of layers')
    parts = subject.layers()
    say('time of kernels')
    kernels = {}
    if subject.in_pytorch:
        kernels['torch'] = measure_kernels(subject.network, subject.tensor)
    for engine in (subject.engine, subject.plain):
        if isinstance(engine, OpenVINOEngine):
            kernels['openvino'] = measure_openvino_kernels(engine, subject.image)
            break
    say('the limits of the machine')
    roofline = measure_roofline(device, subject.precision)
    say('hardware counters')
    counters = measure_counters(subject.segment)
    if counters.problem:
        missing.append(counters.problem)
    if timeline.POWER not in timeline.averages(line):
        missing.append(NO_POWER)
    efficiency = None
    if on_gpu and not subject.in_pytorch:
        missing.append(NOT_IN_PYTORCH)
    elif on_gpu:
        say('warp and memory efficiency, which can take minutes')
        try:
            efficiency = measure_efficiency(
                model, subject.engine.width, subject.engine.height, str(device), subject.precision,
                torch.cuda.get_device_capability(device))
        except EngineError as error:
            missing.append(str(error))
    else:
        missing.append(NO_GPU)
    if clock is not None:
        try:
            points = measure_frequencies(
                subject.segment, clock, frequencies, seconds / 2, lambda mhz: say('GPU at {:g} MHz'.format(mhz)))
        except EngineError as error:
            missing.append('no sensitivity to GPU frequency: {}'.format(error))
    result = Profile(_about(subject), parts, kernels, line, memory, gpu_memory, roofline, {}, counters, efficiency,
                     points, tuple(missing))
    return result._replace(positions=_positions(subject, result))


def _clock(device, wanted):
    """Return (clock, frequencies to try). Raises EngineError, ParameterError."""
    if device.type != 'cuda':
        raise EngineError('the network runs on the CPU')
    clock = find_clock(index=device.index or 0)
    if clock.refusal():
        raise EngineError(clock.refusal())
    return clock, choose(clock.frequencies(), wanted)


def _positions(subject, result):
    flop, byte_count, seconds = (sum(getattr(part, field) for part in result.parts)
                                 for field in ('flop', 'bytes', 'seconds'))
    if not flop:
        return {}
    times = {subject.engine.describe(): result.frame_seconds}
    times[subject.plain.describe()] = seconds  # of the layers, where both are one
    return {engine.backend: position(flop, byte_count, times[engine], result.roofline)
            for engine in reversed(list(times)) if engine.precision == result.roofline.precision}


def _about(subject):
    engine, plain = subject.engine.describe(), subject.plain and subject.plain.describe()
    about = {
        'date': time.strftime('%Y-%m-%d %H:%M:%S %z'), 'espnet_ros': __version__, 'torch': torch.__version__,
        'system': platform.platform(), 'model': subject.card.name, 'weights': subject.weights,
        'width': subject.engine.width, 'height': subject.engine.height,
        'parameters': parameter_count(subject.trained) if subject.in_pytorch else subject.card.parameters,
        'engine': dict(engine._asdict())}
    if plain:
        about['layers'] = '{} {}'.format({'torch': 'PyTorch', 'openvino': 'OpenVINO'}[plain.backend], plain.precision)
    if subject.in_pytorch:
        about.update(torch_precision=plain.precision, torch_device=plain.device)
    return about
