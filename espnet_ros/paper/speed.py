"""The paper's networks in turns on this machine."""
import pathlib
import tempfile
import typing

from espnet_ros import models
from espnet_ros.models.card import write_card
from espnet_ros.paper.expected import SIZE
from espnet_ros.performance.benchmark.measure import Candidate
from espnet_ros.performance.benchmark.turns import in_turns

REFERENCE = 'ESPNet'
"""Network with which each other is measured in turns."""


class Faster(typing.NamedTuple):
    """How many times as fast a network is as another: median and its interval by wall time, and by CPU time.

    turns: with ESPNet in which each was measured; 3 have an interval that is the whole range.
    """

    median: float
    low: float
    high: float
    cpu: float
    turns: int


def wanted(rows, networks, engines):
    """Return what to measure for Rows: (network name, (width, height), engine), the largest networks first.

    Sizes other than SIZE are measured in the last engine only, whose numbers are in the tables. The largest go first
    because they take what time they need; the others share the rest.
    """
    found = set()
    for row in rows:
        if row.quantity.level != 'speed' or row.network is None or row.fixed:
            continue
        for name in (row.subject, row.other):
            if name in networks:
                found |= {(name, row.size, engine) for engine in engines if row.size == SIZE or engine == engines[-1]}
    return sorted(found, key=lambda each: (-networks[each[0]].parameters, each))


def key(name, size, engine):
    """Return the name of a measurement in results."""
    return 'speed/{}/{}x{}/{}'.format(name, *size, engine)


def faster(results, name, other, size, engine):
    """Return how much Faster a network is than another, None where one was not measured.

    Each was measured in turns with ESPNet, and so the ratio to it is the steadiest number.
    """
    pairs, counts = [], []
    for each in (name, other):
        result = results.get(key(each, size, engine), {'problem': 'not measured'})
        if each == REFERENCE:
            pairs.append(((1.0, 1.0, 1.0), 1.0))
        elif 'problem' in result:
            return None
        else:
            pairs.append((result['ratio'], result['cpu ratio']))
            counts.append(result['turns'])
    (own, cpu), (others, other_cpu) = pairs
    return Faster(own[0] / others[0], own[1] / others[2], own[2] / others[1], cpu / other_cpu, min(counts, default=0))


def measure(networks, name, size, engine, budget=30.0, energy=True):
    """Measure a network and ESPNet in turns; return plain data for results.

    Seconds are of inference in the engine: of the fastest tenth of the frames, which other programs disturb least, and
    medians; ratio is ESPNet's time over the network's, turn by turn: median and its interval; cpu ratio the same of the
    CPU time of all threads. Energy is joules a frame, None without a power sensor. busy: why the times are not to be
    trusted. budget: seconds; energy: whether to measure it.
    """
    with tempfile.TemporaryDirectory() as folder:
        first, second = (
            Candidate(str(_card(networks[each], folder, number)), size[0], size[1], size[0], size[1], engine,
                      'cpu' if engine == 'openvino' else 'auto', 'fp32')
            for number, each in enumerate((name, REFERENCE)))
        turns = in_turns(first, second, budget, energy)
    if turns.problem or turns.about['backend'] != engine:
        return {'problem': turns.problem or turns.about['fallback']}
    return {'seconds': turns.fastest, 'reference seconds': turns.other_fastest, 'median': turns.seconds.median,
            'reference median': turns.other_seconds.median,
            'ratio': [turns.ratio.median, turns.ratio.low, turns.ratio.high], 'turns': len(turns.ratio.turns),
            'cpu ratio': turns.cpu_ratio.median, 'busy': turns.contention.problem,
            'energy': turns.energy, 'device': turns.about['device'], 'precision': turns.about['precision']}


def _card(network, folder, number):
    fields = network.architecture._asdict()
    card = models.untrained(network.architecture.family, **fields)._replace(name='network-{}'.format(number))
    path = pathlib.Path(folder) / (card.name + '.yaml')
    write_card(card, path)
    return path
