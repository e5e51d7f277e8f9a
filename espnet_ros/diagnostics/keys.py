"""Names, keys and phases in diagnostics that programs read; messages are for people and may be reworded."""
import collections

# Status names are NODE: PART for a segmentation node and HOST: PART for a machine. A node with several cameras has one
# NODE: Engine, and NODE/CAMERA: PART for all else.
INPUT, OUTPUT, ENGINE, LATENCY = 'Input', 'Output', 'Engine', 'Latency'
CPU, MEMORY, GPU, POWER, TEMPERATURE = 'CPU', 'Memory', 'GPU', 'Power', 'Temperature'
NODE_PARTS = (INPUT, OUTPUT, ENGINE, LATENCY)
MACHINE_PARTS = (GPU, CPU, MEMORY, POWER, TEMPERATURE)

SUMMARY = 'summary'
"""Of every status: the state or measurement in a few words, without problems and remedies."""
PHASE = 'phase'
"""Of Engine and Output: one of the phases below."""
UNCONFIGURED, BUILDING, READY, FAILED = 'unconfigured', 'building', 'ready', 'failed'
"""Phases of Engine."""
INACTIVE, DISABLED, IDLE, RUNNING = 'inactive', 'disabled', 'idle', 'running'
"""Phases of Output; idle: nobody subscribes."""
MEASURED = 'measured'
"""Of a machine's part: yes or no."""
REPORTER = 'reported by'
"""Of a machine's part: name and process id of the node that reports it."""

TOPIC, PUBLISHERS, RATE, JITTER, SILENCE = (
    'topic', 'publishers', 'rate (Hz)', 'jitter (ms)', 'seconds since the last')
RECEIVED, LOST, DROPPED, REFUSED, LAST_REFUSAL = 'received', 'lost', 'dropped', 'refused', 'last refusal'
PUBLISHED, SKIPPED, IMAGES_FAILED, SUBSCRIBERS, LAST_FAILURE = (
    'published', 'skipped', 'failed', 'subscribers', 'last failure')
MODEL, WEIGHTS, NETWORK_INPUT, BACKEND, DEVICE, PRECISION, CHOICE, FALLBACK, STEP = (
    'model', 'weights SHA-256', 'network input', 'backend', 'device', 'precision', 'choice', 'fallback', 'step')
READINGS = {CPU: 'load (%)', GPU: 'load (%)', MEMORY: 'used (%)', POWER: 'total (W)', TEMPERATURE: 'hottest (C)'}
"""Key of the one number that stands for each part of a machine."""
UNKNOWN = 'unknown'
"""Value of a number that the node does not know."""
COUNTERS = collections.OrderedDict([
    (RECEIVED, INPUT), (LOST, INPUT), (DROPPED, INPUT), (REFUSED, INPUT),
    (PUBLISHED, OUTPUT), (SKIPPED, OUTPUT), (IMAGES_FAILED, OUTPUT)])
"""Key of each counter of images, and the part that has it."""

STAMP_TO_OUTPUT = 'stamp to output'
"""Latency stage: from the image's stamp to its published output."""
STAGES = ('convert', 'preprocess', 'inference', 'postprocess', 'publish', 'total', STAMP_TO_OUTPUT)
"""Latency stages of an image, in their order; total: without the time it waited."""


def latency_key(stage, percentile):
    """Return the key of a percentile (p50, p95 or p99) of a latency stage."""
    return '{} {} (ms)'.format(stage, percentile)


def stages_of(names):
    """Return the latency stages whose median is among the keys of a Latency, in their order."""
    return [key[:-len(_MEDIAN)] for key in names if key.endswith(_MEDIAN)]


def status_name(owner, part):
    """Return the name of a status; owner: a node's full name or a host name."""
    return '{}: {}'.format(owner.lstrip('/'), part)


def split_name(name):
    """Return (owner, part) of a status name."""
    owner, _, part = name.rpartition(': ')
    return owner, part


def parts_of(statuses, owner):
    """Return a dict from part to Status of the statuses of `owner` (as in status_name), the statuses of one message.

    owner: a node, a machine, or NODE/CAMERA, which shares its node's Engine.
    """
    named = [split_name(status.name) + (status,) for status in statuses]
    owner = owner.lstrip('/')
    parts = {part: status for found, part, status in named if found == owner}
    if parts and ENGINE not in parts:
        parts.update((part, status) for found, part, status in named if part == ENGINE and found == node_of(owner))
    return parts


def node_of(owner):
    """Return the name of the node that a camera of several belongs to, which is its name's first part."""
    return owner.rpartition('/')[0]


def value_of(parts, part, key, default=''):
    """Return a value of a part, a text; `default` where it is absent. parts: as parts_of returns them."""
    return dict(parts[part].values).get(key, default) if part in parts else default


def count_of(parts, counter):
    """Return one of COUNTERS as an int; 0 where it is absent or unknown."""
    text = value_of(parts, COUNTERS[counter], counter)
    return int(text) if text.isdigit() else 0


_MEDIAN = latency_key('', 'p50')
