"""`espnet-ros profile`: where a model's time, energy and memory go on this machine."""
import csv
import json
import pathlib
import sys

from espnet_ros import models
from espnet_ros.cli.files import make_folder, replacing
from espnet_ros.cli.options import add_model, add_size, size_of
from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.errors import ParameterError

DESCRIPTION = """Measure what the paper measures in its section 4.4 and appendices C to E, for any model on
this machine: time of each layer and kernel; load, memory and power over time; energy per
frame; the distance from the machine's limits (roofline); hardware counters through perf; and
on an NVIDIA GPU the efficiency of warps and memory accesses through nvprof or Nsight Compute,
and the sensitivity to the GPU's clock. DIR gets
  profile.json     all numbers
  layers.csv       each module of the network, kernels.csv, timeline.csv
  profile.png      utilization over time, layers, kernels, roofline (needs matplotlib)
What this machine cannot measure is listed, with the remedy. Stop other programs first.
--frequencies locks the GPU's clock (as root) and restores it afterwards, even if killed."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add_model(parser, models.DEFAULT)
    add_size(parser)
    add('--backend', 'engine: {}; layers are measured in PyTorch, those of an ONNX file in OpenVINO'.format(
        ', '.join(BACKENDS)), metavar='ENGINE', choices=BACKENDS, default='auto')
    add('--precision', 'of the computation', choices=PRECISIONS, default='auto')
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--seconds', 'how long the model runs while the machine is sampled', metavar='S', type=float,
        default=10.0)
    parser.add_argument('--frequencies', metavar='MHZ', nargs='*', type=float,
                        help='GPU clocks to compare, or without values some over its range; not touched by default')
    add('--top', 'number of layers and kernels to print', type=int, default=10)
    add('--out', 'folder to write to', metavar='DIR', type=pathlib.Path, default='profile')


def run(options):
    for name, low, high in (('seconds', 1, 3600), ('top', 1, 1000)):
        if not low <= getattr(options, name) <= high:
            raise ParameterError('--{} is {}; it must be from {} to {}'.format(
                name, getattr(options, name), low, high))
    if any(not 0 < frequency < 1e5 for frequency in options.frequencies or ()):
        raise ParameterError('--frequencies are in MHz, as 1134.75')
    models.card_for_speed(options.model)  # a wrong name is told before PyTorch is loaded
    make_folder(options.out)

    def say(text):
        print('measuring ' + text, file=sys.stderr, flush=True)

    print('loading the model', file=sys.stderr, flush=True)
    from rich.console import Console

    from espnet_ros.cli.progress import working
    console = Console(highlight=False, markup=False)
    # Only now: the engines change how this process keeps memory.
    from espnet_ros.performance.profile import report
    from espnet_ros.performance.profile.profile import profile
    from espnet_ros.performance.profile.subject import prepare
    width, height = size_of(options)
    subject = prepare(options.model, width, height, options.backend, options.device, options.precision)
    with working('measuring'):
        found = profile(subject, options.model, options.seconds, options.frequencies, say)
    with replacing(options.out / 'profile.json') as path:
        path.write_text(json.dumps(report.as_data(found), indent=1))
    kernels = [(engine,) + row for engine in found.kernels for row in report.kernel_rows(found, engine)]
    for name, columns, rows in (('layers', report.PART_COLUMNS, report.part_rows(found)),
                                ('kernels', ('engine',) + report.KERNEL_COLUMNS, kernels),
                                ('timeline',) + report.timeline_rows(found)):
        with replacing(options.out / (name + '.csv')) as path, path.open('w', newline='') as stream:
            csv.writer(stream).writerows([columns] + [list(row) for row in rows])
    console.print(report.summary(found, options.top))
    console.print('{} in {}'.format(_plotted(options.out, found), options.out), soft_wrap=True)
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
