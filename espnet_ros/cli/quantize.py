"""`espnet-ros quantize`: a model's int8 companion, for fast inference on CPUs."""
import hashlib
import os

from espnet_ros import models
from espnet_ros.cli.options import add_model
from espnet_ros.datasets import SPECS, open_dataset
from espnet_ros.errors import ParameterError
from espnet_ros.files import write_file
from espnet_ros.models.card import MAX_INT8_LOSS, Companion, write_card

DESCRIPTION = """Make the int8 companion of a model: a file beside its card with which OpenVINO computes
in int8 on a CPU, and an entry in the card that says how it was made and what it costs.
Layers are calibrated on --data; on --val, images with ground truth that calibration has
not seen, labels and mIOU are compared with those in fp32, and layers that cost accuracy
stay in float. With `precision: int8` the robot uses the companion; with `auto` when it is
the faster one there. The robot needs openvino; this command needs nncf as well.

A dataset is written as
""" + '\n'.join('  ' + line for line in SPECS.splitlines())


def add_arguments(parser):
    add_model(parser, models.DEFAULT)
    parser.add_argument('--data', metavar='DATASET', nargs='+', required=True,
                        help='images to calibrate on, some hundred, as different as the robot will see')
    parser.add_argument('--val', metavar='DATASET', nargs='+', default=(),
                        help='images with ground truth to measure on (default: every fifth one of --data)')
    parser.add_argument('--out', metavar='CARD', default='',
                        help='model card to write, its companion beside it (default: the card of the model)')
    parser.add_argument('--accept-loss', action='store_true',
                        help='write it even if more than {} points of mIOU are lost; `auto` will not take it'.format(
                            MAX_INT8_LOSS))


def run(options):
    model = models.find(options.model)
    known = next((entry for entry in models.available() if entry.card == model.card), None)
    out = options.out or (known.card_path if known else options.model)
    if not out.endswith(('.yaml', '.yml')):
        raise ParameterError("'{}' is no model card (.yaml); give one to write with --out".format(out))
    data = [open_dataset(spec) for spec in options.data]
    val = [open_dataset(spec) for spec in options.val]
    from espnet_ros.cli.progress import working  # PyTorch is loaded only when names and paths are right
    from espnet_ros.quantization.quantize import quantize, split
    if not val:
        data, val = split(data)
    with working('quantizing'):
        found = quantize(model.card, models.load(model), data, val, lambda words: print(words, flush=True))
    for key, value in found.facts.items():
        print('{}: {}'.format(key, ', '.join(value) if isinstance(value, list) else value))
    if found.lost > MAX_INT8_LOSS and not options.accept_loss:
        raise ParameterError('int8 loses {:.2f} points of mIOU, more than {}; nothing was written; calibrate on more '
                             'images like those of the robot, or give --accept-loss'.format(found.lost, MAX_INT8_LOSS))
    folder, name = os.path.dirname(os.path.abspath(out)), os.path.splitext(os.path.basename(out))[0] + '.int8'
    companion = Companion(name, hashlib.sha256(found.content).hexdigest(), found.facts, folder)
    write_file(os.path.join(folder, name), found.content)
    write_card(model.card._replace(int8=companion), out)
    print('{}: {:.0f} kB, and its entry in {}'.format(os.path.join(folder, name), len(found.content) / 1e3, out))
    return 0
