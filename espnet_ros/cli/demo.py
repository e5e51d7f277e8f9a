"""`espnet-ros demo`: camera, segmentation, ground and diagnostics as real ROS nodes, watched for some seconds."""
import contextlib
import os
import pathlib
import shutil
import sys
import time

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.cli.files import make_folder, write_image, writing_video
from espnet_ros.cli.nodes import Nodes, ros
from espnet_ros.cli.options import above_zero, add_model, add_size, size_of
from espnet_ros.errors import EspnetError
from espnet_ros.labels import CITYSCAPES

DESCRIPTION = """Run camera, segmentation and diagnostics as real ROS nodes on this machine, show them live in a browser
page, and leave a picture, a video and logs. Where the camera publishes ground truth, as the street's does, some of
its images become a bag, on which the model is evaluated at the end, and the picture shows free space in meters and the
grid from above: the pose of that camera is known. The nodes are not visible on the network."""

STREET = {'width': 480, 'height': 360, 'rate': 22.0}
"""Pixels and Hz of the synthetic camera: the default model's input size, so that two cores do for both."""
VIDEO_RATE = 5
GROUND = {'max_rate': 5.0, 'grid_size': 40.0}
"""Parameters of the ground node: few pictures, so that two cores do for it too, and a grid as far as it sees."""
START_SECONDS = 120.0
ENOUGH_CORES, FEWER_PIXELS = 4, 0.7
"""With fewer cores this share of the network's sides, which keeps the frame rate; on CamVid val it costs 1.6 points of
class mIOU."""
_ROOM = 512 << 20
"""Bytes free in /dev/shm; the nodes take 32 MiB each."""
RECORDED, RECORDED_EVERY = 30, 8
"""Images in the bag at most, and one of so many that arrive: neighbors are alike."""


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument('--source', metavar='SOURCE', default='street',
                        help='street, street:SEED, a video, a folder of images, a webcam index or an RTSP address '
                             '(default: %(default)s)')
    add_model(parser, models.DEFAULT)
    parser.add_argument('--seconds', metavar='S', type=above_zero, default=15.0,
                        help='how long, from the first output on (default: %(default)g)')
    add_size(parser, 'of the camera', 'own', '{width}x{height} for the street, else as it comes'.format(**STREET))
    parser.add_argument('--rate', type=above_zero, metavar='HZ',
                        help='of the camera (default: {rate:g} for the street, else as it comes)'.format(**STREET))
    parser.add_argument('--out', metavar='DIR', type=pathlib.Path, default=pathlib.Path('demo'),
                        help='folder for pictures and logs (default: %(default)s)')


def run(options):
    """Run the demo; return the exit code."""
    ros('the demo')
    from espnet_ros.clients.domain import private_domain, private_environment
    from espnet_ros.clients.watcher import watching
    from espnet_ros.images.sources import open_source, street_seed
    from espnet_ros.scene import mount_of
    given = {name: value for name, value in zip(STREET, (*size_of(options), options.rate)) if value}
    seed = street_seed(options.source)
    camera = given if seed is None else dict(STREET, **given)
    if seed is None:
        open_source(options.source)  # says what is wrong before anything starts
    parameters = _input(options.model)
    make_folder(options.out / 'logs')
    recording = _Recording()
    with contextlib.ExitStack() as stack:
        environment = private_environment(stack.enter_context(private_domain()))
        environment.update(_room_for_images(environment))
        os.environ.clear()
        os.environ.update(environment)
        nodes = stack.enter_context(Nodes(options.out / 'logs'))
        print('starting; the nodes log to {}'.format(nodes.logs), flush=True)
        nodes.start_page()
        nodes.start('segmentation', 'image:=image_raw', model=options.model, **parameters)
        # It draws the street while the engine is built: afterwards the network has the processor to itself.
        nodes.start('camera', source=options.source, loop=True, **camera)
        nodes.start('diagnostics')
        recorder = stack.enter_context(_Recorder(options.out))
        watcher = stack.enter_context(watching('/espnet', recorder.add, VIDEO_RATE, recording.add,
                                               None if seed is None else '/ground'))
        progress = _Progress(watcher, nodes)
        progress.follow(lambda view: view.frames)
        if seed is not None:
            # Only now: it shall not delay the first output.
            nodes.start('ground', 'image:=image_raw', *('{0}:=/espnet/{0}'.format(name) for name in (
                'labels', 'label_map', 'camera_info')), camera_height=mount_of(seed), **GROUND)
        progress.follow(lambda view: view.pictures)
        end = time.monotonic() + options.seconds
        progress.follow(lambda view: time.monotonic() > end)
    view = watcher.view()
    print('{} frames answered\n  {}   the last one\n  {}   video\n  {}   logs of the nodes'.format(
        view.frames, options.out / 'overlay.png', options.out / 'overlay.mp4', options.out / 'logs'))
    code = recording.evaluate(options.out, options.model) if recording.frames else 0
    print('On a robot: ros2 launch espnet_ros segment.launch.py image:=/your/camera/image_raw')
    report = options.out / 'evaluation' / 'report.html'
    if recording.frames and code == 0:
        print('Report: {}'.format(report.resolve().as_uri()))
    return code


