"""Measures scans and their cost on synthetic streets whose depth is exact."""
import os

from espnet_ros.cli.options import add_size, size_of

DESCRIPTION = """Measure how right the ground node's scans are on synthetic streets with exact depth, and their cost.

Errors are relative to the true range of the nearest visible obstacle in each direction, up to 0.5 m above the road.
"""
HEADER = '{:>26}  {:>7} {:>7} {:>7} {:>8} {:>9} {:>6} {:>7}'.format(
    'labels, pitch, reach', 'median', 'p95', 'bias', 'missed', 'phantoms', 'cut', 'beams')


def add_arguments(parser):
    parser.add_argument('--streets', type=int, default=40, metavar='N', help='streets to measure on (40)')
    parser.add_argument('--seed', type=int, default=900000, help='seed of the first; the others follow (900000)')
    add_size(parser, 'of the pictures', 'vga', '640x480')
    parser.add_argument('--model', metavar='MODEL', help='measure with the labels of this model too')
    parser.add_argument('--pitch', type=float, nargs='*', default=[0.0], metavar='DEGREES',
                        help='errors of the pitch that is told (0)')
    parser.add_argument('--imu', type=float, metavar='DEGREES',
                        help='a simulated IMU of this standard error tells the pitch, as with use_imu')
    parser.add_argument('--drive', type=int, default=0, metavar='FRAMES',
                        help='also drive 10 streets for so many frames and count consecutive misses')
    parser.add_argument('--traversability', metavar='FILE', help='cost of each class (the shipped file)')
    parser.add_argument('--cost', action='store_true', help='measure CPU time too')


def run(options):
    from espnet_ros import models
    from espnet_ros.ground import measure
    from espnet_ros.ground.traversability import read_traversability
    path = options.traversability or os.path.join(os.path.dirname(models.models_directory()), 'config',
                                                  'traversability.yaml')
    table = read_traversability(path)
    width, height = (given or default for given, default in zip(size_of(options), (640, 480)))
    print(HEADER)
    for name, predict, names in [('true', None, None)] + ([_model(options.model)] if options.model else []):
        found = measure.measure(options.streets, table, options.seed, width, height,
                                pitch_errors=options.pitch, predict=predict, names=names, imu=options.imu)
        for (error, limit), a in found.items():
            print('{:>26}  {:>6.1%} {:>7.1%} {:>+7.1%} {:>8.2%} {:>9.2%} {:>6.1%} {:>7}'.format(
                '{}, {:+g} deg, {:g} m'.format(name, error, limit), a.median, a.p95, a.bias, a.missed, a.phantoms,
                a.cut, a.beams))
        if options.drive:
            print('{:>26}  an obstacle within 15 m was missed in at most {} consecutive frames'.format(
                name, measure.longest_miss(10, options.drive, table, options.seed, width, height,
                                           predict=predict, names=names)))
    if options.cost:
        for what, milliseconds in measure.costs(table, width, height).items():
            print('{:>26}  {:.2f} ms of one core'.format(what, milliseconds))
    return 0


def _model(name):
    """Return a model's name, a function from BGR images to labels, and the class names of their ids."""
    from espnet_ros import models
    from espnet_ros.engine import build_engine
    from espnet_ros.segmenter import Segmenter, input_size
    model = models.find(name)
    card = model.card
    width, height = input_size(card, 0, 0)
    segmenter = Segmenter(build_engine(card, models.load(model), width, height, 'torch', 'cpu', 'fp32'), 'camera')
    return card.name, lambda image: segmenter.segment(image).labels, {c.id: c.name for c in card.label_set.classes}
