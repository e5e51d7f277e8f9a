"""`espnet-ros build`: a model's TensorRT engine, ahead of time."""
from espnet_ros import models
from espnet_ros.cli.options import add_model, add_size, size_of
from espnet_ros.engine.tensorrt import PRECISIONS

DESCRIPTION = """Build the TensorRT engine of a model for this machine's GPU and keep it, which takes
minutes, so that the segmentation node, predict and all else start with it at once.
An engine that is kept already and still fits is only checked. Engines fit one
model, input size, precision, GPU, driver and version of TensorRT."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    add_model(parser, models.DEFAULT)
    add_size(parser)
    add('--device', 'auto, cuda or cuda:N', default='auto')
    add('--precision', 'auto is fp16 where the GPU is fast in it', choices=('auto', *PRECISIONS), default='auto')
    parser.add_argument('--calibration', metavar='FOLDER', default='',
                        help='images of the camera, some hundred, from which an int8 engine learns its ranges')
    parser.add_argument('--cache-dir', metavar='FOLDER', default='',
                        help="where to keep it: the node's engine_cache_dir (default: the user's cache)")


def run(options):
    model = models.find(options.model)  # a wrong name is told before PyTorch is loaded
    from espnet_ros.cli.progress import working
    from espnet_ros.engine.tensorrt.engine import build_engine_file
    from espnet_ros.segmenter import input_size
    width, height = input_size(model.card, *size_of(options))
    with working('building'):
        path, info = build_engine_file(
            model.card, models.load(model), width, height, device=options.device, precision=options.precision,
            cache_dir=options.cache_dir, calibration=options.calibration,
            progress=lambda words: print(words, flush=True))
    print('{}: {} at {}x{} in {} on {}; {}, {:.0f} s'.format(
        path, model.card.name, width, height, info.precision, info.device, info.cache, info.build_seconds))
    return 0
