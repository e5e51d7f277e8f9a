"""`espnet-ros evaluate`: accuracy and latency of a model on labeled frames."""
import argparse
import contextlib
import os
import pathlib
import re
import sys
import typing

from espnet_ros import models
from espnet_ros.bags.paths import check_bag
from espnet_ros.cli.bag import add_selection, open_selected
from espnet_ros.cli.ground import add_scans, scan_settings
from espnet_ros.cli.nodes import ros, segmentation_node
from espnet_ros.cli.options import above_zero, add_model, add_size, share, size_of, whole
from espnet_ros.datasets import SPECS, is_spec, open_dataset
from espnet_ros.engine import BACKENDS, PRECISIONS, UPSAMPLINGS
from espnet_ros.errors import EngineError, EspnetError, ParameterError
from espnet_ros.evaluation.protocols import PROTOCOLS

DESCRIPTION = """Measure the accuracy and latency of a model on every frame of bags and datasets. DIR gets
  report.html      a page to look at
  metrics.json     the scores, with the keys of cityscapesScripts
  frames.jsonl     scores, latency and confusion of each frame
  confusion.csv    pixels by ground truth and prediction
  progress.jsonl   what is done: the same command resumes an interrupted evaluation
Besides bags, these datasets are accepted:
""" + ''.join('  {}\n'.format(line) for line in SPECS.splitlines()) + """
Classes are compared if the ground truth has the model's classes, otherwise the 7 Cityscapes
categories. Predicted labels have the size of the image; if the ground truth has another size,
they are resized to it with nearest neighbor. Scores are printed in percent; a limit is written
0.9 or 90%.
With --through-ros the images are published to a segmentation node: latency is then the time from
publishing an image to receiving its labels. With --rate, a node that is too slow drops images as
on a robot; coverage, dropped images and the age of the labels show it.
The exit code is 1 if a limit (--min-..., --max-...) is not met."""

CONNECT_SECONDS, BUILD_SECONDS = 60.0, 3600.0
"""Time limits for finding a segmentation node with its model loaded, and for building its engine."""
SCANNED = 500
"""Frames of each bag whose scans are scored: the model runs on them once more."""


class Limit(typing.NamedTuple):
    """A limit of a value: its option, the name of the value, and how to get it from Statistics."""

    option: str
    name: str
    value: typing.Callable
    is_upper: bool
    note: str = ''

    def broken(self, statistics, bound):
        """Return a sentence if the limit is not met, None otherwise; an undefined value meets no limit."""
        value = self.value(statistics)
        if value <= bound if self.is_upper else value >= bound:
            return None
        return '{} is {}, {} the limit of {} (--{})'.format(
            self.name, self._in_words(value),
            'above' if value > bound else 'below' if value < bound else 'which does not meet', self._in_words(bound),
            self.option)

    def _in_words(self, value):
        return '{:.4g} s'.format(value) if self.is_upper else '{:.4g} %'.format(100 * value)


