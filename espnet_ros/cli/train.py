"""`espnet-ros train`: labeled images to a model, in the paper's two stages."""
import argparse
import os
import pathlib
import platform
import shlex
import sys

import torch
import tqdm

from espnet_ros import models
from espnet_ros.cli.files import make_folder
from espnet_ros.datasets import SPECS
from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.training.plan import make_plan
from espnet_ros.training.result import REPORT, write_model
from espnet_ros.training.settings import BASE, read_recipe, recipes, settings_text
from espnet_ros.training.sources import open_source
from espnet_ros.training.team import joined
from espnet_ros.training.trainer import Watch, train
from espnet_ros.training.transfer import PARTS, Start

DESCRIPTION = """Train a network in the paper's two stages: the encoder on labels at 1/8, then the whole.
DIR gets
  NAME.yaml, NAME.pth   the model: card and weights
  report/               the evaluator's pages for the --val datasets
  log.csv, curves.png   loss and scores of each epoch; tensorboard/ where that is installed
  pictures/             image, ground truth and prediction while it learns
  checkpoint.pt         where it stands: an interrupted training goes on with the same command
A DATASET is written as
""" + ''.join('  {}\n'.format(line) for line in SPECS.splitlines()) + """
with @WEIGHT behind it where an epoch shall see its images more or less often than once. Several
machines or GPUs: torchrun --nproc_per_node N -m espnet_ros.cli train ..."""


def add_arguments(parser):
    parser.add_argument('--data', metavar='DATASET', nargs='+', default=[], action='extend',
                        help='to train on; the first one says which classes are learned, unless `labels` is set')
    parser.add_argument('--val', metavar='DATASET', nargs='+', default=[], action='extend', help='to validate on')
    parser.add_argument('--recipe', metavar='NAME', default=BASE,
                        help='settings: {} or a YAML file (default: %(default)s)'.format(', '.join(recipes())))
    parser.add_argument('--set', metavar='KEY=VALUE', nargs='+', default=[], action='extend', dest='changes',
                        help='settings that differ from the recipe, such as epochs=30')
    parser.add_argument('--show', action='store_true', help='print the settings with explanations, and end')
    parser.add_argument('--from', metavar='MODEL', dest='start',
                        help='begin with the weights of this model (name, card or weights file), as far as they fit')
    parser.add_argument('--from-part', choices=PARTS, default=PARTS[0],
                        help='what to take of it (default: %(default)s)')
    parser.add_argument('--name', default='', help='of the model (default: from label set, network and depth)')
    parser.add_argument('--license', default='', help='of the model, for its card')
    parser.add_argument('--description', default='', help='of the model, for its card')
    parser.add_argument('--out', metavar='DIR', type=_folder, default=pathlib.Path('training'),
                        help='folder to write to (default: %(default)s)')
    parser.add_argument('--restart', action='store_true', help='begin anew: what is in DIR may be lost')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)')
    parser.add_argument('--threads', metavar='N', type=_count, help='CPU threads (default: as PyTorch thinks best)')
    parser.add_argument('--workers', metavar='N', type=_count_or_zero, default=min(8, (os.cpu_count() or 1) // 2),
                        help='processes that read and change images meanwhile (default: %(default)s)')


def run(options):
    settings = read_recipe(options.recipe, options.changes)
    if options.show:
        print(settings_text(settings))
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    with joined(options.device) as team:
        try:
            plan, network, rows = _trained(options, settings, team)
        except EspnetError:
            if team.is_first:
                raise
            return 1  # the first process says why
        device = torch.cuda.get_device_name(team.device) if team.device.type == 'cuda' else platform.processor()
    if not team.is_first:
        return 0
    card = write_model(plan, network, {
        'data': ['{} images of {}, weight {:g}'.format(len(part.samples), part.samples.name, part.weight)
                 for part in plan.parts],
        'settings': settings.to_dict(), 'began with': _described(plan.start),
        'hours': round(sum(row['seconds'] for row in rows) / 3600, 2), 'processes': team.size,
        'machine': '{}, PyTorch {}'.format(device or 'CPU', torch.__version__),
        'command': shlex.join(['espnet-ros', 'train', *sys.argv[2:]])}, options.out)
    print(_summary(card, options))
    return 0


def _trained(options, settings, team):
    """Return the Plan, the trained network, and the rows of the log."""
    def inputs():
        if team.is_first:
            make_folder(options.out)
            print('espnet-ros: looking at the images', file=sys.stderr)
        return ([open_source(text) for text in options.data], [_unweighted(text) for text in options.val],
                Start(models.find(options.start), options.from_part) if options.start else None)

    sources, validation, start = team.together(inputs)
    plan = make_plan(settings, sources, validation, team, start, options.name, options.workers)
    plan = plan._replace(card=plan.card._replace(license=options.license, description=options.description))
    watch = Watch()
    if team.is_first:
        print('\n'.join(plan.notes))
        watch = _Bar()
    with watch:
        return (plan, *train(plan, options.out, team, options.workers, options.restart, watch))


def _described(start):
    """What a card says of a transfer.Start: the name alone may be another model's some day."""
    return '{}, SHA-256 of its weights: {}'.format(start.model.card.name, start.model.card.sha256) if start else ''


def _unweighted(text):
    dataset, weight = open_source(text)
    if weight != 1:
        raise ParameterError("'{}': a dataset to validate on has no weight".format(text))
    return dataset


def _summary(path, options):
    card = models.find(str(path)).card
    lines = ['{}: class mIOU {class mIOU}, category mIOU {category mIOU}'.format(name, **result)
             for name, result in card.results.items()]
    if card.results:
        lines.append('reports: {}'.format(options.out / REPORT))
    return '\n'.join([*lines, 'model: {}'.format(path), 'to use it by its name: espnet-ros models add {}'.format(path)])


class _Bar(Watch):
    """Progress with loss and, after each epoch, a line with its scores."""

    def __init__(self):
        self._bar = None

    def __exit__(self, kind, *_):
        if self._bar is not None:
            self._bar.close()
        if kind is KeyboardInterrupt:
            print('espnet-ros: what was done until the last checkpoint is kept; the same command goes on',
                  file=sys.stderr)

    def begin(self, stage, done, steps, note):
        if self._bar is not None:
            self._bar.close()
        tqdm.tqdm.write('stage {}, {}: {} epochs, begins with {}'.format(stage.number, stage.name, stage.epochs, note))
        self._bar = tqdm.tqdm(total=steps, initial=done, unit='step', desc=stage.name, disable=None)

    def step(self, loss):
        if not self._bar.disable:
            self._bar.set_postfix_str('loss {:.4f}'.format(loss), False)
        self._bar.update()

    def epoch(self, row):
        scores = ', '.join('{} {:.2f}'.format(key, value) for key, value in row.items() if key.endswith('mIOU'))
        tqdm.tqdm.write('stage {stage}, epoch {epoch}: loss {loss:.4f}, {images per second:.1f} images per second, '
                        '{0:.1f}% of the time waiting for them{1}'.format(
                            100 * row['waiting'], scores and '; ' + scores, **row))


def _folder(text):
    return pathlib.Path(os.path.expanduser(text))  # shells do not expand --out=~/x


def _count(text):
    value = int(text)
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError('{} is not from 1 to 1024'.format(text))
    return value


def _count_or_zero(text):
    return 0 if text == '0' else _count(text)


_count.__name__ = _count_or_zero.__name__ = 'whole number'  # what argparse calls them in its messages
