"""`espnet-ros benchmark`: how fast models and engines are on this machine."""
import csv
import itertools
import json
import pathlib

from espnet_ros import models
from espnet_ros.cli.files import make_folder, pictures_at, replacing
from espnet_ros.cli.options import add_alias, size_or, whole
from espnet_ros.engine import BACKENDS, PRECISIONS

DESCRIPTION = """Measure the time from the bytes of a camera image to the bytes of its labels, and
compare it with the pipeline that ESPNet was published with (eager PyTorch in fp32, in the
authors' order of steps). Both work in alternating turns of five frames, each in a process of
its own, with the same thread settings. DIR gets
  benchmark.json    all numbers, the machine and the versions
  benchmark.csv     a row for each measurement
  benchmark.png     time against image size and accuracy (needs matplotlib)
Times are medians. "faster" is the median over the turns of the published pipeline's time
divided by this one's, "95%" its confidence interval. A row is marked with "?" if other
programs or the hypervisor took more than 5% of the CPU, the interval is wider than 25%, or
there were fewer than 6 turns, too few for 95%.
Models without weights on this machine are measured with random ones, which take as long.
Give several values to measure every combination. --cameras N
compares one process that serves N cameras with N processes, too: labels per second of
all cameras, age of the labels when all images come at the same time, and memory."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    def add_several(flag, text, former, **settings):
        add(flag, text, nargs='+', dest=former, **settings)
        add_alias(parser, '--' + former, former, nargs='+', **{
            key: value for key, value in settings.items() if key != 'default'})

    add_several('--model', 'names, model cards or weights files, or network families such as enet, with random weights',
                'models', metavar='MODEL', default=[models.DEFAULT])
    add_several('--size', 'of the network input, WIDTHxHEIGHT, or `card` for that of the model card', 'sizes',
                metavar='WxH', type=size_or('card'), default=['card'])
    add_several('--backend', 'engines: {}'.format(', '.join(BACKENDS)), 'backends', metavar='ENGINE', choices=BACKENDS,
                default=['auto'])
    add_several('--precision', 'of the computation: {}'.format(', '.join(PRECISIONS)), 'precisions',
                metavar='PRECISION', choices=PRECISIONS, default=['auto'])
    add('--camera', 'size of the camera image, WIDTHxHEIGHT, or `network`', metavar='WxH', type=size_or('network'),
        default='network')
    add('--cameras', 'numbers of cameras at the same time', metavar='N', nargs='+', type=whole(1, 64), default=[1])
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--repeats', 'turns that count, 6 or more for an interval of 95%%', metavar='N', type=whole(1), default=10)
    add('--warmup', 'turns before those, which do not count', metavar='N', type=whole(0), default=2)
    parser.add_argument('--images', metavar='IMAGE', nargs='+', default=(),
                        help='images or folders to use in place of the synthetic street')
    add('--out', 'folder to write to', metavar='DIR', type=pathlib.Path, default='benchmark')


def run(options):
    images = [path for text in options.images for path, _ in pictures_at(text)]
    from rich.console import Console

    from espnet_ros.cli.progress import Steps
    from espnet_ros.performance.benchmark import results
    from espnet_ros.performance.benchmark.cameras import measure_cameras
    from espnet_ros.performance.benchmark.measure import measure
    from espnet_ros.performance.environment import environment
    candidates = _candidates(options)
    make_folder(options.out)
    console = Console(highlight=False, markup=False)
    console.print('Benchmark of {}: {} measurements'.format(', '.join(options.models), len(candidates)))
    machine = environment()
    for name, text in machine:
        console.print('{:<12}{}'.format(name, text), soft_wrap=True)
    measurements, several = [], []
    count = len(candidates) + sum(candidate.cameras > 1 for candidate in candidates)
    with Steps(count * (options.warmup + options.repeats), 'turns') as steps:
        for candidate in candidates:
            steps.describe('{} {} {}x{}'.format(candidate.model, candidate.backend, candidate.width, candidate.height))
            measurements.append(measure(candidate, options.warmup, options.repeats, images, steps.advance))
            if candidate.cameras > 1:
                several.append(measure_cameras(candidate, options.warmup, options.repeats, images, steps.advance))
            _write(options.out, machine, measurements, several)  # each time: an interruption loses only one
    console.print()
    console.print(results.tables([results.row(m) for m in measurements]))
    if several:
        console.print(results.cameras_table(several))
    console.print('\n{} in {}'.format(_plotted(options.out, measurements), options.out), soft_wrap=True)
    return 1 if any(m.problem for m in measurements + several) else 0


def _candidates(options):
    from espnet_ros.performance.benchmark.measure import Candidate
    from espnet_ros.segmenter import input_size  # loads OpenCV
    found = []
    for name, size, backend, precision, cameras in itertools.product(
            options.models, options.sizes, options.backends, options.precisions, options.cameras):
        card = models.card_for_speed(name)[0]
        width, height = input_size(card, *(() if size == 'card' else size))
        camera = (width, height) if options.camera == 'network' else options.camera
        found.append(Candidate(name, width, height, camera[0], camera[1], backend, options.device, precision, cameras))
    return found


def _write(folder, machine, measurements, several):
    from espnet_ros.performance.benchmark import results
    with replacing(folder / 'benchmark.json') as path:
        path.write_text(json.dumps({'machine': dict(machine), 'measurements': [
            results.as_data(m) for m in measurements], 'cameras': [results.cameras_as_data(m) for m in several]},
            indent=1))
    with replacing(folder / 'benchmark.csv') as path, path.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, results.COLUMNS)
        writer.writeheader()
        writer.writerows(results.row(m) for m in measurements)


def _plotted(folder, measurements):
    """Draw the plots and return the names of all files."""
    from espnet_ros.performance.benchmark.plot import plot
    accuracies = {(card.name, card.input_width, card.input_height): (data_set, value['class mIOU'])
                  for card in (entry.card for entry in models.available())
                  for data_set, value in list(card.results.items())[:1] if 'class mIOU' in value}
    try:
        with replacing(folder / 'benchmark.png') as path:
            plot(measurements, accuracies, path)
    except ImportError:
        return 'benchmark.json and benchmark.csv (no plots: matplotlib is not installed)'
    return 'benchmark.json, benchmark.csv and benchmark.png'