def _input(model):
    """Return the size of the network's input as parameters: on few cores that of the default model is made smaller."""
    card = models.find(model).card
    if model != models.DEFAULT or len(os.sched_getaffinity(0)) >= ENOUGH_CORES:
        return {}
    width, height = (round(FEWER_PIXELS * side / 8) * 8 for side in (card.input_width, card.input_height))
    print('few cores: the network gets {}x{} instead of {}x{}'.format(
        width, height, card.input_width, card.input_height))
    return {'input_width': width, 'input_height': height}


def _room_for_images(environment):
    """Return variables that give each node shared memory for several images, where there is enough of it.

    By default it holds one image at most: a subscriber that gets too little of the processor loses all that come.
    """
    from espnet_ros.diagnostics.checkup import DDS_PROFILES
    with contextlib.suppress(OSError):  # no shared memory at all
        if shutil.disk_usage('/dev/shm').free > _ROOM and not any(environment.get(name) for name in DDS_PROFILES):
            return dict.fromkeys(DDS_PROFILES, os.path.join(models.config_directory(), 'fastdds.xml'))
    return {}


class _Progress:
    """Prints a live line, and the page's address once it is there."""

    def __init__(self, watcher, nodes):
        self._watcher = watcher
        self._nodes = nodes
        self._has_page = False

    def follow(self, is_done):
        """Print until is_done(view) is true; raise EspnetError when a node fails or nothing moves for START_SECONDS."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._announce_page()
            self._nodes.check()
            view = self._watcher.view()
            if view.failed:
                raise EspnetError('the segmentation node reports: {}'.format(view.engine))
            if is_done(view):
                break
            if not view.pictures and time.monotonic() > deadline:
                raise EspnetError('no output after {:.0f} s; see the logs in {}'.format(
                    START_SECONDS, self._nodes.logs))
            _print_line(_line(view))
            time.sleep(0.25 if sys.stdout.isatty() else 1.0)
        sys.stdout.write('\n' if sys.stdout.isatty() else '')

    def _announce_page(self):
        if self._has_page:
            return
        lines = self._nodes.lines('page')
        if len(lines) > 1:
            _print_line('')
            print('\n'.join(lines), flush=True)
        elif not self._nodes.is_running('page'):
            print('no live page: {}'.format(' '.join(lines[-1:])), flush=True)
        self._has_page = len(lines) > 1 or not self._nodes.is_running('page')


def _line(view):
    if not view.frames:
        return 'engine: {}'.format(view.engine)
    accuracy = '' if view.miou != view.miou else ' | category mIOU {:.1f}%'.format(100 * view.miou)
    return '{:.1f} fps | {:.0f} ms from camera to labels | {} answered, {} dropped{}'.format(
        view.rate, 1000 * view.latency, view.frames, view.dropped, accuracy)


def _print_line(text):
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1  # a longer line would begin a new one each time
        sys.stdout.write('\r' + text[:width].ljust(width) + '\r' * (not text))
        sys.stdout.flush()
    elif text:
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
        from espnet_ros.datasets.base import Memory
        bag = folder / 'evaluation' / 'demo'  # not where the user's own recordings may be: it is replaced
        shutil.rmtree(bag, ignore_errors=True)
        write_bag(bag, [Memory('demo', CITYSCAPES, self.frames)])
        print('\nespnet-ros evaluate {} --model {}'.format(bag, model), flush=True)
        return main(['evaluate', str(bag), '--model', model, '--out', str(folder / 'evaluation'), '--restart'])


class _Recorder:
    """Writes pictures to overlay.mp4 in real time, and the last one to overlay.png."""

    def __init__(self, folder):
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._write = None
        self._first = self._size = self._picture = None
        self._written = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()
        if self._picture is not None:
            write_image(self._folder / 'overlay.png', self._picture)

    def add(self, seconds, picture):
        """Show `picture` from `seconds` on; the one before it stays until then."""
        if self._write is None:
            self._size = picture.shape[1::-1]
            self._write = self._stack.enter_context(writing_video(self._folder / 'overlay.mp4', VIDEO_RATE))
            self._first = seconds
        while self._picture is not None and self._written < round((seconds - self._first) * VIDEO_RATE):
            self._write(self._picture)
            self._written += 1
        from espnet_ros.images.resize import resize_for_viewing  # loads OpenCV
        # A video has one size.
        self._picture = resize_for_viewing(picture, *self._size)
