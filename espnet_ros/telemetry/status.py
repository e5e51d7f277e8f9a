"""What diagnostics says: measured states to a level, a sentence and values."""
import typing

OK, WARN, ERROR = 0, 1, 2
SILENCE_SECONDS = 5.0
"""An active node without images for this long is in error."""


class Status(typing.NamedTuple):
    """One line of diagnostics. level: OK, WARN or ERROR. values: pairs of strings."""

    name: str
    level: int
    message: str
    values: typing.Tuple[typing.Tuple[str, str], ...]


class InputState(typing.NamedTuple):
    """What came in. silence: seconds since the last image, or since activation before the first.

    lost: images published but never delivered, None where the middleware cannot tell. clock_problem, qos_problem,
    refusal: sentences, empty when all is well.
    """

    active: bool
    topic: str
    publishers: int
    rate: float
    received: int
    lost: typing.Optional[int]
    dropped: int
    refused: int
    silence: float
    refusal: str = ''
    clock_problem: str = ''
    qos_problem: str = ''


class EngineState(typing.NamedTuple):
    """phase: 'unconfigured', 'building', 'ready' or 'failed'. problem: why it failed or fell back; may be empty."""

    phase: str
    seconds: float = 0.0
    problem: str = ''
    values: typing.Tuple[typing.Tuple[str, str], ...] = ()


class OutputState(typing.NamedTuple):
    """What went out. failure: the last frame's error, empty when it went well."""

    active: bool
    enabled: bool
    subscribers: int
    rate: float
    published: int
    rested: int
    failed: int
    failure: str = ''


def input_status(name, state, min_rate=0.0):
    """Return the Status of the input; min_rate in Hz, 0 for none."""
    values = (
        ('topic', state.topic), ('publishers', state.publishers), ('rate (Hz)', '{:.2f}'.format(state.rate)),
        ('received', state.received), ('lost in transport', 'unknown' if state.lost is None else state.lost),
        ('dropped for a newer image', state.dropped), ('refused', state.refused),
        ('last refusal', state.refusal or 'none'))
    if not state.active:
        return _status(name, OK, 'not active', values)
    problems = []
    if state.silence > SILENCE_SECONDS:
        remedy = ('nothing publishes it; start the camera or remap `image`' if state.publishers == 0
                  else state.qos_problem or 'its publisher is silent')
        problems.append((ERROR, 'no image on {} for {:.0f} s: {}'.format(state.topic, state.silence, remedy)))
    elif state.qos_problem:
        problems.append((WARN, state.qos_problem))
    if state.refusal:
        problems.append((WARN, 'the last image was refused: ' + state.refusal))
    if state.clock_problem:
        problems.append((WARN, state.clock_problem))
    if min_rate > 0 and state.rate < min_rate and state.silence <= SILENCE_SECONDS:
        problems.append((WARN, 'images come at {:.1f} Hz, less than {:g} Hz'.format(state.rate, min_rate)))
    return _worst(name, problems, '{:.1f} Hz'.format(state.rate), values)


def latency_status(name, stages, max_latency=0.0):
    """Return the Status of the latency.

    stages: mapping from stage to telemetry.latency.Percentiles in seconds; the stage 'stamp to output' is held
    against max_latency in seconds, 0 for none.
    """
    values = tuple(('{} {} (ms)'.format(stage, which), '{:.1f}'.format(1000 * getattr(times, which)))
                   for stage, times in stages.items() for which in ('p50', 'p95'))
    age = stages.get('stamp to output')
    if age is None:
        return _status(name, OK, 'nothing measured yet', values)
    problems = []
    if 0 < max_latency < age.p95:
        problems.append((WARN, 'output is {:.0f} ms old at the 95th percentile, more than {:.0f} ms; lower the '
                         'input size, or use a faster engine'.format(1000 * age.p95, 1000 * max_latency)))
    return _worst(name, problems, 'p50 {:.0f} ms, p95 {:.0f} ms from stamp to output'.format(
        1000 * age.p50, 1000 * age.p95), values)


def engine_status(name, state):
    """Return the Status of model and engine."""
    level, message = {
        'unconfigured': (ERROR if state.problem else OK, 'not configured'),
        'building': (OK, 'building engine, {:.0f} s'.format(state.seconds)),
        'ready': (OK, 'ready'),
        'failed': (ERROR, 'no engine'),
    }[state.phase]
    if state.problem:
        level, message = max(level, WARN), '{}: {}'.format(message, state.problem)
    return _status(name, level, message, state.values)


def output_status(name, state):
    """Return the Status of the output."""
    values = (('rate (Hz)', '{:.2f}'.format(state.rate)), ('published', state.published),
              ('rested (no subscriber or disabled)', state.rested), ('failed', state.failed),
              ('subscribers', state.subscribers), ('last failure', state.failure or 'none'))
    if not state.active:
        message = 'not active'
    elif not state.enabled:
        message = 'disabled by ~/enable'
    elif not state.subscribers:
        message = 'resting: nobody subscribes'
    else:
        message = '{:.1f} Hz'.format(state.rate)
    problems = [(ERROR, 'the last image failed: ' + state.failure)] if state.failure and state.active else []
    return _worst(name, problems, message, values)


def _worst(name, problems, fine, values):
    if not problems:
        return _status(name, OK, fine, values)
    return _status(name, max(level for level, _ in problems), '; '.join(text for _, text in problems), values)


def _status(name, level, message, values):
    return Status(name, level, message, tuple((key, str(value)) for key, value in values))
