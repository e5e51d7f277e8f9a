"""Statuses for diagnostics from measured states: level, message and values."""
import typing

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.latency import Percentiles, Rhythm

OK, WARN, ERROR = 0, 1, 2
SILENCE_SECONDS = 5.0
"""An active node without images for this long is in error."""
STALE_SECONDS, STALE_INTERVALS, LONGEST_INTERVAL = 0.9, 3.0, 20.0
"""A node without images for this long, and for this many intervals between images, warns; an interval counts for at
most LONGEST_INTERVAL seconds. A camera slower than SILENCE_SECONDS is in error no earlier than that."""
STALL_SECONDS, STALL_TIMES, FIRST_SECONDS = 0.9, 5.0, 10.0
"""Processing one image for this long, and for so many times the usual time, warns; the first may take longer."""


class Status(typing.NamedTuple):
    """One status of a DiagnosticArray.

    level: OK, WARN or ERROR. values: pairs of strings. unlogged: the part of the message that is not logged yet.
    """

    name: str
    level: int
    message: str
    values: typing.Tuple[typing.Tuple[str, str], ...]
    unlogged: str = ''


class Problem(typing.NamedTuple):
    """A reason for a level above OK. logged: whether it was logged where it was found."""

    level: int
    text: str
    logged: bool = False


