"""ONNX export: camera bytes in, labels out."""
import importlib
import inspect
import io
import json
import warnings

import numpy as np
import torch
from torch import nn

from espnet_ros import __version__
from espnet_ros.deploy import OPSET, OPSETS
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.deploy.folding import fold
from espnet_ros.deploy.foreign import wrapped_onnx
from espnet_ros.deploy.heads import DeconvolutionHead, UpsamplingHead
from espnet_ros.errors import ModelError, one_line
from espnet_ros.files import write_file
from espnet_ros.labels import UNLABELED, label_set_to_dict
from espnet_ros.models.onnx_file import OnnxNetwork
from espnet_ros.network.espnet import ESPNet
from espnet_ros.network.modules import InputFusion, InputReinforcement

AGREEMENT = 0.999
"""Least share of pixels with PyTorch's label."""


def export_onnx(card, network, width, height, path, opset=OPSET, confidence=False):
    """Write an `onnx_model` for bytes to a file; an older one stays whole until the new one is complete.

    Where ONNX Runtime is installed, it must find PyTorch's labels on at least AGREEMENT of the pixels of a picture
    before the file is written. Returns whether it was there to do so. Raises ModelError.
    """
    content = onnx_model(card, network, width, height, opset, confidence)
    verified = _verify(content, Deployed(network, card).eval(), width, height)
    write_file(path, content)
    return verified


def onnx_model(card, network, width, height, opset=OPSET, confidence=False, dtype=torch.uint8):
    """Return the network as the bytes of an ONNX file. Raises ModelError.

    Its input `image` is BGR uint8, or float32 0..255 where that is the `dtype`, [1, height, width, 3]; normalization
    is inside. Its output `labels` is uint8 [1, height, width], class ids of the card's label set, 255 for background;
    with `confidence` there is a second output of that name and shape, the top softmax probability times 255.
    width and height 0 leave the size open.
    metadata_props say what the model card says. opset: of OPSETS, as far as this PyTorch has it.
    """
    if isinstance(network, OnnxNetwork):
        return wrapped_onnx(card, network, width, height, confidence, dtype)
    onnx = _onnx()
    if opset not in OPSETS:
        raise ModelError('opset {!r} is none of {} to {}'.format(opset, OPSETS[0], OPSETS[-1]))
    outputs = ['labels', 'confidence'] if confidence else ['labels']
    settings = {'opset_version': opset, 'input_names': ['image'], 'output_names': outputs}
    # The graph of a small image serves all sizes: at 1024x512 the exporter would take 300 MB to look at ESPNet.
    sides = (64, 64)
    if getattr(network, 'size_matters', False):
        sides = (height, width)
    else:
        settings['dynamic_axes'] = {name: {1: 'height', 2: 'width'} for name in ['image'] + outputs}
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        settings['dynamo'] = False  # the newer exporter takes ten times as long, wants more packages, gives the same
    content = io.BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that some things become constants, as they are to; that dynamo is newer
            torch.onnx.export(_Graph(card, network, confidence), (torch.zeros((1,) + sides + (3,), dtype=dtype),),
                              content, **settings)  # type: ignore[arg-type]  # a file is fine
        model = onnx.load_model_from_string(content.getvalue())
        if width and height:
            _fix_size(model.graph, width, height)
        _widen_slopes(model.graph)
        _describe(onnx, model, card, dtype)
        onnx.checker.check_model(model)
    except Exception as error:  # RuntimeError, ValueError and exceptions of the exporter's and the checker's own
        raise ModelError('PyTorch {} cannot export {} at {}x{} with ONNX opset {}: {}'.format(
            torch.__version__, card.name, width, height, opset, one_line(error)))
    return model.SerializeToString()


