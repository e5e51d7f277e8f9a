"""What is profiled: a model, ready to segment frames."""
import typing

import torch

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.engine.base import Engine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import EngineError
from espnet_ros.scene import Street
from espnet_ros.segmenter import Segmenter, input_size


class Subject(typing.NamedTuple):
    """A model in the engine that is to run it, and in PyTorch, which shows its layers.

    card, trained: its ModelCard and network. weights: 'its own', or 'random' where they were never fetched. engine,
    plain: Engine and PyTorchEngine, of one precision where PyTorch has it, and one and the same where it may be. image:
    a frame of the synthetic street at the network's size, uint8 [H, W, 3].
    """

    card: typing.Any
    trained: torch.nn.Module
    weights: str
    engine: Engine
    plain: PyTorchEngine
    image: typing.Any

    def segment(self):
        """Segment the frame."""
        Segmenter(self.engine, 'network').segment(self.image)

    @property
    def network(self):
        """The deployed network in PyTorch."""
        return self.plain.deployed

    @property
    def tensor(self):
        """The frame as the network takes it: uint8 [1, 3, H, W] on its device."""
        return torch.from_numpy(self.image).to(self.plain.device).permute(2, 0, 1).unsqueeze(0)


def prepare(name, width=0, height=0, backend='auto', device='auto', precision='auto'):
    """Return the Subject of a model's name or path. Raises ModelError, ParameterError, EngineError.

    width, height: of the network's input, 0 for the model card's. backend, device, precision: as for build_engine.
    """
    card, network, weights = models.load_for_speed(name)
    width, height = input_size(card, width, height)
    engine = build_engine(card, network, width, height, backend, device, precision, strict=True)
    plain = engine
    if not isinstance(engine, PyTorchEngine):
        try:
            plain = PyTorchEngine(card, network, width, height, device, engine.describe().precision)
        except EngineError:  # as for int8, and for fp16 on some CPUs
            plain = PyTorchEngine(card, network, width, height, device)
    return Subject(card, network, weights, engine, plain, Street(width, height).frame(2.0).image)
