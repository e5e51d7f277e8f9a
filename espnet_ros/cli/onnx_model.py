"""`espnet-ros models add NET.onnx`: a card for an ONNX network, and what looks wrong with it."""
import argparse
import hashlib
import os
import pathlib
import re
import sys
import tempfile

from espnet_ros import models
from espnet_ros.errors import ModelError
from espnet_ros.files import write_file
from espnet_ros.labels import get_label_set, load_label_set
from espnet_ros.models.card import write_card
from espnet_ros.models.onnx_file import CHANNELS, read_joined


def add_arguments(group):
    """Add the options that describe an ONNX network."""
    group.add_argument('--labels', metavar='NAME', help='label set: a name such as cityscapes, or a YAML file')
    group.add_argument('--outputs', metavar='ID', nargs='+', type=int,
                       help='class id of each output, 255 for none (default: the label set in its order)')
    group.add_argument('--size', metavar='WxH', type=_size, help='of the input, where the file takes any '
                       '(default: 1024x512)')
    group.add_argument('--channels', choices=CHANNELS, default='RGB', help='order in the input (default: %(default)s)')
    group.add_argument('--mean', metavar=('B', 'G', 'R'), nargs=3, type=float,
                       help='on the scale 0..255 (default: of ImageNet; none for an input of bytes)')
    group.add_argument('--std', metavar=('B', 'G', 'R'), nargs=3, type=float, help='likewise')
    group.add_argument('--divisor', metavar='D', type=float, default=1.0,
                       help='the network sees (x - mean) / std / D (default: %(default)s)')
    group.add_argument('--input', default='', help='name of the input, where there are several')
    group.add_argument('--output', default='', help='name of the output (default: the first with four sides)')
    group.add_argument('--overlay', metavar='IMAGE', type=pathlib.Path, help='write labels over a picture to this file')


def add(path, options):
    """Write a card for the file, run it on pictures, say what looks wrong, and return the added Model.

    Raises ModelError, EngineError, LabelError, ParameterError.
    """
    from espnet_ros.cli.files import write_image
    from espnet_ros.engine import foreign
    label_set = None
    if options.labels:
        label_set = load_label_set(options.labels) if options.labels.endswith(('.yaml', '.yml')) else get_label_set(
            options.labels)
    stem = re.sub('[^a-z0-9._-]+', '-', pathlib.Path(path).stem.lower()).strip('-._')[:100]
    name = options.name or stem
    if not name:
        raise ModelError("the file name '{}' makes no name for a model; give one with --name".format(path))
    content = read_joined(path)
    card, notes = foreign.draft(content, path, name, hashlib.sha256(content).hexdigest(), foreign.Wishes(
        label_set, tuple(options.outputs) if options.outputs else None, options.size, _triple(options.mean),
        _triple(options.std), options.divisor, options.channels, options.input, options.output))
    found, labels, picture = foreign.suspicions(card, content)
    with tempfile.TemporaryDirectory() as folder:
        write_file(os.path.join(folder, card.weights), content)
        card_path = os.path.join(folder, card.name + '.yaml')
        write_card(card, card_path)
        model = models.add(card_path, options.replace)
    config = card.architecture
    print('{}: {}x{}, {} {}, {} {} at 1/{}'.format(card.name, card.input_width, card.input_height, config.channels,
                                                   config.layout, config.classes, config.kind, config.stride))
    for text in notes:
        print('note: ' + text)
    for text in found:
        print('suspicious: ' + text, file=sys.stderr)
    if options.overlay:
        write_image(options.overlay, foreign.picture_of(labels, picture, card))
    return model


def _triple(values):
    return tuple(values) if values else None


def _size(text):
    match = re.match(r'([0-9]{1,5})x([0-9]{1,5})\Z', text)
    if not match:
        raise argparse.ArgumentTypeError('{!r} is not WIDTHxHEIGHT'.format(text))
    return int(match.group(1)), int(match.group(2))
