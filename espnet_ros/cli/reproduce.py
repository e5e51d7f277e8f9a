"""`espnet-ros reproduce`: the paper's tables and figures beside what this machine finds."""
import argparse
import pathlib
import sys

import rich.box
import rich.console
import rich.table
import rich.text

from espnet_ros.cli.files import make_folder
from espnet_ros.paper import counts, report, speed, training
from espnet_ros.paper.expected import LEVELS, read_expected
from espnet_ros.paper.outcomes import DIFFERS, NOT_RUN, OTHER_HARDWARE, REPRODUCED, STAND_IN, outcomes
from espnet_ros.paper.results import Results
from espnet_ros.performance.environment import environment

DESCRIPTION = """Rebuild Tables 1 to 5 and Figs. 3 to 14 of the ESPNet paper as far as this machine and its
data allow. Each row has the paper's number, ours, the difference, and a status: reproduced,
differs, other hardware, stand-in data, or not run with the reason and the command. DIR gets
  report.html    all rows, and the paper's plots drawn again
  report.json, report.csv
  results.json   what was measured: the same command goes on where it was interrupted
Levels, each with those before it:
  counts   parameters, sizes, receptive fields; under a minute
  speed    all networks in turns with ESPNet at 1024x512 on this machine, with random weights
  train    the ablations of Table 2 and Fig. 5 trained on the DATASET of --data, once for each of --seeds
  full     names what needs Cityscapes, Mapillary Vistas, PASCAL VOC, or the authors' machines
The exit code is 1 only when a number of parameters is off."""

_STYLES = {REPRODUCED: 'green', DIFFERS: 'bold red', OTHER_HARDWARE: 'cyan', STAND_IN: 'yellow', NOT_RUN: 'dim'}


def add_arguments(parser):
    parser.add_argument('items', metavar='ITEM', nargs='*', help='tables and figures, such as table-2e fig-6; all '
                        'without any')
    parser.add_argument('--level', choices=LEVELS, default=LEVELS[0], help='(default: %(default)s)')
    parser.add_argument('--out', metavar='DIR', type=pathlib.Path, default=pathlib.Path('reproduction'),
                        help='folder to write to (default: %(default)s)')
    parser.add_argument('--engines', nargs='+', choices=speed.ENGINES, default=list(speed.ENGINES),
                        help='speed: engines to measure; the last one is in the tables (default: all)')
    parser.add_argument('--networks', metavar='NAME', nargs='+', help='speed, train: only these, such as ENet')
    parser.add_argument('--seconds', metavar='S', type=_seconds, default=30.0,
                        help='speed: of each network in turns with ESPNet (default: %(default)s)')
    parser.add_argument('--again', action='store_true', help='measure again what results.json has')
    parser.add_argument('--data', metavar='DATASET', nargs='+', default=[], help='train: as for espnet-ros train')
    parser.add_argument('--val', metavar='DATASET', nargs='+', default=[], help='train: to validate on')
    parser.add_argument('--recipe', default='camvid', help='train: as for espnet-ros train (default: %(default)s)')
    parser.add_argument('--set', metavar='KEY=VALUE', nargs='+', default=[], dest='changes',
                        help='train: settings other than the recipe, such as epochs=30')
    parser.add_argument('--seeds', metavar='N', nargs='+', type=int, default=[1], help='train: (default: 1)')


def run(options):
    expected = read_expected()
    items = expected.choose(options.items)
    make_folder(options.out)
    results = Results(options.out)
    machine = environment()
    console = rich.console.Console()
    rows = [row for item in items for row in item.rows]
    if options.level in LEVELS[1:]:
        _measure_speed(rows, expected.networks, results, options)
    if options.level in LEVELS[2:] and options.data:
        _train(rows, results, options)
    found = outcomes(items, expected.networks, results, options.level, options.engines[-1])
    wrong = counts.wrong_counts({row.network.name: row.network for row in rows if row.network}.values())
    wrong += ['{} has {:.4g} M parameters, the paper says {}'.format(o.row.subject, o.ours, o.row.printed)
              for o in found if o.row.quantity.name == 'parameters' and o.status == DIFFERS]
    report.write(options.out, items, found, wrong, machine)
    console.print(_table(found))
    for sentence in wrong:
        console.print(sentence, style='bold red')
    console.print('{}, {} and {} in {}'.format(report.PAGE, report.DATA, report.TABLE, options.out))
    return 1 if wrong else 0


def _measure_speed(rows, networks, results, options):
    for name, size in speed.wanted(rows, networks):
        for engine in options.engines:
            key = speed.key(name, size, engine)
            chosen = not options.networks or name in options.networks
            if chosen and (options.again or key not in results):
                print('espnet-ros: measuring {} at {}x{} in {}'.format(name, *size, engine), file=sys.stderr)
                results.put(key, speed.measure(networks, name, size, engine, options.seconds))


def _train(rows, results, options):
    networks = {row.network.name: row.network for row in rows if training.trains(row)}
    arguments = ['--recipe', options.recipe, '--data', *options.data, *(['--val', *options.val] if options.val else []),
                 *(['--set', *options.changes] if options.changes else [])]
    for seed in options.seeds:  # all networks with one seed before the next: an order can be seen early
        for name, network in networks.items():
            key = training.key(name, seed)
            if (options.again or key not in results) and (not options.networks or name in options.networks):
                print('espnet-ros: training {} with seed {}'.format(name, seed), file=sys.stderr)
                folder = options.out / 'train' / key.replace('/', '-').replace(' ', '-')
                results.put(key, training.measure(network, seed, folder, arguments))


def _table(found):
    table = rich.table.Table(box=rich.box.SIMPLE, pad_edge=False)
    for name in ('item', 'network', 'quantity', 'paper', 'ours', 'difference', 'status'):
        table.add_column(name, justify='right' if name in ('paper', 'ours', 'difference') else 'left',
                         no_wrap=name in ('item', 'ours', 'status'), overflow='fold')
    previous = None
    for outcome in found:
        cells = report.cells(outcome)
        if outcome.status == NOT_RUN:
            continue
        if previous not in (None, cells['item']):
            table.add_section()
        table.add_row('' if previous == cells['item'] else cells['item'], cells['network'], cells['quantity'],
                      ' '.join((cells['paper'], cells['unit'])), cells['ours'], cells['difference'],
                      rich.text.Text(outcome.status, _STYLES[outcome.status]))
        previous = cells['item']
    skipped = sum(outcome.status == NOT_RUN for outcome in found)
    table.caption = '{} rows were not run; {} says why, and with which command'.format(skipped, report.PAGE)
    return table


def _seconds(text):
    value = float(text)
    if not 1 <= value <= 3600:
        raise argparse.ArgumentTypeError('{} is not from 1 to 3600'.format(text))
    return value
