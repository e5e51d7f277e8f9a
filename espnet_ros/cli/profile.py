"""`espnet-ros profile`: where a model's time, energy and memory go on this machine."""
import csv
import json
import pathlib
import re
import sys

from espnet_ros import models
from espnet_ros.cli.files import make_folder, replacing
from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.errors import ParameterError

DESCRIPTION = """Measure what the paper measures in its section 4.4 and appendices C to E, for any model on
this machine: time of each layer and kernel, load, memory and power over time, energy of a
frame, the distance from what the machine can do (roofline), hardware counters through perf,
and on an NVIDIA GPU the efficiency of warps and memory accesses through nvprof or Nsight
Compute, and the sensitivity to the GPU's clock. DIR gets
  profile.json     all numbers
  layers.csv       each module of the network, kernels.csv, timeline.csv
  profile.png      utilization over time, layers, kernels, roofline (needs matplotlib)
What the machine does not tell is named, with the remedy. Quiet the machine first.
--frequencies holds the GPU's clock (as root) and lets it go afterwards, whatever happens."""

SIZE = re.compile(r'([0-9]{1,5})x([0-9]{1,5})\Z')


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add('--model', 'name of `espnet-ros models list`, model card (.yaml) or weights file', metavar='M',
        default=models.DEFAULT)
    add('--size', 'of the network input, WIDTHxHEIGHT, or `card` for that in the model card', metavar='S', type=_size,
        default='card')
    add('--backend', 'engine; its layers are shown as PyTorch runs them', choices=BACKENDS, default='auto')
    add('--precision', 'of the computation', choices=PRECISIONS, default='auto')
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--seconds', 'how long the model works while the machine is watched', type=float, default=10.0)
    parser.add_argument('--frequencies', metavar='MHZ', nargs='*', type=float,
                        help='clocks of the GPU to compare, or some over its range; left alone without this')
    add('--top', 'how many layers and kernels are printed', type=int, default=10)
    add('--out', 'folder to write to', metavar='DIR', type=pathlib.Path, default='profile')


def run(options):
    for name, low, high in (('seconds', 1, 3600), ('top', 1, 1000)):
        if not low <= getattr(options, name) <= high:
            raise ParameterError('--{} is {}; it must be from {} to {}'.format(
                name, getattr(options, name), low, high))
    if any(not 0 < frequency < 1e5 for frequency in options.frequencies or ()):
        raise ParameterError('--frequencies are in MHz, as 1134.75')
    make_folder(options.out)
    # Only now: the engines change how this process keeps memory.
    from espnet_ros.performance.profile import report
    from espnet_ros.performance.profile.profile import profile
    from espnet_ros.performance.profile.subject import prepare

    def say(text):
        print('measuring: ' + text, file=sys.stderr, flush=True)
    size = (0, 0) if options.size == 'card' else options.size
    subject = prepare(options.model, size[0], size[1], options.backend, options.device, options.precision)
    found = profile(subject, options.model, options.seconds, options.frequencies, say)
    with replacing(options.out / 'profile.json') as path:
        path.write_text(json.dumps(report.as_data(found), indent=1))
    kernels = [(engine,) + row for engine in found.kernels for row in report.kernel_rows(found, engine)]
    for name, columns, rows in (('layers', report.PART_COLUMNS, report.part_rows(found)),
                                ('kernels', ('engine',) + report.KERNEL_COLUMNS, kernels),
                                ('timeline',) + report.timeline_rows(found)):
        with replacing(options.out / (name + '.csv')) as path, path.open('w', newline='') as stream:
            csv.writer(stream).writerows([columns] + [list(row) for row in rows])
    print(report.summary(found, options.top))
    print('\n{} in {}'.format(_plotted(options.out, found), options.out))
    return 1 if options.frequencies is not None and not found.frequencies else 0


def _plotted(folder, found):
    """Draw the plots and return the names of all files."""
    from espnet_ros.performance.profile.plots import draw
    try:
        with replacing(folder / 'profile.png') as path:
            draw(found, path)
    except ImportError:
        return 'profile.json, layers.csv, kernels.csv and timeline.csv (no plots: matplotlib is not installed)'
    return 'profile.json, layers.csv, kernels.csv, timeline.csv and profile.png'


def _size(text):
    match = SIZE.match(text)
    if match:
        return int(match.group(1)), int(match.group(2))
    if text == 'card':
        return text
    raise ValueError(text)


_size.__name__ = 'size'  # what argparse calls it in its messages