class _Graph(nn.Module):
    """The deployed network from [1, H, W, 3] to its outputs, in the form that runtimes on CPUs like best.

    Deconvolutions before the last stay deconvolutions. Pooling is a convolution: OpenVINO would turn the image around
    in memory for it and back, which takes longer than the pooling.
    """

    def __init__(self, card, network, confidence):
        super().__init__()
        network = fold(network)
        for module in network.modules():
            if isinstance(module, (InputFusion, InputReinforcement)):
                module.pool = _pooling()
        head: nn.Module = UpsamplingHead()
        if isinstance(network, ESPNet):
            head = DeconvolutionHead(network.up1)
            network.up1 = nn.Identity()
        self.deployed = Deployed(network, card, head)
        self.confidence = confidence
        self.eval()

    def forward(self, image):
        # Normalized as it comes, channels last: else OpenVINO would turn the image around in memory, and back.
        scale, shift = (value.permute(0, 2, 3, 1) for value in (self.deployed.scale, self.deployed.shift))
        normalized = (image.float() * scale + shift).permute(0, 3, 1, 2)
        labels, confidence = self.deployed.best(normalized, self.confidence)
        return (labels, confidence) if self.confidence else labels


def _pooling():
    """Return the average of 3x3 pixels with stride 2, zero beyond the image, as a convolution of three channels."""
    pooling = nn.Conv2d(3, 3, 3, stride=2, padding=1, bias=False)
    pooling.weight = nn.Parameter((torch.eye(3) / 9.0).view(3, 3, 1, 1).repeat(1, 1, 3, 3))
    return pooling


def _fix_size(graph, width, height):
    """Set the size of an image of any size."""
    for value in list(graph.input) + list(graph.output):
        for dimension, side in zip(value.type.tensor_type.shape.dim, (1, height, width)):
            dimension.dim_value = side


def _widen_slopes(graph):
    """Give the slopes of PReLUs the image's four dimensions.

    With the exporter's three OpenVINO computes them channels first, everything else channels last, and needs twice
    the time for the network, most of it to turn memory around.
    """
    slopes = {node.input[1] for node in graph.node if node.op_type == 'PRelu'}
    for constant in graph.initializer:
        if constant.name in slopes:
            constant.dims.insert(0, 1)


def _describe(onnx, model, card, dtype):
    kind = 'uint8' if dtype == torch.uint8 else 'float32, 0..255'
    model.producer_name, model.producer_version, model.doc_string = 'espnet_ros', __version__, card.description
    model.graph.name = card.name
    model.graph.input[0].doc_string = 'image: BGR, {}, [1, height, width, 3]'.format(kind)
    for output, text in zip(model.graph.output, (
            'class of each pixel: uint8 [1, height, width], {} = unlabeled'.format(UNLABELED),
            'top softmax probability of each pixel times 255: uint8 [1, height, width]')):
        output.doc_string = text
    onnx.helper.set_model_props(model, {
        'model': card.name,
        'license': card.license,
        'source': card.source,
        'weights_sha256': card.sha256,
        'input': model.graph.input[0].doc_string,
        'output': model.graph.output[0].doc_string,
        'label_set': json.dumps(label_set_to_dict(card.label_set)),
        'normalization': json.dumps({'inside': True, 'channels': 'BGR', 'mean': card.mean, 'std': card.std,
                                     'divisor': card.divisor}),
    })


def _verify(content, deployed, width, height):
    """Compare ONNX Runtime with PyTorch. Returns False when it is not installed; raises ModelError."""
    try:
        runtime = importlib.import_module('onnxruntime')
    except ImportError:
        return False
    # Squares of 8x8 pixels in random colors: all classes that the network knows by color, and edges.
    squares = np.random.RandomState(0).randint(0, 256, (1, height // 8, width // 8, 3))
    image = squares.astype(np.uint8).repeat(8, 1).repeat(8, 2)
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(image).permute(0, 3, 1, 2))[0].numpy()
    try:
        session = runtime.InferenceSession(content, providers=['CPUExecutionProvider'])
        labels = session.run(['labels'], {'image': image})[0]
    except Exception as error:  # of many kinds, all its own
        raise ModelError('ONNX Runtime {} cannot run what was exported, try another opset: {}'.format(
            runtime.__version__, one_line(error)))
    share = float(np.mean(labels == wanted)) if labels.shape == wanted.shape else 0.0
    if share < AGREEMENT:
        raise ModelError('ONNX Runtime {} finds other labels than PyTorch on {:.2f}% of the pixels; nothing was written'
                         .format(runtime.__version__, 100 - 100 * share))
    return True


def _onnx():
    try:
        return importlib.import_module('onnx')
    except ImportError:
        raise ModelError('exporting needs the package onnx: pip install onnx')
