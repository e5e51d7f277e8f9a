"""The command `espnet-ros train`."""
import os
import pathlib
import shlex
import sys

from espnet_ros import models
from espnet_ros.cli.files import make_folder
from espnet_ros.cli.options import whole
from espnet_ros.datasets import SPECS
from espnet_ros.errors import EspnetError, ParameterError
from espnet_ros.network import configure
from espnet_ros.training.settings import BASE, read_recipe, recipes, settings_text
from espnet_ros.training.sources import open_source

DESCRIPTION = """Train a network in the two stages of the paper: the encoder on labels at 1/8, then the whole network.
Files in DIR:
  NAME.yaml, NAME.pth   the model: card and weights
  report/               evaluation reports of the --val datasets
  log.csv, curves.png   loss and scores of each epoch; tensorboard/ where that is installed
  pictures/             images, ground truth and predictions during training
  checkpoint.pt         to resume an interrupted training: run the same command again
A DATASET is one of
""" + ''.join('  {}\n'.format(line) for line in SPECS.splitlines()) + """
optionally followed by @WEIGHT: how often an epoch uses each of its images (default: 1). Several
GPUs or machines: torchrun --nproc_per_node N -m espnet_ros.cli train ..."""


def add_arguments(parser):
    parser.add_argument('--data', metavar='DATASET', nargs='+', default=[], action='extend',
                        help='training data; the first dataset defines the classes, unless `labels` is set')
    parser.add_argument('--val', metavar='DATASET', nargs='+', default=[], action='extend', help='validation data')
    parser.add_argument('--recipe', metavar='NAME', default=BASE,
                        help='settings: {} or a YAML file (default: %(default)s)'.format(', '.join(recipes())))
    parser.add_argument('--set', metavar='KEY=VALUE', nargs='+', default=[], action='extend', dest='changes',
                        help='changed settings, such as epochs=30')
    parser.add_argument('--show', action='store_true', help='print the settings with descriptions and exit')
    parser.add_argument('--from', metavar='MODEL', dest='start',
                        help='initialize with the matching weights of this model (name, card or weights file)')
    parser.add_argument('--from-part', choices=('all', 'encoder'), default='all',
                        help='which of its weights to use (default: %(default)s)')
    parser.add_argument('--backbone', metavar='FILE', help='initialize the backbone of fcn8s, segnet, deeplab-v2 or '
                        "pspnet with a weights file of torchvision's VGG16 or ResNet-101")
    parser.add_argument('--name', default='', help='of the model (default: label set, network and depth)')
    parser.add_argument('--license', default='', help='of the model, for its card')
    parser.add_argument('--description', default='', help='of the model, for its card')
    parser.add_argument('--out', metavar='DIR', type=_folder, default=pathlib.Path('training'),
                        help='folder to write to (default: %(default)s)')
    parser.add_argument('--restart', action='store_true', help='start over; the checkpoint in DIR is discarded')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)')
    parser.add_argument('--threads', metavar='N', type=whole(1, 1024), help='CPU threads (default: chosen by PyTorch)')
    parser.add_argument('--workers', metavar='N', type=whole(0, 1024), default=min(8, (os.cpu_count() or 1) // 2),
                        help='data loading processes (default: %(default)s)')


def run(options):
    settings = read_recipe(options.recipe, options.changes)
    if options.show:
        print(settings_text(settings))
        return 0
    # Wrong paths are told at once. Of several processes, the first one looks when it has joined the others.
    opened = None if 'RANK' in os.environ else _opened(options)
    import torch  # with the modules below, which load it: it takes seconds

    from espnet_ros.performance.environment import environment
    from espnet_ros.training.process_group import join_process_group
    from espnet_ros.training.result import write_model
    if options.threads:
        torch.set_num_threads(options.threads)
    with join_process_group(options.device) as group:
        try:
            plan, network, rows = _trained(options, settings, group, opened)
        except EspnetError:
            if group.is_first:
                raise
            return 1  # rank 0 prints it
        device = torch.cuda.get_device_name(group.device) if group.device.type == 'cuda' else (
            dict(environment())['cpu'])
    if not group.is_first:
        return 0
    card = write_model(plan, network, {
        'data': ['{} images of {}, weight {:g}'.format(len(part.samples), part.samples.name, part.weight)
                 for part in plan.parts],
        'settings': settings.to_dict(), 'began with': _described(plan),
        'hours': round(sum(row['seconds'] for row in rows) / 3600, 2), 'processes': group.size,
        'machine': '{}, PyTorch {}'.format(device, torch.__version__),
        'command': shlex.join(['espnet-ros', 'train', *sys.argv[2:]])}, options.out)
    _print_summary(card, options)
    return 0


def _opened(options, is_first=True):
    """Return the datasets to train on with their weights, those to validate on, and the Model to begin with or None."""
    if options.start and options.backbone:
        raise ParameterError('--from and --backbone both say what the network begins with; give one of them')
    if is_first:
        make_folder(options.out)
        print('espnet-ros: reading the images', file=sys.stderr)
    return ([open_source(text) for text in options.data], [_unweighted(text) for text in options.val],
            models.find(options.start) if options.start else None)


def _trained(options, settings, group, opened):
    """Return the Plan, the trained network, and the rows of the log."""
    from espnet_ros.cli.train_progress import TrainingProgress
    from espnet_ros.models.layouts import read_backbone
    from espnet_ros.training.plan import make_plan
    from espnet_ros.training.trainer import Callback, train
    from espnet_ros.training.transfer import Pretrained

    def inputs():
        sources, validation, model = opened or _opened(options, group.is_first)
        return (sources, validation, Pretrained(model, options.from_part) if model else None,
                read_backbone(options.backbone, configure(settings.family, {})) if options.backbone else None)

    sources, validation, start, backbone = group.on_all(inputs)
    plan = make_plan(settings, sources, validation, group, start, options.name, options.workers)
    plan = plan._replace(card=plan.card._replace(license=options.license, description=options.description),
                         backbone=backbone)
    callback = Callback()
    if group.is_first:
        print('\n'.join(plan.notes), flush=True)
        callback = TrainingProgress(plan.stages, settings.batch_of)
    with callback:
        return (plan, *train(plan, options.out, group, options.workers, options.restart, callback))


def _described(plan):
    """Return name and hash of what a training began with, for the card: another model may get the name later."""
    if plan.backbone:
        return 'a backbone, SHA-256 of its weights: {}'.format(plan.backbone.sha256)
    start = plan.start
    return '{}, SHA-256 of its weights: {}'.format(start.model.card.name, start.model.card.sha256) if start else ''


def _unweighted(text):
    dataset, weight = open_source(text)
    if weight != 1:
        raise ParameterError("'{}': a validation dataset cannot have a weight".format(text))
    return dataset


def _print_summary(path, options):
    from rich.console import Console
    from rich.table import Table

    from espnet_ros.training.result import REPORT
    card = models.find(str(path)).card
    if card.results:
        table = Table('validation', 'class mIOU', 'category mIOU')
        for name, result in card.results.items():
            table.add_row(name, *map(str, (result['class mIOU'], result['category mIOU'])))
        Console().print(table)
        print('reports: {}'.format(options.out / REPORT))
    print('model: {0}\nto use it by name: espnet-ros models add {0}'.format(path))


def _folder(text):
    return pathlib.Path(os.path.expanduser(text))  # shells do not expand --out=~/x
