"""The paper's networks in turns on this machine."""
import pathlib
import tempfile

from espnet_ros import models
from espnet_ros.models.card import write_card
from espnet_ros.performance.benchmark.measure import Candidate
from espnet_ros.performance.benchmark.turns import in_turns

REFERENCE = 'ESPNet'
"""Network with which each other is measured in turns."""
ENGINES = ('torch', 'openvino')


def wanted(rows, networks):
    """Return what to measure for Rows: sorted (network name, (width, height)) without the reference itself."""
    found = set()
    for row in rows:
        if row.quantity.level != 'speed' or row.network is None:
            continue
        for name in (row.subject, row.other):
            if name in networks:
                found.add((name, row.size))
    return sorted(found)


def key(name, size, engine):
    """Return the name of a measurement in results."""
    return 'speed/{}/{}x{}/{}'.format(name, *size, engine)


def measure(networks, name, size, engine, budget=30.0):
    """Measure a network and ESPNet in turns; return plain data for results.

    Seconds are of inference in the engine: of the fastest tenth of the frames, which other programs disturb least, and
    medians; ratio is ESPNet's time over the network's, turn by turn: median and its interval; cpu ratio the same of the
    CPU time of all threads. Energy is joules a frame, None without a power sensor.
    """
    with tempfile.TemporaryDirectory() as folder:
        first, second = (
            Candidate(str(_card(networks[each], folder, number)), size[0], size[1], size[0], size[1], engine,
                      'cpu' if engine == 'openvino' else 'auto', 'fp32')
            for number, each in enumerate((name, REFERENCE)))
        turns = in_turns(first, second, budget=budget)
    if turns.problem or turns.about['backend'] != engine:
        return {'problem': turns.problem or turns.about['fallback']}
    return {'seconds': turns.fastest, 'reference seconds': turns.other_fastest, 'median': turns.seconds.median,
            'reference median': turns.other_seconds.median,
            'ratio': [turns.ratio.median, turns.ratio.low, turns.ratio.high], 'turns': len(turns.ratio.turns),
            'cpu ratio': turns.cpu_ratio.median,
            'energy': turns.energy, 'device': turns.about['device'], 'precision': turns.about['precision']}


def _card(network, folder, number):
    fields = network.architecture._asdict()
    card = models.untrained(network.architecture.family, **fields)._replace(name='network-{}'.format(number))
    path = pathlib.Path(folder) / (card.name + '.yaml')
    write_card(card, path)
    return path


