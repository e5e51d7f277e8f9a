"""Rows of the paper's accuracy tables, trained on other data than the paper's."""
import pathlib
import statistics
import subprocess
import sys
import typing

from espnet_ros.errors import ParameterError
from espnet_ros.models.card import read_card
from espnet_ros.network import DEFAULT

ITEMS = ('table-2a', 'table-2b', 'table-2c', 'table-2d', 'table-2e', 'table-2f', 'table-2g', 'fig-5')
"""Ablations, whose order other data may show, too."""


class Found(typing.NamedTuple):
    """Mean of the class mIOU of trained networks, in percent. note: on what data, how often."""

    value: float
    note: str


def trains(row):
    """Return whether the level train has something to say of a Row."""
    return row.item in ITEMS and row.quantity.name == 'class mIOU' and row.network is not None


def key(name, seed):
    """Return the name of a training in results."""
    return 'train/{}/seed {}'.format(name, seed)


def found(row, results):
    """Return what trainings in results have Found for a Row, None for nothing."""
    if not trains(row):
        return None
    scores = [result for name, result in sorted(results.items())
              if name.startswith('train/{}/'.format(row.subject)) and 'class mIOU' in result]
    if not scores:
        return None
    values = [score['class mIOU'] for score in scores]
    spread = ', {:.2f} to {:.2f}'.format(min(values), max(values)) if len(values) > 1 else ''
    return Found(statistics.mean(values), '{}, {} seed{}{}'.format(
        scores[0]['data'], len(values), 's' if len(values) > 1 else '', spread))


def measure(network, seed, folder, options, run=subprocess.run):
    """Train a Network and return plain data for results. An interrupted training goes on where it was.

    folder: of the training. options: arguments of `espnet-ros train` that name data, recipe and settings. Raises
    ParameterError with the training's last line when it fails.
    """
    usual = type(network.architecture)()._asdict()
    fields = [] if network.architecture.family != DEFAULT else [
        '{}={}'.format(name, str(value).lower() if isinstance(value, bool) else value)
        for name, value in network.architecture._asdict().items() if name != 'classes' and value != usual[name]]
    command = [sys.executable, '-m', 'espnet_ros.cli', 'train', *options, '--name', 'trained', '--out', str(folder),
               '--set', 'family=' + network.architecture.family, 'seed={}'.format(seed), *fields]
    done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        last = ([line for line in done.stdout.splitlines() if line.strip()] or ['no message'])[-1]
        raise ParameterError('training {} failed: {}'.format(network.name, last))
    card = read_card(pathlib.Path(folder) / 'trained.yaml')
    data, scores = next((name, result) for name, result in card.results.items() if 'class mIOU' in result)
    return {'class mIOU': scores['class mIOU'], 'category mIOU': scores.get('category mIOU'), 'data': data}