LIMITS = (
    Limit('min-category-miou', 'category mIOU', lambda s: s.category_miou, False),
    Limit('min-class-miou', 'class mIOU', lambda s: s.class_miou, False),
    Limit('min-coverage', 'coverage', lambda s: s.coverage, False),
    Limit('max-latency-p95', '95th percentile of the latency', lambda s: s.latency(95), True,
          '; offline, frames are then processed one at a time, without threads that decode and score other frames; '
          'several --workers, or --ray, still share the machine'))


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    parser.add_argument('bags', metavar='BAG', nargs='+',
                        help='rosbag2 folder, .mcap, .db3 or ROS 1 .bag file, or a dataset')
    add_model(parser, models.DEFAULT)
    add('--out', 'folder for the report', metavar='DIR', default='evaluation')
    parser.add_argument('--restart', action='store_true', help='discard the results of an earlier evaluation in DIR')
    add_selection(parser)
    scans = parser.add_argument_group('scans', 'The ground node\'s scans of the labels are scored too where a bag has '
                                      'depth or a lidar, and the pose of its camera.')
    add_scans(scans, scans)
    scans.add_argument('--no-scans', dest='scans', action='store_false', help='do not score scans')
    add('--protocol', '; '.join('{}: {}'.format(*item) for item in PROTOCOLS.items()), choices=PROTOCOLS,
        default='cityscapes')
    add('--upsampling', 'bilinear: the logits are resized to the size of the image, not the labels, as in the paper; '
        'with --backend torch', choices=UPSAMPLINGS, default='nearest')
    parser.add_argument('--no-boundary', dest='outlines', action='store_false', help='do not compute boundary F1')
    add_size(parser)
    add('--backend', 'what runs the network: ' + ', '.join(BACKENDS), metavar='ENGINE', choices=BACKENDS,
        default='auto')
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--precision', 'of the computation', choices=PRECISIONS, default='auto')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--workers', metavar='N', type=whole(1, 1024), default=1,
                       help='processes on this machine (default: 1)')
    where.add_argument('--ray', metavar='ADDRESS', nargs='?', const='local',
                       help='run on the Ray cluster there, which sees the same files; auto: the one of this machine; '
                       'no address: a new one on this machine')
    where.add_argument('--through-ros', action='store_true', help='start a segmentation node and play the bags into it')
    where.add_argument('--node', metavar='NAME', type=_node, help='play the bags into the running segmentation node '
                       'of that full name, such as /espnet, which must run the model given as --model')
    parser.add_argument('--rate', type=above_zero, metavar='FACTOR', help='play at this multiple of the recorded rate '
                        "instead of waiting for the node's answer to each image")
    for limit in LIMITS:
        parser.add_argument('--' + limit.option, type=above_zero if limit.is_upper else share,
                            metavar='SECONDS' if limit.is_upper else 'SHARE',
                            help='fail if the {} is {}{}'.format(
                                limit.name, 'above' if limit.is_upper else 'below', limit.note))


def run(options):
    for text in options.bags:
        if not is_spec(text):
            if is_spec(text + ':') and not os.path.exists(text):
                open_dataset(text)  # says which form such a dataset has
            check_bag(text)  # wrong paths are told at once: what follows takes a second to import
    from espnet_ros.cli.evaluation_output import ProgressBar, summary
    from espnet_ros.evaluation.live import check_node
    from espnet_ros.evaluation.offline import Setup
    from espnet_ros.evaluation.scoring import compare_labels
    from espnet_ros.reports.pages import unique
    from espnet_ros.segmenter import input_size
    through_ros = options.through_ros or options.node
    if options.rate and not through_ros:
        raise ParameterError('--rate needs --through-ros or --node, which play bags into a node')
    if options.upsampling != 'nearest' and through_ros:
        raise ParameterError('--upsampling bilinear is for evaluation without ROS: a node publishes labels')
    if options.node and {options.backend, options.device, options.precision} != {'auto'}:
        raise ParameterError('--backend, --device and --precision have no effect on {}, which is already running; omit '
                             'them'.format(options.node))
    card = models.find(options.model).card
    width, height = input_size(card, *size_of(options))
    names = [text if _is_dataset(text) else os.path.realpath(text) for text in options.bags]
    if len(set(names)) < len(names):
        raise ParameterError('{} is given twice'.format(max(names, key=names.count)))
    if all(map(_is_dataset, options.bags)) and (
            options.image_topic or options.truth_topic or options.truth or options.truth_labels
            or options.camera_height or options.depth_topic or options.scan_topic):
        raise ParameterError('--image-topic, --truth-topic, --truth, --truth-labels and the options of scans are about '
                             'bags; a dataset such as {} has no topics and defines its labels'.format(options.bags[0]))
    with contextlib.ExitStack() as stack:
        sources = tuple(_open(text, options, stack) for text in options.bags)
        if not any(map(len, sources)):
            raise ParameterError('there are no images in {}: {}'.format(', '.join(options.bags), '; '.join(
                text for source in sources for text in source.problems) or 'it is empty'))
        comparisons = tuple(compare_labels(card.label_set, [source.label_set for source in sources]))
        setup = Setup(options.model, width, height, options.backend, options.device, options.precision, sources,
                      comparisons, options.protocol, options.outlines, _mode(options), options.max_latency_p95 is None,
                      options.upsampling, scan_settings(options)._replace(most=SCANNED) if options.scans else None)
        if not comparisons[0].by_class:
            _warn(['the ground truth does not have the classes of {} ({}): categories are compared; to compare '
                   'classes, choose a --model with those of the ground truth'.format(card.name, card.label_set.name)])
        known = [problem for source in sources for problem in source.problems]
        _warn(known)
        player = stack.enter_context(_player(options)) if through_ros else None
        if player is not None:
            check_node(card, (width, height), player)
            if options.through_ros:
                check_engine(options, player.engine())
        with ProgressBar() as bar:
            statistics = _evaluate(setup, options, player, bar)
    _warn(problem for problem in statistics.problems if problem not in known)
    engines = unique(engine for session in statistics.sessions for engine in session['engines'])
    _warn('{}; {} is used instead'.format(engine['fallback'], engine['backend'])
          for engine in engines if engine['fallback'])
    print(summary(card, statistics, options.out))
    broken = [limit.broken(statistics, bound) for limit, bound in _bounds(options) if limit.broken(statistics, bound)]
    for sentence in broken:
        print('espnet-ros: failed: ' + sentence, file=sys.stderr)
    return 1 if broken else 0


