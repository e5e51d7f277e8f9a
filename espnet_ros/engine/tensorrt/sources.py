"""What TensorRT builds engines from: PyTorch networks through torch2trt, ONNX files through its own parser."""
import copy
import hashlib

import numpy as np
import torch
from torch.nn import functional

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.deploy.foreign import logits_onnx, outputs_table
from espnet_ros.deploy.heads import UpsamplingHead
from espnet_ros.engine.reference import examples
from espnet_ros.engine.tensorrt import converters
from espnet_ros.engine.verification import example_images, pytorch
from espnet_ros.errors import EngineError, ModelError
from espnet_ros.models.onnx_file import OnnxNetwork


class TorchSource:
    """A PyTorch network of a card.

    shape: of the engine's output, logits. outputs: class id of each, uint8 [classes] on the device. digest: SHA-256 of
    the weights as they are, whatever file they came from. version: of what makes TensorRT's layers. reference:
    what engines are compared with.
    """

    reference = 'PyTorch'

    def __init__(self, card, network, width, height, device):
        self._size = width, height
        self.version = converters.VERSION
        deployed = Deployed(copy.deepcopy(network).float(), card).eval().to(device)
        self._module = converters.Traceable(deployed, card.architecture.stride).eval()
        self._reference = pytorch(deployed)
        self.shape = self._module.shape(height, width)
        self.outputs = deployed.outputs
        self.head = UpsamplingHead()
        digest = hashlib.sha256()
        for name, tensor in network.state_dict().items():
            digest.update(name.encode('utf-8') + str(tuple(tensor.shape)).encode('ascii'))
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
        self.digest = digest.hexdigest()

    def build(self, library, example, *settings):
        """Return an engine's bytes. example: an input; settings: as of TensorRT.build. Raises EngineError."""
        with torch.no_grad():
            # Traced with an image that verification does not use: what became a constant by mistake differs there.
            return library.build(self._module, torch.zeros_like(example), *settings)

    def examples(self):
        """Return pairs of an image and the right labels and confidence of it, as engine.reference.examples does."""
        return [(image, self._reference(image)) for image in example_images(*self._size)]


class OnnxSource:
    """An ONNX file of a card; attributes as of TorchSource."""

    version = 1
    reference = 'ONNX Runtime'

    def __init__(self, card, network, width, height, device):
        """Raises EngineError."""
        self._arguments = card, network, width, height
        config = card.architecture
        try:
            self._content = logits_onnx(*self._arguments)
        except ModelError as error:
            raise EngineError('TensorRT takes the network as ONNX: {}'.format(error))
        channels = 1 if config.kind == 'labels' else config.classes
        self.shape = 1, channels, height // config.stride, width // config.stride
        self.outputs = torch.from_numpy(outputs_table(card)).to(device)
        self.head = {'logits': UpsamplingHead(), 'probabilities': ProbabilityHead(), 'labels': LabelHead()}[config.kind]
        self.digest = hashlib.sha256(network.content).hexdigest()

    def build(self, library, example, *settings):
        """Return an engine's bytes. example: an input; settings: as of TensorRT.build. Raises EngineError."""
        return library.build_onnx(self._content, *settings)

    def examples(self):
        """Return pairs of an image and ONNX Runtime's labels and confidence of it; none where that is not installed."""
        return examples(*self._arguments)


class ProbabilityHead(UpsamplingHead):
    """For networks that return probabilities: the highest one is the confidence."""

    def forward(self, features, height, width, confidence=False):
        """Return index (of the class) and probability, [N, height, width]; the latter None unless asked for."""
        best, index = self.logits(features, height, width).max(1)
        return index, best.clamp(0.0, 1.0) if confidence else None


class LabelHead(UpsamplingHead):
    """For networks that return labels, [N, 1, h, w]; they do not say how sure they are."""

    def forward(self, features, height, width, confidence=False):
        """Return index (of the class) and probability 1, [N, height, width]; the latter None unless asked for."""
        index = functional.interpolate(features, size=(height, width), mode='nearest')[:, 0].round()
        index = index.masked_fill(~(index > -1), 255)  # also NaN: unlabeled, as in deploy.foreign
        return index, torch.ones_like(index) if confidence else None


def source(card, network, width, height, device):
    """Return the source of a network."""
    return (OnnxSource if isinstance(network, OnnxNetwork) else TorchSource)(card, network, width, height, device)
