"""`espnet-ros bag`: make evaluation bags, look into bags."""
import argparse
import datetime
import json

import tqdm

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.writer import COMPRESSIONS, IMAGES, STORAGES, BagSettings, write_bag
from espnet_ros.datasets import SPECS, ground_truth, open_dataset
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
                                description=_CREATE, formatter_class=argparse.RawDescriptionHelpFormatter)
    action.add_argument('datasets', metavar='DATASET', nargs='+', help='see above; several are joined')
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
        description='Read a bag once and show what is in it. What is damaged or will not be used is named.')
    action.add_argument('bags', metavar='BAG', nargs='+', help='folder or file')
    add_selection(action)
    action.add_argument('--json', action='store_true', help='for programs')
    action.set_defaults(action=_info)


def add_selection(parser):
    """Add the options that say which topics of a bag count, and what the ground truth means (see `open_selected`)."""
    parser.add_argument('--image-topic', metavar='TOPIC', help='images to take, where a bag has several')
    parser.add_argument('--truth-topic', metavar='TOPIC',
                        help='ground truth to take (default: a topic called ground_truth)')
    parser.add_argument('--truth', metavar='KIND',
                        help='what its pixels mean, where the bag does not say it: labelIds, trainIds, camvid, '
                        'categoryIds, a mapping file (.yaml), or ids or color with --truth-labels')
    parser.add_argument('--truth-labels', metavar='SET',
                        help='label set of --truth: cityscapes, camvid, categories or a YAML file')


def open_selected(path, options):
    """Return the Bag at `path` as the options of `add_selection` say. Raises EspnetError."""
    truth = None
    if options.truth is not None:
        truth = ground_truth(options.truth, options.truth_labels and get_label_set(options.truth_labels))
    return open_bag(path, options.image_topic, options.truth_topic, truth)


def run(options):
    options.action(options)
    return 0


def _create(options):
    datasets = [open_dataset(spec) for spec in options.datasets]
    total = sum(map(len, datasets))
    settings = BagSettings(options.camera, options.frame_id, options.rate, options.images, options.storage,
                           options.compression)
    count = write_bag(options.out, datasets, settings,
                      lambda items: tqdm.tqdm(items, total=total, unit='frame', disable=None))
    print('{}: {} labeled frames of {}, {:.1f} s'.format(
        options.out, count, datasets[0].label_set.name, count / options.rate))


def _info(options):
    described = []
    for path in options.bags:
        with open_selected(path, options) as bag:
            described.append(_described(bag.summary()))
    print(json.dumps(described, indent=2) if options.json else '\n\n'.join(map(_text, described)))


def _described(summary):
    return {
        'paths': list(summary.paths), 'bytes': summary.size, 'start': summary.start / 1e9, 'end': summary.end / 1e9,
        'topics': [dict(t._asdict(), gaps=[{'after': g.start / 1e9, 'seconds': g.seconds} for g in t.gaps])
                   for t in summary.topics],
        'streams': [dict(s._asdict()) for s in summary.streams],
        'label_set': summary.label_set and label_set_to_dict(summary.label_set), 'problems': list(summary.problems)}


def _text(bag):
    began = datetime.datetime.fromtimestamp(bag['start'], datetime.timezone.utc)
    lines = ['{}: {:.1f} MB, {:.3f} s from {:%Y-%m-%d %H:%M:%S} UTC'.format(
        ', '.join(bag['paths']), bag['bytes'] / 1e6, bag['end'] - bag['start'], began)]
    rows = [('TOPIC', 'TYPE', 'MESSAGES', 'RATE')]
    rows += [(t['name'], t['type'], str(t['messages']), '{:.2f} Hz'.format(t['rate'])) for t in bag['topics']]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines += ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    for stream in bag['streams']:
        lines.append('frames: {} on {}, {} of them with ground truth{}'.format(
            stream['frames'], stream['image_topic'], stream['labeled'],
            stream['truth_topic'] and ' on ' + stream['truth_topic']))
        if stream['instances']:
            lines[-1] += ', {} with instances'.format(stream['instances'])
    if bag['label_set']:
        lines.append('labels: {}, {} classes'.format(bag['label_set']['name'], len(bag['label_set']['classes'])))
    lines += ['gap: {} is silent for {:.3f} s after {:.3f} s'.format(
        t['name'], gap['seconds'], gap['after'] - bag['start']) for t in bag['topics'] for gap in t['gaps']]
    return '\n'.join(lines + ['problem: ' + text for text in bag['problems']])
