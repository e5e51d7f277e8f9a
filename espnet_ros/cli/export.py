"""`espnet-ros export`: a model as an ONNX file."""
import os

from espnet_ros import models
from espnet_ros.cli.options import add_model, add_size, size_of
from espnet_ros.deploy import OPSET, OPSETS

DESCRIPTION = """Write a model as an ONNX file, for ONNX Runtime, OpenVINO, TensorRT and others.
  input   image       BGR uint8 [1, height, width, 3], as cv2.imread gives it
  output  labels      uint8 [1, height, width], class ids, 255 where unlabeled
  output  confidence  uint8 [1, height, width], with --confidence
Normalization is inside. The file's metadata name the model, its classes with ids,
categories and colors, its normalization and the SHA-256 of its weights.
It needs the package onnx. Where onnxruntime is installed, it runs the network and
must find PyTorch's labels before the file is written."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add_model(parser, models.DEFAULT)
    parser.add_argument('--out', metavar='FILE', required=True, help='the file to write; an older one is replaced')
    add_size(parser, 'of the input')
    add('--opset', "version of ONNX's operators, {} to {}".format(OPSETS[0], OPSETS[-1]), type=int, default=OPSET,
        choices=OPSETS, metavar='N')
    parser.add_argument('--confidence', action='store_true', help='add the output confidence, which takes time to run')


def run(options):
    model = models.find(options.model)  # a wrong name is told before PyTorch is loaded
    from espnet_ros.cli.progress import working
    from espnet_ros.deploy.onnx import export_onnx
    from espnet_ros.segmenter import input_size
    width, height = input_size(model.card, *size_of(options))
    with working('exporting'):
        verified = export_onnx(model.card, models.load(model), width, height, options.out, options.opset,
                               options.confidence)
    print('{}: {} at {}x{}, opset {}, {:.1f} MB; {}'.format(
        options.out, model.card.name, width, height, options.opset, os.path.getsize(options.out) / 1e6,
        "ONNX Runtime finds PyTorch's labels" if verified else 'not verified, onnxruntime is not installed'))
    return 0