class InputState(typing.NamedTuple):
    """State of the input. silence: seconds since the last image, or since activation before the first.

    lost: images published but never delivered, None where the middleware does not count them. clock_problem,
    qos_problem, refusal: sentences, empty without a problem. damage: what the decoder said about
    the last image, which was used all the same. rhythm: of the images' arrival. similar: topics of images with similar
    names, where nothing publishes this one. Times are of the node's clock.
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
    rhythm: Rhythm = Rhythm()
    damage: str = ''
    remap: str = 'image'
    similar: typing.Sequence[str] = ()


class EngineState(typing.NamedTuple):
    """State of model and engine. phase: a phase of keys.ENGINE. problem: why it failed or fell back; may be empty."""

    phase: str
    seconds: float = 0.0
    problem: str = ''
    values: typing.Tuple[typing.Tuple[str, str], ...] = ()


class OutputState(typing.NamedTuple):
    """State of the output.

    failure: the last frame's error, empty when it went well. rhythm: of the outputs, by the node's clock. busy: real
    seconds spent so far on the image in work, 0 without one; usual: what an image takes, None before the first.
    delivery_problem: why subscribers may lose outputs, a sentence; empty when all is well.
    """

    active: bool
    enabled: bool
    subscribers: int
    rate: float
    published: int
    skipped: int
    failed: int
    failure: str = ''
    rhythm: Rhythm = Rhythm()
    busy: float = 0.0
    usual: typing.Optional[float] = None
    delivery_problem: str = ''
    doubt: str = ''


def input_status(name, state, min_rate=0.0):
    """Return the Status of the input; min_rate in Hz, 0 for none."""
    values = (
        (keys.TOPIC, state.topic), (keys.PUBLISHERS, state.publishers), (keys.RATE, '{:.2f}'.format(state.rate)),
        (keys.JITTER, _milliseconds(state.rhythm.jitter)), (keys.SILENCE, '{:.1f}'.format(state.silence)),
        (keys.RECEIVED, state.received), (keys.LOST, keys.UNKNOWN if state.lost is None else state.lost),
        (keys.DROPPED, state.dropped), (keys.REFUSED, state.refused), (keys.LAST_REFUSAL, state.refusal or 'none'))
    if not state.active:
        return compose(name, [], 'not active', values)
    problems = []
    interval = state.rhythm.interval
    expected = 0.0 if interval is None else STALE_INTERVALS * min(interval, LONGEST_INTERVAL)
    stale = interval is not None and state.silence > max(STALE_SECONDS, expected)
    silent = state.silence > max(SILENCE_SECONDS, expected)
    if stale or silent:
        likely = ', perhaps to ' + ' or '.join(state.similar) if state.similar else ''
        remedy = ('nothing publishes it; start the camera or remap `{}`{}'.format(state.remap, likely)
                  if state.publishers == 0
                  else state.qos_problem or 'its publisher is silent; look at the camera driver and its connection')
        problems.append(Problem(ERROR if silent else WARN, 'no image on {} for {:.0f} s: {}'
                                .format(state.topic, state.silence, remedy)))
    elif state.qos_problem:
        problems.append(Problem(WARN, state.qos_problem, logged=True))
    if state.publishers > 1:
        problems.append(Problem(WARN, '{} programs publish {}: their images alternate; remap `{}` to one camera'.format(
            state.publishers, state.topic, state.remap), logged=True))
    if state.refusal:
        problems.append(Problem(WARN, 'the last image was refused: ' + state.refusal, logged=True))
    if state.damage:
        problems.append(Problem(WARN, 'the last image is damaged and was used all the same: ' + state.damage))
    if state.clock_problem:
        problems.append(Problem(WARN, state.clock_problem, logged=True))
    if min_rate > 0 and state.rate < min_rate and not stale and not silent:
        problems.append(Problem(WARN, 'images come at {:.1f} Hz, less than {:g} Hz; look at the camera\'s exposure and '
                                'connection, or lower min_input_rate'.format(state.rate, min_rate)))
    return compose(name, problems, '{:.1f} Hz'.format(state.rate), values)


def latency_status(name, stages, max_latency=0.0):
    """Return the Status of the latency.

    stages: mapping from stage to diagnostics.latency.Percentiles in seconds; the stage 'stamp to output' is held
    against max_latency in seconds, 0 for none.
    """
    values = tuple((keys.latency_key(stage, which), '{:.1f}'.format(1000 * getattr(times, which)))
                   for stage, times in stages.items() for which in Percentiles._fields)
    age = stages.get(keys.STAMP_TO_OUTPUT)
    if age is None:
        return compose(name, [], 'nothing measured yet', values)
    problems = []
    if 0 < max_latency < age.p95:
        problems.append(Problem(
            WARN, 'output is {:.0f} ms old at the 95th percentile, more than {:.0f} ms; lower the input size, or use a '
            'faster engine'.format(1000 * age.p95, 1000 * max_latency)))
    return compose(name, problems, 'p50 {:.0f} ms, p95 {:.0f} ms from stamp to output'.format(
        1000 * age.p50, 1000 * age.p95), values)


def engine_status(name, state):
    """Return the Status of model and engine."""
    level, message = {
        keys.UNCONFIGURED: (ERROR if state.problem else OK, 'not configured'),
        keys.BUILDING: (OK, 'building engine, {:.0f} s'.format(state.seconds)),
        keys.READY: (OK, 'ready'),
        keys.FAILED: (ERROR, 'no engine'),
    }[state.phase]
    is_fallback = state.phase == keys.READY and bool(state.problem)
    values = ((keys.PHASE, state.phase),) + state.values + ((keys.FALLBACK, state.problem),) * is_fallback
    if not state.problem:
        return compose(name, [Problem(level, message)], message, values)
    # A fallback is logged where it happens.
    return compose(name, [Problem(max(level, WARN), '{}: {}'.format(message, state.problem), logged=is_fallback)],
                   message, values)


def output_status(name, state):
    """Return the Status of the output."""
    if not state.active:
        phase, message = keys.INACTIVE, 'not active'
    elif not state.enabled:
        phase, message = keys.DISABLED, 'disabled by ~/enable'
    elif not state.subscribers:
        phase, message = keys.IDLE, 'idle: nobody subscribes'
    else:
        phase, message = keys.RUNNING, '{:.1f} Hz'.format(state.rate)
    values = (
        (keys.PHASE, phase), (keys.RATE, '{:.2f}'.format(state.rate)),
        (keys.JITTER, _milliseconds(state.rhythm.jitter)), (keys.PUBLISHED, state.published),
        (keys.SKIPPED, state.skipped), (keys.IMAGES_FAILED, state.failed), (keys.SUBSCRIBERS, state.subscribers),
        (keys.LAST_FAILURE, state.failure or 'none'))
    problems = []
    if state.failure and state.active:
        problems.append(Problem(ERROR, 'the last image failed: ' + state.failure, logged=True))
    if state.doubt and state.active:
        problems.append(Problem(WARN, state.doubt))
    if state.delivery_problem and state.active:
        problems.append(Problem(WARN, state.delivery_problem, logged=True))
    patience = FIRST_SECONDS if state.usual is None else max(STALL_SECONDS, STALL_TIMES * state.usual)
    if state.active and state.busy > patience:
        problems.append(Problem(
            ERROR if state.busy > SILENCE_SECONDS else WARN, 'one image has been in work for {:.0f} s; if that lasts, '
            'end other programs on CPU and GPU, or restart the node'.format(state.busy)))
    return compose(name, problems, message, values)


def compose(name, problems, fine, values):
    """Return the Status of several problems; `fine` is its summary, and its message when no problem is above OK.

    values: pairs of a key and anything that has a text.
    """
    values = tuple((key, str(value)) for key, value in values) + ((keys.SUMMARY, fine),)
    problems = [problem for problem in problems if problem.level > OK]
    return Status(
        name, max([problem.level for problem in problems] or [OK]),
        '; '.join(problem.text for problem in problems) or fine, values,
        '; '.join(problem.text for problem in problems if not problem.logged))


def level_above(value, warn, error):
    """Return ERROR from `error` on, WARN from `warn` on, else OK."""
    return ERROR if value >= error else WARN if value >= warn else OK


class LevelLog:
    """Selects the changes of level to log: a rise at once, a fall once it has lasted, so that flicker is not logged."""

    def __init__(self, hold=5.0):
        """hold: seconds that a status must stay below the logged level before the fall is logged."""
        self._hold = hold
        self._logged = {}

    def update(self, statuses, now):
        """Return pairs (level, sentence) to log for the newest statuses; now: seconds of a steady clock."""
        news = []
        for status in statuses:
            level, since = self._logged.get(status.name, (OK, now))
            if status.level == level:
                self._logged[status.name] = level, now
            elif status.level > level or now - since >= self._hold:
                self._logged[status.name] = status.level, now
                text = status.unlogged if status.level > OK else 'recovered: ' + status.message
                if text:
                    news.append((status.level, '{}: {}'.format(status.name, text)))
        return news


def _milliseconds(seconds):
    return keys.UNKNOWN if seconds is None else '{:.1f}'.format(1000 * seconds)
