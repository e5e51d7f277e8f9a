"""`espnet-ros models`: list, fetch, show and add models."""
import json
import os
import sys

import yaml

from espnet_ros import models
from espnet_ros.cli import onnx_model
from espnet_ros.cli.tables import print_table
from espnet_ros.errors import ModelError, printable
from espnet_ros.models.card import card_to_dict
from espnet_ros.network import FAMILIES, count

DESCRIPTION = """Models known by name: those that are shipped with this package, those of ESPNet's
authors, whose weights are fetched once to $ESPNET_ROS_CACHE, else $XDG_CACHE_HOME/espnet_ros,
else ~/.cache/espnet_ros, and checked by SHA-256, and those that you add."""


LEGEND = """
* default. CPU: int8 where the model has that form, the fastest with OpenVINO.
SIZE: parameters. MIOU: of classes in %, on the first data set of the card."""
COLUMNS = ('NAME', 'STATE', 'INPUT', 'CPU', 'CLASSES', 'SIZE', 'MIOU')


def add_arguments(parser):
    actions = parser.add_subparsers(metavar='ACTION', required=True)
    action = actions.add_parser('list', help='the known models and where they are')
    action.add_argument('--json', action='store_true', help='for programs')
    action.set_defaults(action=_list)

    action = actions.add_parser(
        'fetch', help='get the weights of models', description='Get the weights of models. A transfer that was cut '
        'is tried again. Proxies are taken from https_proxy and no_proxy.')
    action.add_argument('names', metavar='NAME', nargs='*', help='a name of `espnet-ros models list`')
    action.add_argument('--all', action='store_true', help='all known models')
    action.add_argument('--from', dest='from_file', metavar='FILE',
                        help='take the weights of the one model from this file, for machines without internet')
    action.set_defaults(action=_fetch, usage_error=action.error)

    action = actions.add_parser(
        'add', help='make models of your own known by name', description='Copy model cards and their weights to '
        '$ESPNET_ROS_MODELS, else $XDG_DATA_HOME/espnet_ros/models, else ~/.local/share/espnet_ros/models. From then '
        'on every command and node takes the name that stands in the card.')
    action.add_argument('cards', metavar='FILE', nargs='+', help='model card (.yaml) with its weights beside it, or '
                        'an ONNX network (.onnx), which gets a card')
    action.add_argument('--name', default='', help='to know the one model by, other than the one in its card')
    action.add_argument('--replace', action='store_true', help='also in place of another one of that name')
    onnx_model.add_arguments(action.add_argument_group('ONNX networks', 'what the file does not say itself'))
    action.set_defaults(action=_add, usage_error=action.error)

    action = actions.add_parser('remove', help='forget models that were added', description='Delete the copies that '
                                '`espnet-ros models add` has made.')
    action.add_argument('names', metavar='NAME', nargs='+', help='a name that `espnet-ros models list` calls added')
    action.set_defaults(action=_remove)

    action = actions.add_parser('show', help='the card of a model', description='Print the card of a model as YAML.')
    action.add_argument('model', metavar='MODEL', help='name, model card (.yaml) or weights file')
    action.set_defaults(action=_show)

    action = actions.add_parser('describe', help='configuration of a program that takes the labels of a model',
                                description='Print the configuration, with every class of a model, that a program '
                                'needs to take its labels: YAML of the nav2 layer semantic_segmentation_layer, CSV of '
                                'Kimera-Semantics, YAML of Hydra, or parameters of Autoware\'s '
                                'segmentation_pointcloud_fusion.')
    action.add_argument('model', metavar='MODEL', help='name, model card (.yaml) or weights file')
    action.add_argument('--for', dest='consumer', choices=('nav2', 'kimera', 'hydra', 'autoware'), required=True,
                        help='the program')
    action.add_argument('--traversability', metavar='FILE', help='cost of each class (default: the shipped file)')
    action.set_defaults(action=_describe)


def run(options):
    return options.action(options) or 0


def _list(options):
    entries = models.available()
    if options.json:
        print(json.dumps([_described(e) for e in entries], indent=2))
        return
    found = [_described(e) for e in entries]
    print_table(COLUMNS, [_row(model) for model in found], 4, [model['description'].partition('. ')[0]
                                                               for model in found])
    if sys.stdout.isatty():
        print(LEGEND)


def _describe(options):
    from espnet_ros.ground.consumers import CONSUMERS
    from espnet_ros.ground.traversability import read_traversability
    table = read_traversability(options.traversability or os.path.join(
        models.config_directory(), 'traversability.yaml'))
    sys.stdout.write(CONSUMERS[options.consumer](models.find(options.model).card.label_set, table))


def _described(entry):
    card = entry.card
    return {
        'name': card.name, 'default': card.name == models.DEFAULT,
        'description': card.description, 'state': entry.state, 'card': entry.card_path,
        'weights': entry.weights_path or None, 'label_set': card.label_set.name, 'classes': list(card.label_set.names),
        'input': {'width': card.input_width, 'height': card.input_height},
        'parameters': card.parameters or _parameters(card), 'license': card.license,
        'source': card.source, 'int8': card.int8 is not None and card.int8.is_vouched_for,
        'results': card.results}


def _parameters(card):
    return count(card.architecture) if card.architecture.family in FAMILIES else 0


def _row(model):
    result = next((r for r in model['results'].values() if isinstance(r, dict)), {})
    return (model['name'] + ' *' * model['default'], model['state'], '{width}x{height}'.format(**model['input']),
            'int8' if model['int8'] else 'float', str(len(model['classes'])),
            '{:.2f} M'.format(model['parameters'] / 1e6), str(result.get('class mIOU', '-')))


def _fetch(options):
    if options.all == bool(options.names):
        options.usage_error('give the names of models, or --all')
    if options.from_file and len(options.names) != 1:
        options.usage_error('--from goes with one name')
    # All names first: a mistake in the last should not show after the first has come.
    entries = [models.entry(name) for name in options.names] or models.available()
    failed = 0
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    console = Console(stderr=True)
    for entry in entries:
        name = entry.card.name
        columns = TextColumn('{task.description}'), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(name, total=None)
            try:
                model = models.fetch(name, lambda done, total, bar=bar, task=task: bar.update(
                    task, completed=done, total=total), options.from_file)
            except ModelError as error:
                if len(entries) == 1:
                    raise
                failed += 1
                bar.stop()
                print('espnet-ros: error: ' + printable(error), file=sys.stderr)
                continue
        print('{}: {}'.format(name, model.weights_path))
    return 1 if failed else 0


def _add(options):
    if options.name and len(options.cards) != 1:
        options.usage_error('--name goes with one card')
    from espnet_ros.cli.progress import working
    for path in options.cards:
        with working('adding ' + path):
            has_card = os.path.isfile(path[:-len('.onnx')] + '.yaml') and not options.labels
            if path.endswith('.onnx') and not has_card:
                model = onnx_model.add(path, options)
            else:
                model = models.add(path, options.replace, options.name)
        print('{}: {}'.format(model.card.name, model.weights_path))


def _remove(options):
    for name in options.names:
        models.remove(name)


def _show(options):
    if os.path.isfile(options.model):
        model = models.find(options.model)
        card, where = model.card, 'weights: ' + os.path.abspath(model.weights_path)
    else:
        entry = models.entry(options.model)
        card, where = entry.card, 'card: {}\n# weights: {}'.format(entry.card_path, entry.weights_path or entry.state)
    print('# {}\n{}'.format(where, yaml.safe_dump(
        card_to_dict(card), sort_keys=False, width=110, allow_unicode=True)), end='')
