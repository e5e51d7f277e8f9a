"""What is profiled: a model, ready to segment frames."""
import typing

import torch

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.engine.base import Engine
from espnet_ros.engine.openvino_engine import OpenVINOEngine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import EngineError
from espnet_ros.models.onnx_file import OnnxNetwork
from espnet_ros.performance.profile.layers import measure_layers
from espnet_ros.performance.profile.openvino_layers import measure_openvino_layers
from espnet_ros.performance.profile.roofline import DTYPES
from espnet_ros.scene import Street
from espnet_ros.segmenter import Segmenter, input_size


class Subject(typing.NamedTuple):
    """A model in the engine that is to run it, and in one that shows its layers.

    card, trained: its ModelCard and network. weights: 'its own', or 'random' where they were never fetched. engine,
    plain: Engine and PyTorchEngine, of one precision where PyTorch has it, and one and the same where it may be. Of an
    ONNX file, plain is an OpenVINOEngine; None on a GPU and without OpenVINO, as `problem` says. image: a frame of the
    synthetic street at the network's size, uint8 [H, W, 3].
    """

    card: typing.Any
    trained: typing.Any
    weights: str
    engine: Engine
    plain: typing.Optional[Engine]
    image: typing.Any
    problem: str = ''

    def segment(self):
        """Segment the frame."""
        Segmenter(self.engine, 'network').segment(self.image)

    @property
    def in_pytorch(self):
        """Whether the network can run in PyTorch: then `network` and `tensor` are there."""
        return isinstance(self.plain, PyTorchEngine)

    @property
    def network(self):
        """The deployed network in PyTorch."""
        return self.plain.deployed

    @property
    def tensor(self):
        """The frame as the network takes it: uint8 [1, 3, H, W] on its device."""
        return torch.from_numpy(self.image).to(self.device).permute(2, 0, 1).unsqueeze(0)

    @property
    def device(self):
        """The torch.device that the engine works on."""
        if self.in_pytorch:
            return self.plain.device
        return torch.device('cuda' if self.engine.describe().backend == 'tensorrt' else 'cpu')

    @property
    def precision(self):
        """In which the machine's limits are measured: that of `plain` or `engine`, fp32 for int8."""
        name = (self.plain or self.engine).describe().precision
        return name if name in DTYPES else 'fp32'

    def layers(self):
        """Return a list of layers.Layer."""
        if self.in_pytorch:
            return measure_layers(self.network, self.tensor)
        return measure_openvino_layers(self.plain, self.image) if self.plain else []


def prepare(name, width=0, height=0, backend='auto', device='auto', precision='auto'):
    """Return the Subject of a model's name or path. Raises ModelError, ParameterError, EngineError.

    width, height: of the network's input, 0 for the model card's. backend, device, precision: as for build_engine.
    """
    card, network, weights = models.load_for_speed(name)
    width, height = input_size(card, width, height)
    engine = build_engine(card, network, width, height, backend, device, precision, strict=True)
    plain, problem = engine, ''
    if isinstance(network, OnnxNetwork):
        plain, problem = _in_openvino(engine, card, network)
    elif not isinstance(engine, PyTorchEngine):
        try:
            plain = PyTorchEngine(card, network, width, height, device, engine.describe().precision)
        except EngineError:  # as for int8, and for fp16 on some CPUs
            plain = PyTorchEngine(card, network, width, height, device)
    return Subject(card, network, weights, engine, plain, Street(width, height).frame(2.0).image, problem)


def _in_openvino(engine, card, network):
    """Return (OpenVINOEngine or None, why there is none) for an ONNX file in an engine."""
    if isinstance(engine, OpenVINOEngine):
        return engine, ''
    if engine.describe().backend == 'tensorrt':
        return None, "no layers: those of an ONNX file are measured in OpenVINO on a CPU; TensorRT's: trtexec " \
                     '--dumpProfile'
    try:
        return OpenVINOEngine(card, network, engine.width, engine.height, precision='fp32'), ''
    except EngineError as error:
        return None, 'no layers: those of an ONNX file are measured in OpenVINO: {}'.format(error)
