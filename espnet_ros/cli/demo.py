"""`espnet-ros demo`: camera, segmentation and diagnostics as real ROS nodes, watched for some seconds."""
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time

import cv2

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.cli.files import make_folder
from espnet_ros.cli.nodes import Nodes, ros
from espnet_ros.errors import EspnetError
from espnet_ros.images.resize import resize_for_viewing
from espnet_ros.labels import CITYSCAPES

DESCRIPTION = """Run camera, segmentation and diagnostics as real ROS nodes on this machine, show how they do in one
live line, and leave pictures. Where the camera tells the ground truth, as the street's does, some of its images
become a bag, on which the model is evaluated at the end. Nothing else on the network sees them."""

STREET = {'width': 640, 'height': 480, 'rate': 15.0}
"""Pixels and Hz of the synthetic camera."""
VIDEO_RATE = 15
START_SECONDS = 120.0
RECORDED, RECORDED_EVERY = 30, 8
"""At most so many images go into the bag, and one of so many that come: neighbors tell the same."""


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument('--source', default='street',
                        help='street, street:SEED, a video, a folder of images, a webcam index or an RTSP address '
                             '(default: %(default)s)')
    parser.add_argument('--model', default=models.DEFAULT, help='model to run (default: %(default)s)')
    parser.add_argument('--seconds', type=float, default=15.0, help='how long, from the first output on '
                                                                    '(default: %(default)g)')
    for name, value in STREET.items():
        parser.add_argument('--' + name, type=type(value), help='{} of the camera (default: {:g} for the street, else '
                                                                'as it comes)'.format(name, value))
    parser.add_argument('--out', type=pathlib.Path, default=pathlib.Path('demo'),
                        help='folder for pictures and logs (default: %(default)s)')


def run(options):
    """Run the demo; return the exit code."""
    ros('the demo')
    from espnet_ros.clients.domain import private_domain, private_environment
    from espnet_ros.clients.watcher import watching
    make_folder(options.out / 'logs')
    given = {name: getattr(options, name) for name in STREET if getattr(options, name) is not None}
    camera = dict(STREET, **given) if options.source.startswith('street') else given
    recording = _Recording()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the contexts below, which end the nodes
    with contextlib.ExitStack() as stack:
        environment = private_environment(stack.enter_context(private_domain()))
        os.environ.clear()
        os.environ.update(environment)
        recorder = stack.enter_context(_Recorder(options.out))
        watcher = stack.enter_context(watching('/espnet', recorder.add, recording.add))
        nodes = stack.enter_context(Nodes(options.out / 'logs'))
        nodes.start('diagnostics')
        nodes.start('segmentation', remap='image:=image_raw', model=options.model)
        nodes.start('camera', source=options.source, loop=True, **camera)
        _watch(watcher, nodes, options.seconds)
    view = watcher.view()
    print('{} frames segmented. Look at:\n  {}   the last frame\n  {}   all of them\n  {}   what the nodes said'.format(
        view.frames, options.out / 'overlay.png', options.out / 'overlay.mp4', options.out / 'logs'))
    code = recording.evaluate(options.out, options.model) if recording.frames else 0
    print('On a robot: ros2 launch espnet_ros segment.launch.py image:=/your/camera/image_raw')
    return code


def _watch(watcher, nodes, seconds):
    """Print a live line until `seconds` after the first output."""
    began = time.monotonic()
    first = None
    while first is None or time.monotonic() < first + seconds:
        time.sleep(0.5 if sys.stdout.isatty() else 1.0)
        nodes.check()
        view = watcher.view()
        if first is None and view.frames:
            first = time.monotonic()
        if view.failed:
            raise EspnetError('the segmentation node says: {}'.format(view.engine))
        if first is None and time.monotonic() > began + START_SECONDS:
            raise EspnetError('no output after {:.0f} s; see the logs in {}'.format(START_SECONDS, nodes.logs))
        _print_line(_line(view))
    sys.stdout.write('\n' if sys.stdout.isatty() else '')


def _line(view):
    if not view.frames:
        return 'engine: {}'.format(view.engine)
    accuracy = '' if view.miou != view.miou else ' | category mIOU {:.1f}%'.format(100 * view.miou)
    return '{:.1f} fps | latency {:.0f} ms | {} frames, {} dropped for newer ones{}'.format(
        view.rate, 1000 * view.latency, view.frames, view.dropped, accuracy)


def _print_line(text):
    if sys.stdout.isatty():
        sys.stdout.write('\r' + text.ljust(90))
        sys.stdout.flush()
    else:
        print(text, flush=True)


class _Recording:
    """Camera images with ground truth, kept for a bag."""

    def __init__(self):
        self.frames = []
        self._seen = 0

    def add(self, image, labels):
        """Keep some of the images."""
        if self._seen % RECORDED_EVERY == 0 and len(self.frames) < RECORDED:
            self.frames.append((image.copy(), labels.copy()))
        self._seen += 1

    def evaluate(self, folder, model):
        """Write the bag and evaluate the model on it, as a user would; return the evaluation's exit code."""
        # Only here: without a recording the demo needs neither.
        from espnet_ros.bags.writer import write_bag
        from espnet_ros.datasets import Memory
        bag = folder / 'recording'
        shutil.rmtree(bag, ignore_errors=True)
        write_bag(bag, [Memory('demo', CITYSCAPES, self.frames)])
        print('\nespnet-ros evaluate {} --model {}'.format(bag, model), flush=True)
        return main(['evaluate', str(bag), '--model', model, '--out', str(folder / 'evaluation'), '--restart'])


class _Recorder:
    """Writes overlays to overlay.mp4 in real time, and the last one to overlay.png."""

    def __init__(self, folder):
        self._folder = folder
        self._writer = None
        self._first = self._size = self._picture = None
        self._written = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._writer is not None:
            self._writer.release()
            os.replace(self._folder / 'partial.mp4', self._folder / 'overlay.mp4')
            cv2.imwrite(str(self._folder / 'overlay.png'), self._picture)

    def add(self, seconds, picture):
        """Show `picture` from `seconds` on; the one before it stays until then."""
        if self._writer is None:
            self._size = picture.shape[1::-1]
            self._writer = cv2.VideoWriter(str(self._folder / 'partial.mp4'), cv2.VideoWriter_fourcc(*'mp4v'),
                                           VIDEO_RATE, self._size)
            if not self._writer.isOpened():
                raise EspnetError('OpenCV cannot write a video in {} here'.format(self._folder))
            self._first = seconds
        while self._picture is not None and self._written < round((seconds - self._first) * VIDEO_RATE):
            self._writer.write(self._picture)
            self._written += 1
        # The file has one size, and OpenCV skips frames of any other without a word.
        self._picture = resize_for_viewing(picture, *self._size)
