"""What engines are compared with before they are used: PyTorch, or another runtime for an ONNX network."""
import importlib

import torch

from espnet_ros.deploy.deploy import deploy
from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.verification import example_images, pytorch
from espnet_ros.errors import EngineError, ModelError, one_line
from espnet_ros.models.onnx_file import OnnxNetwork


def examples(card, network, width, height, itself=''):
    """Return pairs of an image, BGR uint8 [height, width, 3], and the right labels and confidence of it.

    itself: name of the engine that is to be compared; an ONNX network is compared with ONNX Runtime, and there is
    nothing to compare with where that is not installed, or is that engine. Raises EngineError.
    """
    images = example_images(width, height)
    if isinstance(network, OnnxNetwork):
        if itself == 'onnxruntime':
            return []
        try:
            reference = _onnxruntime(onnx_model(card, network, width, height, confidence=True, dtype=torch.float32))
        except ModelError as error:
            raise EngineError(str(error))
        except ImportError:
            return []
    else:
        reference = pytorch(deploy(network, card).to(memory_format=torch.channels_last))
    try:
        return [(image, reference(image)) for image in images]
    except RuntimeError as error:
        raise EngineError('PyTorch, against which engines are verified, cannot run {} at {}x{}: {}'.format(
            card.name, width, height, str(error).splitlines()[0]))


def _onnxruntime(content):
    from espnet_ros.engine.onnxruntime_engine import session
    made = session(importlib.import_module('onnxruntime'), content)

    def run(image):
        try:
            return [found[0] for found in made.run(['labels', 'confidence'], {'image': image[None].astype('float32')})]
        except Exception as error:  # of many kinds, all its own
            raise EngineError('ONNX Runtime, against which engines are verified, cannot run it: ' + one_line(error))
    return run
