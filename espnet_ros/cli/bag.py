"""`espnet-ros bag`: create evaluation bags, inspect bags."""
import datetime
import json

from espnet_ros.bags.paths import check_bag
from espnet_ros.bags.settings import COMPRESSIONS, IMAGES, STORAGES, BagSettings
from espnet_ros.cli.options import HelpFormatter
from espnet_ros.datasets import SPECS, open_dataset
from espnet_ros.labels import get_label_set, label_set_to_dict

DESCRIPTION = """Recordings to evaluate a model on: rosbag2 folders, .mcap and .db3 files, ROS 1 .bag files."""

_CREATE = """Write labeled images as a rosbag2 folder with the topics
  CAMERA/image_raw               or image_raw/compressed
  CAMERA/camera_info
  CAMERA/ground_truth            class ids, mono8, 255 = unlabeled, stamps equal to the images'
  CAMERA/ground_truth/label_map  what the ids mean, as JSON
  CAMERA/ground_truth/instances  Cityscapes' instanceIds, mono16, of datasets that have them
A DATASET is written as
""" + ''.join('  {}\n'.format(line) for line in SPECS.splitlines())


def add_arguments(parser):
    actions = parser.add_subparsers(metavar='ACTION', required=True)
    defaults = BagSettings()
    action = actions.add_parser('create', help='make a bag with ground truth from labeled images',
                                description=_CREATE, formatter_class=HelpFormatter)
    action.add_argument('datasets', metavar='DATASET', nargs='+', help='see above; several are concatenated')
    action.add_argument('--out', metavar='BAG', required=True, help='the folder to make')

    def add(flag, text, **settings):
        action.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add('--rate', 'images per second', type=float, default=defaults.rate, metavar='HZ')
    add('--images', 'how images are stored; jpeg changes them a little', choices=IMAGES, default=defaults.images)
    add('--storage', 'kind of file', choices=STORAGES, default=defaults.storage)
    action.add_argument('--compression', choices=COMPRESSIONS,
                        help='zstd of chunks (mcap only), messages, the file, or none (default: chunk with mcap)')
    add('--camera', 'namespace of the topics', default=defaults.camera)
    add('--frame-id', 'frame in the header of the messages', default=defaults.frame_id)
    action.set_defaults(action=_create)

    action = actions.add_parser(
        'info', help='topics, rates, labeled frames, gaps and problems of bags',
        description='Read a bag once and show its contents, including what is damaged or will not be used.')
    action.add_argument('bags', metavar='BAG', nargs='+', help='folder or file')
    add_selection(action)
    action.add_argument('--json', action='store_true', help='print JSON')
    action.set_defaults(action=_info)


def add_selection(parser):
    """Add the options that select the topics of a bag and define its ground truth (see `open_selected`)."""
    parser.add_argument('--image-topic', metavar='TOPIC', help='images to use if a bag has several')
    parser.add_argument('--truth-topic', metavar='TOPIC',
                        help='ground truth to use (default: a topic called ground_truth)')
    parser.add_argument('--truth', metavar='KIND',
                        help='what its pixels mean, if the bag has no label map: labelIds, trainIds, camvid, '
                        'categoryIds, a mapping file (.yaml), or ids or color with --truth-labels')
    parser.add_argument('--truth-labels', metavar='SET',
                        help='label set of --truth: cityscapes, camvid, categories or a YAML file')


def open_selected(path, options):
    """Return the Bag at `path` as the options of `add_selection` say. Raises EspnetError."""
    truth = None
    if options.truth is None:
        check_bag(path)  # before the packages that read one are imported
    else:
        from espnet_ros.labels.truth import ground_truth
        truth = ground_truth(options.truth, options.truth_labels and get_label_set(options.truth_labels))
    from espnet_ros.bags.reader import open_bag
    return open_bag(path, options.image_topic, options.truth_topic, truth)


def run(options):
    options.action(options)
    return 0


def _create(options):
    datasets = [open_dataset(spec) for spec in options.datasets]
    from espnet_ros.bags.writer import write_bag
    from espnet_ros.cli.progress import Steps
    settings = BagSettings(options.camera, options.frame_id, options.rate, options.images, options.storage,
                           options.compression)
    with Steps(sum(map(len, datasets)), 'frames') as steps:
        count = write_bag(options.out, datasets, settings, steps.counted)
    print('{}: {} labeled frames of {}, {:.1f} s'.format(
        options.out, count, datasets[0].label_set.name, count / options.rate))


def _info(options):
    from espnet_ros.cli.progress import working
    described = []
    for path in options.bags:
        with working('reading ' + path), open_selected(path, options) as bag:
            described.append(_described(bag.summary()))
    if options.json:
        print(json.dumps(described, indent=2))
        return
    for number, bag in enumerate(described):
        print('' if number == 0 else '\n', end='')
        _print(bag)


def _described(summary):
    return {
        'paths': list(summary.paths), 'bytes': summary.size, 'start': summary.start / 1e9, 'end': summary.end / 1e9,
        'topics': [dict(t._asdict(), gaps=[{'after': g.start / 1e9, 'seconds': g.seconds} for g in t.gaps])
                   for t in summary.topics],
        'streams': [dict(s._asdict()) for s in summary.streams],
        'label_set': summary.label_set and label_set_to_dict(summary.label_set), 'problems': list(summary.problems)}


def _print(bag):
    from espnet_ros.cli.tables import print_table
    began = datetime.datetime.fromtimestamp(bag['start'], datetime.timezone.utc)
    print('{}: {:.1f} MB, {:.3f} s from {:%Y-%m-%d %H:%M:%S} UTC'.format(
        ', '.join(bag['paths']), bag['bytes'] / 1e6, bag['end'] - bag['start'], began))
    print_table(('TOPIC', 'TYPE', 'MESSAGES', 'RATE'), [
        (t['name'], t['type'], str(t['messages']), '{:.2f} Hz'.format(t['rate'])) for t in bag['topics']], left=2)
    for stream in bag['streams']:
        print('frames: {} on {}, {} of them with ground truth{}{}'.format(
            stream['frames'], stream['image_topic'], stream['labeled'],
            stream['truth_topic'] and ' on ' + stream['truth_topic'],
            ', {} with instances'.format(stream['instances']) if stream['instances'] else ''))
    if bag['label_set']:
        print('labels: {}, {} classes'.format(bag['label_set']['name'], len(bag['label_set']['classes'])))
    for topic in bag['topics']:
        for gap in topic['gaps']:
            print('gap: {} is silent for {:.3f} s after {:.3f} s'.format(
                topic['name'], gap['seconds'], gap['after'] - bag['start']))
    for text in bag['problems']:
        print('problem: ' + text)
