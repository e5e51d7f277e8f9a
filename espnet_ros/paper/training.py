"""Rows of the paper's accuracy tables, trained on other data than the paper's."""
import itertools
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import typing

from espnet_ros.errors import ParameterError
from espnet_ros.files import write_file
from espnet_ros.models.card import read_card
from espnet_ros.network import DEFAULT
from espnet_ros.paper.results import read_mapping

ITEMS = ('table-2a', 'table-2b', 'table-2c', 'table-2d', 'table-2e', 'table-2f', 'table-2g', 'fig-5')
"""Ablations, whose order other data may show, too."""
SHIPPED = pathlib.Path(__file__).with_name('trained')
"""Folder of the trainings that come with the package."""
SCORE = 'class mIOU'

_STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Quantiles of Student's t for an interval of 95%, by degrees of freedom from 1 on; the last serves all others."""


class Trainings(typing.NamedTuple):
    """Trainings of one kind. scores: class mIOU in percent by (network's name, seed).

    data: what the scores are of. settings: recipe, data and changes, which all trainings have in common. versions: of
    what trained.
    """

    data: str
    settings: tuple[str, ...]
    versions: dict[str, str]
    scores: dict[tuple[str, int], float]

    def of(self, network, networks):
        """Return a dict from seed to class mIOU of a Network and all others of the same architecture."""
        return {seed: score for (name, seed), score in sorted(self.scores.items())
                if name in networks and same(networks[name], network)}


class Order(typing.NamedTuple):
    """Two rows that the paper orders, by the trainings with the same seed of both.

    differences: class mIOU of the better one in the paper minus the other's, in points, one for each seed. low, high:
    ends of the 95% interval of their mean (Student's t), None with a single seed.
    """

    better: typing.Any
    worse: typing.Any
    differences: tuple[float, ...]
    low: float | None
    high: float | None

    @property
    def mean(self):
        """The mean difference, in points."""
        return statistics.mean(self.differences)

    @property
    def agreeing(self):
        """In how many seeds the order is the paper's."""
        return sum(difference > 0 for difference in self.differences)


def trains(row):
    """Return whether the level train has something to say of a Row."""
    return row.item in ITEMS and row.quantity.name == SCORE and row.network is not None


def same(network, other):
    """Return whether two Networks are one architecture, so that a training of one is a training of the other."""
    return (network.architecture.family, network.architecture) == (other.architecture.family, other.architecture)


def key(name, seed):
    """Return the name of a training in results."""
    return 'train/{}/seed {}'.format(name, seed)


def folder_name(name, seed):
    """Return the name of a training's folder: plain letters, whatever the network is called."""
    return re.sub('[^A-Za-z0-9=.]+', '-', key(name.replace('†', ' dagger'), seed))


def settings(recipe, data, validation, changes):
    """Return what trainings must have in common; datasets without their folders, which are of this machine."""
    names = [(kind, ':'.join(part for part in spec.split(':') if '/' not in part and not pathlib.Path(part).exists()))
             for kind, specs in (('data', data), ('val', validation)) for spec in specs]
    return ('recipe=' + recipe, *map('='.join, names), *sorted(changes))


def own(results, wanted=(), versions=None):
    """Return the Trainings in results, None without any.

    wanted, versions: for trainings that do not say their settings. Raises ParameterError where there are several kinds.
    """
    found: dict = {}
    for name, result in results.items():
        match = re.match(r'train/(.*)/seed (\d+)\Z', name)
        if match and SCORE in result:
            kind = result['data'], tuple(result.get('settings', wanted))
            found.setdefault(kind, Trainings(*kind, result.get('versions', versions or {}), {})).scores[
                match.group(1), int(match.group(2))] = result[SCORE]
    if len(found) > 1:
        raise ParameterError('the results have trainings with several settings ({}); keep each in a folder of its own'
                             .format('; '.join(' '.join(each) for _, each in found)[:300]))
    return next(iter(found.values()), None)


def shipped(folder=SHIPPED):
    """Return the Trainings that come with the package. Raises ParameterError when a file is damaged."""
    return [read(path) for path in sorted(pathlib.Path(folder).glob('*.json'))]


def known(results, wanted=(), versions=None, folder=SHIPPED):
    """Return the Trainings to speak of: those in results, with shipped ones of the same settings; else shipped ones.

    None without any.
    """
    mine = own(results, wanted, versions)
    for each in shipped(folder):
        if mine is None:
            return each
        if (each.data, each.settings) == (mine.data, mine.settings):
            return mine._replace(scores={**each.scores, **mine.scores})
    return mine


def read(path):
    """Return the Trainings of a file. Raises ParameterError."""
    values = read_mapping(path)
    try:
        return Trainings(str(values['data']), tuple(values['settings']), dict(values['versions']), {
            (name, int(seed)): float(score) for name, seeds in values[SCORE].items() for seed, score in seeds.items()})
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ParameterError("the trainings '{}' are damaged: {!r}".format(path, error))


def save(path, trainings):
    """Write Trainings to a file, with those of the same settings that are there. Raises ParameterError, ModelError."""
    if pathlib.Path(path).exists():
        there = read(path)
        if (there.data, there.settings) != (trainings.data, trainings.settings):
            raise ParameterError("the trainings '{}' have other settings ({}); name another file".format(
                path, ' '.join(there.settings)))
        trainings = trainings._replace(scores={**there.scores, **trainings.scores},
                                       versions=trainings.versions or there.versions)
    scores: dict = {}
    for (name, seed), score in sorted(trainings.scores.items()):
        scores.setdefault(name, {})[str(seed)] = score
    write_file(path, (json.dumps({
        'data': trainings.data, 'settings': trainings.settings, 'versions': trainings.versions, SCORE: scores,
    }, indent=1, ensure_ascii=False) + '\n').encode())


def orders(item, networks, trainings):
    """Return the Order of each pair of an Item's rows that the paper orders and that were trained with one seed."""
    rows = [row for row in item.rows if trains(row)] if trainings else []
    found = []
    for pair in itertools.combinations(rows, 2):
        worse, better = sorted(pair, key=lambda row: row.value)
        if worse.value == better.value or same(worse.network, better.network):
            continue
        high, low = (trainings.of(row.network, networks) for row in (better, worse))
        differences = tuple(high[seed] - low[seed] for seed in sorted(set(high) & set(low)))
        if differences:
            found.append(Order(better, worse, differences, *_interval(differences)))
    return found


def _interval(values):
    if len(values) < 2:
        return None, None
    half = _STUDENT[min(len(values) - 1, len(_STUDENT)) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values) - half, statistics.mean(values) + half


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
    data, scores = next((name, result) for name, result in card.results.items() if SCORE in result)
    return {SCORE: scores[SCORE], 'category mIOU': scores.get('category mIOU'), 'data': data}
