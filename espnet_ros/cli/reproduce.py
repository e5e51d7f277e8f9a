"""`espnet-ros reproduce`: the paper's tables and figures beside what this machine finds."""
import argparse
import pathlib
import sys
import time

import rich.box
import rich.console
import rich.padding
import rich.table
import rich.text

from espnet_ros.cli.files import make_folder
from espnet_ros.cli.options import add_alias
from espnet_ros.cli.progress import working
from espnet_ros.errors import ParameterError
from espnet_ros.files import write_file
from espnet_ros.paper import counts, report, speed, tables, training
from espnet_ros.paper.expected import ENGINES, LEVELS, read_expected
from espnet_ros.paper.outcomes import (
    DIFFERS,
    NOT_RUN,
    NOT_TOLD_APART,
    OPPOSITE_ORDER,
    OTHER_HARDWARE,
    REPRODUCED,
    SAME_ORDER,
    STAND_IN,
    outcomes,
)
from espnet_ros.paper.results import Results
from espnet_ros.performance.benchmark.turns import has_power_sensor
from espnet_ros.performance.environment import environment

DESCRIPTION = """Rebuild Tables 1 to 5 and Figs. 3 to 14 of the ESPNet paper as far as this machine and its
data allow. Each row has the paper's number, ours, the difference, and a status: reproduced,
differs, other hardware, stand-in data, or not run with the reason and the command. DIR gets
  report.html    all rows, and the paper's plots drawn again
  report.json, report.csv
  report.md      tables of speed and of trained orders
  results.json   what was measured: the same command goes on where it was interrupted
Levels, each with those before it:
  counts   parameters, sizes, receptive fields; under a minute
  speed    all networks in turns with ESPNet at 1024x512 on this machine, with random weights, in about
           --minutes; the largest ones first, which take seconds a frame
  train    the ablations of Table 2 and Fig. 5 trained on the DATASET of --data, once for each of --seeds;
           does each pair that the paper orders have the same order? Trainings that come with the package
           are counted, too
  full     names what needs Cityscapes, Mapillary Vistas, PASCAL VOC, or the authors' machines
The exit code is 1 only when a number of parameters is off."""

_STYLES = {REPRODUCED: 'green', DIFFERS: 'bold red', OTHER_HARDWARE: 'cyan', STAND_IN: 'yellow', NOT_RUN: 'dim',
           SAME_ORDER: 'green', OPPOSITE_ORDER: 'red', NOT_TOLD_APART: 'yellow'}


def add_arguments(parser):
    parser.add_argument('items', metavar='ITEM', nargs='*', help='tables and figures, such as table-2e fig-6; all '
                        'without any')
    parser.add_argument('--level', choices=LEVELS, default=LEVELS[0], help='(default: %(default)s)')
    parser.add_argument('--out', metavar='DIR', type=pathlib.Path, default=pathlib.Path('reproduction'),
                        help='folder to write to (default: %(default)s)')
    add_alias(parser, '--engines', 'engines', nargs='+', choices=ENGINES)
    parser.add_argument('--backend', nargs='+', metavar='ENGINE', choices=ENGINES, default=list(ENGINES),
                        dest='engines', help='speed: engines to measure, {}; the last one is in the tables (default: '
                        'all)'.format(' '.join(ENGINES)))
    parser.add_argument('--networks', metavar='NAME', nargs='+', help='speed, train: only these, such as ENet')
    parser.add_argument('--minutes', metavar='M', type=_minutes, default=15.0,
                        help='speed: for all that is not measured yet, as far as three turns of each allow; 0 measures '
                        'nothing (default: %(default)s)')
    parser.add_argument('--restart', action='store_true', help='measure again what results.json has')
    add_alias(parser, '--again', 'restart', action='store_true')
    parser.add_argument('--data', metavar='DATASET', nargs='+', default=[], help='train: as for espnet-ros train')
    parser.add_argument('--val', metavar='DATASET', nargs='+', default=[], help='train: to validate on')
    parser.add_argument('--recipe', default='camvid', help='train: as for espnet-ros train (default: %(default)s)')
    parser.add_argument('--set', metavar='KEY=VALUE', nargs='+', default=[], dest='changes',
                        help='train: settings other than the recipe, such as epochs=30')
    parser.add_argument('--seeds', metavar='N', nargs='+', type=int, default=[1], help='train: (default: 1)')
    parser.add_argument('--keep', metavar='FILE', type=pathlib.Path, help='add the trainings in DIR to this file, in '
                        'the form of those that come with the package')
    parser.add_argument('--document', metavar='FILE', type=pathlib.Path, help='put the tables of report.md into this '
                        'Markdown file, between its lines <!-- speed --> and <!-- end of speed -->, likewise orders')


