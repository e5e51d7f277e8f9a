"""Measures scans on synthetic streets whose depth is exact, and their cost, or on a bag with depth."""
import json
import math
import os

from espnet_ros.cli.bag import add_selection, open_selected
from espnet_ros.cli.options import add_size, size_of, whole
from espnet_ros.errors import ParameterError

DESCRIPTION = """Measure how right the ground node's scans are on synthetic streets with exact depth, and their cost.

Errors are relative to the true range of the nearest visible obstacle in each direction, up to 0.5 m above the road.
With --bag the same is measured on a recording: scans of its ground truth's labels, of --model and the recorded one,
against its depth or lidar. Without ground truth, obstacles are what stands 0.2 to 0.5 m above the ground.
"""
HEADER = '{:>26}  {:>7} {:>7} {:>7} {:>8} {:>9} {:>6} {:>7}'.format(
    'labels, pitch, reach', 'median', 'p95', 'bias', 'missed', 'phantoms', 'cut', 'beams')


def add_arguments(parser):
    parser.add_argument('--streets', type=whole(1), default=40, metavar='N', help='streets to measure on (40)')
    parser.add_argument('--seed', type=whole(0), default=900000, metavar='N',
                        help='seed of the first; the others follow (900000)')
    add_size(parser, 'of the pictures', 'vga', '640x480')
    parser.add_argument('--model', metavar='MODEL', help='measure with the labels of this model too')
    parser.add_argument('--pitch', type=float, nargs='+', default=[0.0], metavar='DEGREES',
                        help='errors of the pitch that is told (0)')
    parser.add_argument('--imu', type=float, metavar='DEGREES',
                        help='a simulated IMU of this standard error tells the pitch, as with use_imu')
    parser.add_argument('--drive', type=whole(0), default=0, metavar='FRAMES',
                        help='also drive 10 streets for so many frames and count consecutive misses')
    parser.add_argument('--cost', action='store_true', help='measure CPU time too')
    bag = parser.add_argument_group('scans of a bag')
    bag.add_argument('--bag', metavar='BAG', help='folder or file with images, camera_info and depth that has the same '
                     'stamps and is aligned to the images, or points of a lidar')
    add_scans(parser, bag)
    bag.add_argument('--out', metavar='DIR', help='write ground.json and worst.png, the worst frame, there')
    add_selection(bag)


def add_scans(parser, bag):
    """Add the options of scans of a bag (see `scan_settings`): to the parser and to the group `bag`."""
    parser.add_argument('--traversability', metavar='FILE', help='cost of each class (the shipped file)')
    bag.add_argument('--camera-height', type=float, metavar='METERS',
                     help="of the camera above the ground (default: the camera's pose by the bag's /tf_static)")
    bag.add_argument('--camera-pitch', type=float, metavar='DEGREES',
                     help='that the camera looks down, with --camera-height (0)')
    bag.add_argument('--camera-roll', type=float, metavar='DEGREES',
                     help='that the camera is rolled to its right, with --camera-height (0)')
    bag.add_argument('--base-frame', default='base_link', metavar='FRAME',
                     help='frame of the robot on /tf_static, whose z = 0 is the ground (base_link)')
    bag.add_argument('--rectified', action='store_true', help='the images are rectified: P of camera_info counts, and '
                     'no distortion')
    bag.add_argument('--depth-topic', metavar='TOPIC', help='depth or points to use if a bag has several')
    bag.add_argument('--camera-info-topic', metavar='TOPIC', help='(default: camera_info beside the images)')
    bag.add_argument('--scan-topic', metavar='TOPIC', help='recorded scan (default: /ground/scan if there is one)')


def scan_settings(options):
    """Return the ScanSettings of the options of `add_scans`. Raises ParameterError."""
    from espnet_ros.evaluation.scans import ScanSettings, Topics
    from espnet_ros.ground.pose import mounted
    angles = options.camera_pitch, options.camera_roll
    if options.camera_height is None and any(angle is not None for angle in angles):
        raise ParameterError('--camera-pitch and --camera-roll need --camera-height: the pose is told as a whole, or '
                             'by /tf_static')
    numbers = [value or 0.0 for value in (options.camera_height, *angles)]
    if not all(map(math.isfinite, numbers)):
        raise ParameterError('--camera-height must be meters, --camera-pitch and --camera-roll degrees')
    pose = None if options.camera_height is None else mounted(numbers[0], *map(math.radians, numbers[1:]))
    return ScanSettings(_table(options), pose, options.base_frame,
                        Topics(options.depth_topic, options.camera_info_topic, options.scan_topic), options.rectified)


def _table(options):
    from espnet_ros import models
    from espnet_ros.ground.traversability import read_traversability
    return read_traversability(
        options.traversability or os.path.join(models.config_directory(), 'traversability.yaml'))


def run(options):
    if options.bag:
        return _score_bag(options)
    from espnet_ros.ground import measure
    table = _table(options)
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


def _score_bag(options):
    if options.pitch != [0.0] or options.imu is not None or options.drive or options.cost:
        raise ParameterError('--pitch, --imu, --drive and --cost are for streets, not for --bag; the camera\'s '
                             'pitch is --camera-pitch')
    from espnet_ros.cli.progress import working
    with working('scoring ' + options.bag), open_selected(options.bag, options) as bag:
        from espnet_ros.evaluation.scans import score_bag
        model = None
        if options.model:
            name, predict, names = _model(options.model)
            model = name, lambda frame: predict(frame.image), names
        scored = score_bag(bag, scan_settings(options), model)
        problems = bag.problems
    print(HEADER)
    for name, near, far, accuracy in scored.rows():
        _print_row('{}, {:g}-{:g} m'.format(name, near, far), accuracy)
    print('{} frames against {}, {:.1%} of their directions without; worst: {} of stamp {}.{:09d}'.format(
        scored.frames, scored.truth, scored.unknown, scored.worst[1], *divmod(scored.worst[0], 10**9)))
    if scored.note:
        print('note: ' + scored.note)
    for reason, count in scored.skipped.items():
        print('{} frames not scored: {}'.format(count, reason))
    for problem in problems:
        print('problem: ' + problem)
    if options.out:
        _write(options.out, scored, problems)
    return 0


def _write(folder, scored, problems):
    import cv2

    from espnet_ros.files import write_file
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ParameterError("cannot make the folder '{}': {}".format(folder, error.strerror))
    data = dict(scored.describe(), problems=list(problems))
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
