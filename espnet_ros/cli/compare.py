"""`espnet-ros compare`: two evaluations side by side."""
import argparse
import pathlib

from espnet_ros.cli.tables import print_table

DESCRIPTION = """Put two folders of `espnet-ros evaluate` side by side: each score of A and B on the
labeled frames that both have, and B - A with its 95 % interval (paired bootstrap).
A difference whose interval excludes zero is called better or worse."""


def add_arguments(parser):
    parser.add_argument('a', metavar='A', help='folder of an evaluation')
    parser.add_argument('b', metavar='B', help='folder of another one, of the same bags')
    parser.add_argument('--block', metavar='N', type=_count, default=1,
                        help='draw runs of N successive frames: neighbors in a recording are similar, which makes the '
                        'interval of single frames too narrow (default: 1)')
    parser.add_argument('--out', metavar='FILE', help='also write the comparison as an HTML page')


def run(options):
    from espnet_ros.evaluation.compare import compare, shown, write_comparison
    comparison = compare(options.a, options.b, options.block)
    names = [pathlib.Path(folder).resolve().name for folder in (options.a, options.b)]
    print('{} labeled frames in common'.format(comparison.frames))
    print_table(('SCORE', *names, 'B - A', '95 % INTERVAL', ''), [
        ('{}, {}'.format(d.name, d.unit), shown(d.a, d.unit), shown(d.b, d.unit), shown(d.difference, d.unit, True),
         '{} to {}'.format(shown(d.low, d.unit, True), shown(d.high, d.unit, True)), d.verdict)
        for d in comparison.differences])
    if options.out:
        write_comparison(options.out, comparison, names)
        print('page: {}'.format(options.out))
    return 0


def _count(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError('{} is not 1 or more'.format(text))
    return value


_count.__name__ = 'integer'  # what argparse calls it in its messages