def run(options):
    expected = read_expected()
    items = expected.choose(options.items)
    make_folder(options.out)
    results = Results(options.out)
    machine = environment()
    console = rich.console.Console()
    rows = [row for item in items for row in item.rows]
    if options.level in LEVELS[1:] and options.minutes:
        _measure_speed(rows, expected.networks, results, options)
    settings = training.settings(options.recipe, options.data, options.val, options.changes)
    versions = {name: text for name, text in machine if name in ('espnet_ros', 'torch', 'cpu kind')}
    if options.level in LEVELS[2:] and options.data:
        _train(rows, expected.networks, results, options, {'settings': settings, 'versions': versions})
    elif options.level == 'train':
        print('espnet-ros: --level train without --data trains nothing; only trainings that are there count',
              file=sys.stderr)
    if options.keep:
        mine = training.own(results, settings, versions)
        if mine is None:
            raise ParameterError("there are no trainings in '{}' to keep".format(options.out))
        training.save(options.keep, mine)
    trainings = training.known(results, settings, versions)
    with working('counting parameters, operations and receptive fields'):
        found = outcomes(items, expected, results, options.level, options.engines[-1], trainings)
        wrong = counts.wrong_counts({row.network.name: row.network for row in rows if row.network}.values())
    wrong += ['{} has {:.4g} M parameters, the paper says {}'.format(o.row.subject, o.ours, o.row.printed)
              for o in found if o.row.quantity.name == 'parameters' and o.status == DIFFERS]
    report.write(options.out, items, found, wrong, machine)
    documents = {tables.SPEED: tables.speed_table(expected, results, options.engines, machine),
                 tables.ORDERS: tables.orders_table(expected, trainings)}
    write_file(options.out / report.TABLES, '\n'.join(
        line for lines in documents.values() for line in [*lines, '']).encode())
    for name, lines in documents.items():
        if options.document and lines:
            tables.insert(options.document, name, lines)
    console.print(_table(found))
    for sentence in wrong:
        console.print(sentence, style='bold red')
    console.print('{}, {}, {} and {} in {}'.format(
        report.PAGE, report.DATA, report.TABLE, report.TABLES, options.out))
    return 1 if wrong else 0


def _measure_speed(rows, networks, results, options):
    left = [each for each in speed.wanted(rows, networks, options.engines)
            if (not options.networks or each[0] in options.networks) and
            (options.restart or 'problem' in results.get(speed.key(*each), {'problem': 'not measured'}))]
    energy = bool(left) and has_power_sensor()
    deadline = time.monotonic() + 60 * options.minutes
    for number, (name, size, engine) in enumerate(left):
        budget = (deadline - time.monotonic()) / (len(left) - number)
        what = 'measuring {} at {}x{} in {}, {} of {}'.format(name, *size, engine, number + 1, len(left))
        print('espnet-ros: ' + what, file=sys.stderr)
        with working(what):
            found = speed.measure(networks, name, size, engine, budget, energy)
        results.put(speed.key(name, size, engine), found)


def _train(rows, networks, results, options, about):
    settings = about['settings']
    there = training.known(results, settings)
    if there and training.own(results, settings) and there.settings != settings:
        raise ParameterError("the trainings in '{}' have other settings ({}); name another folder with --out".format(
            options.out, ' '.join(there.settings)))
    chosen: list = []
    for row in rows:
        if training.trains(row) and not any(training.same(row.network, network) for network in chosen):
            if not options.networks or any(training.same(row.network, networks[name]) for name in options.networks
                                           if name in networks):
                chosen.append(row.network)
    arguments = ['--recipe', options.recipe, '--data', *options.data, *(['--val', *options.val] if options.val else []),
                 *(['--set', *options.changes] if options.changes else [])]
    for seed in options.seeds:  # all networks with one seed before the next: an order can be seen early
        for network in chosen:
            done = there is not None and there.settings == settings and seed in there.of(network, networks)
            if options.restart or not done:
                what = 'training {} with seed {}'.format(network.name, seed)
                print('espnet-ros: ' + what, file=sys.stderr)
                folder = options.out / 'train' / training.folder_name(network.name, seed)
                with working(what):
                    found = training.measure(network, seed, folder, arguments)
                results.put(training.key(network.name, seed), dict(found, **about))


def _table(found):
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column('network: quantity', overflow='fold')
    for name in ('paper', 'ours', 'difference'):
        table.add_column(name, justify='right', no_wrap=True)
    table.add_column('status', no_wrap=True)
    item = None
    for outcome in found:
        cells = report.cells(outcome)
        if outcome.status == NOT_RUN:
            continue
        if item != cells['item']:
            item = cells['item']
            table.add_row(rich.text.Text(item, 'bold'))
        table.add_row(rich.padding.Padding(rich.text.Text('{network}: {quantity}'.format(**cells)), (0, 0, 0, 2)),
                      '{paper} {unit}'.format(**cells), cells['ours'], cells['difference'],
                      rich.text.Text(outcome.status, _STYLES[outcome.status]))
    skipped = sum(outcome.status == NOT_RUN for outcome in found)
    table.caption = '{} rows were not run; {} says why, and with which command'.format(skipped, report.PAGE)
    return table


def _minutes(text):
    value = float(text)
    if not 0 <= value <= 24 * 60:
        raise argparse.ArgumentTypeError('{} is not from 0 to {}'.format(text, 24 * 60))
    return value


_minutes.__name__ = 'number'  # what argparse calls it in its messages