def _mode(options):
    from espnet_ros.evaluation.live import playback_mode
    from espnet_ros.evaluation.offline import OFFLINE, ONE_BY_ONE
    if options.through_ros or options.node:
        return playback_mode(options.rate)
    return OFFLINE if options.max_latency_p95 is None else ONE_BY_ONE


def _is_dataset(text):
    return is_spec(text) and not text.startswith('bag:') and not os.path.exists(text)


def _open(text, options, stack):
    """Return the FrameSource that an argument names."""
    if _is_dataset(text):
        from espnet_ros.evaluation.frames import DatasetFrames
        return DatasetFrames(open_dataset(text), name=text)
    is_prefixed = text.startswith('bag:') and not os.path.exists(text)
    return stack.enter_context(open_selected(text[len('bag:'):] if is_prefixed else text, options))


def check_engine(options, engine):
    """Raise EngineError if a node does not run as the options ask; engine: its EngineInfo, None if unknown."""
    if engine is None:
        return
    same = all(wanted in ('auto', found) for wanted, found in (
        (options.backend, engine.backend), (options.precision, engine.precision)))
    if not same or (options.device.startswith('cuda') and engine.device.startswith('CPU')):
        raise EngineError(engine.fallback or 'the node runs {} in {} on {}'.format(
            engine.backend, engine.precision, engine.device))


def _warn(problems):
    for problem in problems:
        print('espnet-ros: warning: ' + problem, file=sys.stderr)


def _evaluate(setup, options, player, bar):
    from espnet_ros.cli.progress import working
    from espnet_ros.evaluation.evaluate import evaluate
    from espnet_ros.evaluation.live import ThroughNode
    from espnet_ros.evaluation.ray_workers import RayCluster
    from espnet_ros.evaluation.workers import InProcess, Processes
    from espnet_ros.reports.report import write_report

    def open_workers(setup):
        if player is not None:
            return ThroughNode(setup, player, options.rate)
        if options.ray:
            return RayCluster(setup, options.ray)
        return Processes(setup, options.workers) if options.workers > 1 else InProcess(setup)

    try:
        evaluation = evaluate(setup, options.out, open_workers, options.restart, bar.update, working)
        write_report(options.out, evaluation)
        return evaluation.statistics
    except (KeyboardInterrupt, EspnetError) as error:
        if bar.done or isinstance(error, KeyboardInterrupt):
            print("espnet-ros: the results so far are kept in '{}'; run the same command to resume".format(options.out),
                  file=sys.stderr)
        raise


@contextlib.contextmanager
def _player(options):
    """Yield a Player that is connected to the running node or to one that is started for it."""
    ros('--through-ros')
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.replay import Player
    with contextlib.ExitStack() as stack:
        check = lambda: None  # noqa: E731
        if options.through_ros:
            width, height = size_of(options)
            check = stack.enter_context(segmentation_node(
                pathlib.Path(options.out) / 'logs', model=options.model, backend=options.backend,
                device=options.device, precision=options.precision, input_width=width, input_height=height,
                use_sim_time=True)).check
        player = stack.enter_context(spinning(lambda: Player(options.node or '/espnet', check)))
        player.connect(CONNECT_SECONDS, BUILD_SECONDS,
                       lambda text: print('espnet-ros: node: ' + text, file=sys.stderr))
        yield player


def _bounds(options):
    for limit in LIMITS:
        bound = getattr(options, limit.option.replace('-', '_'))
        if bound is not None:
            yield limit, bound


def _node(text):
    name = '/' + text.lstrip('/')
    if not re.fullmatch('(/[A-Za-z_][A-Za-z0-9_]*)+', name):
        raise argparse.ArgumentTypeError("'{}' is not the full name of a node, such as /espnet".format(text))
    return name
