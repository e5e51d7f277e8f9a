"""Measures scans on synthetic streets whose depth is exact, and their cost, or on a bag with depth."""
import json
import math
import os

from espnet_ros.cli.bag import add_selection, open_selected
from espnet_ros.cli.options import add_size, size_of
from espnet_ros.errors import ParameterError

DESCRIPTION = """Measure how right the ground node's scans are on synthetic streets with exact depth, and their cost.

Errors are relative to the true range of the nearest visible obstacle in each direction, up to 0.5 m above the road.
With --bag the same is measured on a recording: scans of its ground truth's labels, of --model and the recorded one,
against its depth. Without ground truth, obstacles are what stands 0.2 to 0.5 m above the ground.
"""
LIMITS = 10.0, 15.0
BANDS = (0.0, 5.0), (5.0, 10.0), (10.0, 15.0)
"""Meters: rows of a bag's table."""
WITHOUT_TRUTH = ('without ground truth, obstacles are what stands 0.2 to 0.5 m above the ground; a scan that ends at a '
                 'curb or at grass, as the traversability file says, counts as too near or as a phantom')
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
    bag = parser.add_argument_group('scans of a bag')
    bag.add_argument('--bag', metavar='BAG', help='folder or file with images, camera_info and depth that has the same '
                     'stamps and is aligned to the images')
    bag.add_argument('--camera-height', type=float, metavar='METERS', help='of the camera above the ground')
    bag.add_argument('--camera-pitch', type=float, default=0.0, metavar='DEGREES',
                     help='that the camera looks down (0)')
    bag.add_argument('--camera-roll', type=float, default=0.0, metavar='DEGREES',
                     help='that the camera is rolled to its right (0)')
    bag.add_argument('--depth-topic', metavar='TOPIC', help='depth to use if a bag has several')
    bag.add_argument('--camera-info-topic', metavar='TOPIC', help='(default: camera_info beside the images)')
    bag.add_argument('--scan-topic', metavar='TOPIC', help='recorded scan (default: /ground/scan if there is one)')
    bag.add_argument('--out', metavar='DIR', help='write ground.json and worst.png, the worst frame, there')
    add_selection(bag)


def run(options):
    from espnet_ros import models
    from espnet_ros.ground import measure
    from espnet_ros.ground.traversability import read_traversability
    path = options.traversability or os.path.join(models.config_directory(), 'traversability.yaml')
    table = read_traversability(path)
    if options.bag:
        return _score_bag(options, table)
    width, height = (given or default for given, default in zip(size_of(options), (640, 480)))
    from espnet_ros.cli.progress import working
    print(HEADER, flush=True)
    for name, predict, names in [('true', None, None)] + ([_model(options.model)] if options.model else []):
        with working('measuring with {} labels'.format(name)):
            found = measure.measure(options.streets, table, options.seed, width, height,
                                pitch_errors=options.pitch, predict=predict, names=names, imu=options.imu)
        for (error, limit), a in found.items():
            _print_row('{}, {:+g} deg, {:g} m'.format(name, error, limit), a)
        if options.drive:
            print('{:>26}  an obstacle within 15 m was missed in at most {} consecutive frames'.format(
                name, measure.longest_miss(10, options.drive, table, options.seed, width, height,
                                           predict=predict, names=names)))
    if options.cost:
        for what, milliseconds in measure.costs(table, width, height).items():
            print('{:>26}  {:.2f} ms of one core'.format(what, milliseconds))
    return 0


def _print_row(what, a):
    print('{:>26}  {:>6.1%} {:>7.1%} {:>+7.1%} {:>8.2%} {:>9.2%} {:>6.1%} {:>7}'.format(what, *a))


def _score_bag(options, table):
    if options.camera_height is None or not all(map(math.isfinite, (
            options.camera_height, options.camera_pitch, options.camera_roll))):
        raise ParameterError('--bag needs the pose of its camera: --camera-height in meters, and --camera-pitch and '
                             '--camera-roll in degrees where they are not 0')
    if options.pitch != [0.0] or options.imu is not None or options.drive or options.cost:
        raise ParameterError('--pitch, --imu, --drive and --cost are for streets, not for --bag; the camera\'s '
                             'pitch is --camera-pitch')
    from espnet_ros.cli.progress import working
    with working('scoring ' + options.bag), open_selected(options.bag, options) as bag:
        from espnet_ros.evaluation.scans import Topics, score_bag
        from espnet_ros.ground.measure import summarize
        from espnet_ros.ground.pose import mounted
        pose = mounted(options.camera_height, math.radians(options.camera_pitch), math.radians(options.camera_roll))
        scored = score_bag(bag, pose, table, Topics(options.depth_topic, options.camera_info_topic, options.scan_topic),
                           options.model and _model(options.model))
        problems = bag.problems
        labeled = bool(bag.labeled)
    print(HEADER)
    rows = [(name, near, far, summarize(beams, far, near)) for name, beams in scored.beams.items()
            for near, far in (*((0.0, limit) for limit in LIMITS), *BANDS)]
    for name, near, far, accuracy in rows:
        _print_row('{}, {:g}-{:g} m'.format(name, near, far), accuracy)
    print('{} frames, {:.1%} of their directions without depth; worst: {} of stamp {}.{:09d}'.format(
        scored.frames, scored.unknown, scored.worst[1], *divmod(scored.worst[0], 10**9)))
    if not labeled:
        print('note: ' + WITHOUT_TRUTH)
    for reason, count in scored.skipped.items():
        print('{} frames not scored: {}'.format(count, reason))
    for problem in problems:
        print('problem: ' + problem)
    if options.out:
        _write(options.out, scored, rows, problems)
    return 0


def _write(folder, scored, rows, problems):
    import cv2

    from espnet_ros.files import write_file
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ParameterError("cannot make the folder '{}': {}".format(folder, error.strerror))
    data = {'frames': scored.frames, 'skipped': scored.skipped, 'unknown': scored.unknown, 'problems': list(problems),
            'worst': {'stamp': scored.worst[0] / 1e9, 'scan': scored.worst[1]},
            'rows': [{'scan': name, 'from': near, 'to': far,
                      **{key: None if math.isnan(value) else value for key, value in accuracy._asdict().items()}}
                     for name, near, far, accuracy in rows]}
    write_file(os.path.join(folder, 'ground.json'), json.dumps(data, indent=2).encode())
    write_file(os.path.join(folder, 'worst.png'), cv2.imencode('.png', scored.picture)[1].tobytes())


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
