"""`espnet-ros compare`: two evaluations side by side."""
import json
import pathlib

from espnet_ros.cli.options import whole

DESCRIPTION = """Put two folders of `espnet-ros evaluate` side by side: each score of A and B on the
labeled frames that both have, and B - A with its 95 % interval (paired bootstrap).
A difference whose interval excludes zero is called better or worse. If one was scored in
classes and the other in categories, or in other classes, both are compared by category."""


def add_arguments(parser):
    parser.add_argument('a', metavar='A', help='folder of an evaluation')
    parser.add_argument('b', metavar='B', help='folder of another one, of the same bags')
    parser.add_argument('--block', metavar='N', type=whole(1), default=1,
                        help='draw runs of N successive frames: neighbors in a recording are similar, which makes the '
                        'interval of single frames too narrow (default: 1)')
    parser.add_argument('--json', action='store_true', help='print JSON; scores from 0 to 1, times in seconds')
    parser.add_argument('--out', metavar='FILE', help='also write the comparison as an HTML page')


def run(options):
    from espnet_ros.reports.compare import compare, shown, write_comparison
    comparison = compare(options.a, options.b, options.block)
    names = [pathlib.Path(folder).resolve().name for folder in (options.a, options.b)]
    if options.out:
        write_comparison(options.out, comparison, names)
    if options.json:
        print(json.dumps({'frames': comparison.frames, 'note': comparison.note, 'differences': [
            {'name': d.name, **{key: None if value != value else value for key, value in (
                ('a', d.a), ('b', d.b), ('low', d.low), ('high', d.high))}, 'verdict': d.verdict}
            for d in comparison.differences]}, indent=2))
        return 0
    from espnet_ros.cli.tables import print_table
    print('A: {}\nB: {}\n{} labeled frames in common'.format(*names, comparison.frames))
    if comparison.note:
        print(comparison.note)
    print_table(('SCORE', 'A', 'B', 'B - A', '95 % INTERVAL', ''), [
        ('{}, {}'.format(d.name, d.unit), shown(d.a, d.unit), shown(d.b, d.unit), shown(d.difference, d.unit, True),
         '{} to {}'.format(shown(d.low, d.unit, True), shown(d.high, d.unit, True)), d.verdict)
        for d in comparison.differences])
    if options.out:
        print('page: {}'.format(options.out))
    return 0
