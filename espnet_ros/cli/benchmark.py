"""`espnet-ros benchmark`: how fast models and engines are on this machine."""
import csv
import itertools
import json
import pathlib
import re
import sys

import tqdm

from espnet_ros import models
from espnet_ros.cli.files import make_folder, pictures_at, replacing
from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.errors import ParameterError
from espnet_ros.performance import environment
from espnet_ros.performance.benchmark import Candidate, measure, results
from espnet_ros.segmenter import input_size

DESCRIPTION = """Measure how long models take from the bytes of a camera's image to the bytes of its
labels, each beside the pipeline that ESPNet was published with (eager PyTorch in fp32, in the
authors' order of steps), in turns of five frames on the same machine. Every pipeline runs in
its own process. DIR gets
  benchmark.json    all numbers, the machine and the versions
  benchmark.csv     the table that is printed
  benchmark.png     time against image size and against accuracy (needs matplotlib)
A model whose weights are not fetched is measured with random ones, which take as long in the same
precision. Times are medians; quiet the machine first. Give several values for the whole grid of them."""

SIZE = re.compile(r'([0-9]{1,5})x([0-9]{1,5})\Z')


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add('--models', 'names, model cards or weights files, or network families such as enet, with random weights',
        metavar='M', nargs='+', default=[models.DEFAULT])
    add('--backends', 'engines', metavar='B', nargs='+', choices=BACKENDS, default=['auto'])
    add('--precisions', 'of the computation', metavar='P', nargs='+', choices=PRECISIONS, default=['auto'])
    add('--sizes', 'of the network input, WIDTHxHEIGHT, or `card` for that in the model card', metavar='S', nargs='+',
        type=_size, default=['card'])
    add('--camera', 'size of the camera image, WIDTHxHEIGHT, or `network`', metavar='S', type=_size, default='network')
    add('--cameras', 'how many cameras work at once, each in its own process', metavar='N', nargs='+', type=int,
        default=[1])
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--repeats', 'turns of five frames that count', type=int, default=10)
    add('--warmup', 'turns before them', type=int, default=2)
    parser.add_argument('--images', metavar='IMAGE', nargs='+', default=(),
                        help='images or folders to use in place of the synthetic street')
    add('--out', 'folder to write to', metavar='DIR', type=pathlib.Path, default='benchmark')


def run(options):
    for name, least in (('repeats', 1), ('warmup', 0)):
        if getattr(options, name) < least:
            raise ParameterError('--{} is {}; it must be {} or more'.format(name, getattr(options, name), least))
    candidates = _candidates(options)
    images = [path for text in options.images for path in pictures_at(text)]
    make_folder(options.out)
    machine = environment.environment()
    print('\n'.join('{:<12}{}'.format(*item) for item in machine) + '\n')
    measurements = []
    with tqdm.tqdm(total=len(candidates) * (options.warmup + options.repeats), unit='turn', file=sys.stderr,
                   disable=None) as bar:
        for candidate in candidates:
            bar.set_description('{} {} {}x{}'.format(candidate.model, candidate.backend, candidate.width,
                                                     candidate.height))
            measurements.append(measure(candidate, options.warmup, options.repeats, images, bar.update))
            _write(options.out, machine, measurements)  # each time: what was measured is kept
    print(results.table([results.row(m) for m in measurements]))
    print('\n{} in {}'.format(_plotted(options.out, measurements), options.out))
    return 1 if any(m.problem for m in measurements) else 0


def _candidates(options):
    found = []
    for name, size, backend, precision, cameras in itertools.product(
            options.models, options.sizes, options.backends, options.precisions, options.cameras):
        if cameras < 1:
            raise ParameterError('--cameras is {}; it must be 1 or more'.format(cameras))
        card = models.card_for_speed(name)[0]
        width, height = input_size(card, *(() if size == 'card' else size))
        camera = (width, height) if options.camera == 'network' else options.camera
        found.append(Candidate(name, width, height, camera[0], camera[1], backend, options.device, precision, cameras))
    return found


def _write(folder, machine, measurements):
    with replacing(folder / 'benchmark.json') as path:
        path.write_text(json.dumps({'machine': dict(machine), 'measurements': [
            results.as_data(m) for m in measurements]}, indent=1))
    with replacing(folder / 'benchmark.csv') as path, path.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, results.COLUMNS)
        writer.writeheader()
        writer.writerows(results.row(m) for m in measurements)


def _plotted(folder, measurements):
    """Draw the plots and return the names of all files."""
    accuracies = {(card.name, card.input_width, card.input_height): value['class mIOU']
                  for card in (entry.card for entry in models.available())
                  for value in list(card.results.values())[:1] if 'class mIOU' in value}
    try:
        with replacing(folder / 'benchmark.png') as path:
            results.plot(measurements, accuracies, path)
    except ImportError:
        return 'benchmark.json and benchmark.csv (no plots: matplotlib is not installed)'
    return 'benchmark.json, benchmark.csv and benchmark.png'


def _size(text):
    match = SIZE.match(text)
    if match:
        return int(match.group(1)), int(match.group(2))
    if text in ('card', 'network'):
        return text
    raise ValueError(text)


_size.__name__ = 'size'  # what argparse calls it in its messages
