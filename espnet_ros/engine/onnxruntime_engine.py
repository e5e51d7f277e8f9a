"""ONNX Runtime on the CPU or an NVIDIA GPU."""
import importlib
import time

import numpy as np
import torch

from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.reference import examples
from espnet_ros.engine.verification import compare
from espnet_ros.errors import EngineError, ModelError, one_line

_PROVIDERS = {'cpu': ['CPUExecutionProvider'],
              'cuda': ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider']}


class OnnxRuntimeEngine(Engine):
    """Runs the network with ONNX Runtime in fp32."""

    def __init__(self, card, network, width, height, device='auto', precision='auto'):
        """Build the engine and compare it with PyTorch, where the network is PyTorch's. Raises EngineError."""
        super().__init__(card, width, height)
        began = time.monotonic()
        if precision not in ('auto', 'fp32'):
            raise EngineError('ONNX Runtime runs networks in fp32 here, not in {}'.format(precision))
        self._runtime = runtime()
        answers = examples(card, network, width, height, itself='onnxruntime')
        try:
            self._content = onnx_model(card, network, width, height, confidence=True, dtype=torch.float32)
            self._session = session(self._runtime, self._content, device)
            for image, answer in answers:
                compare(self.run(image, True), answer, 'fp32')
        except ModelError as error:
            raise EngineError('ONNX Runtime takes the network as ONNX: {}'.format(error))
        except EngineError as error:
            raise EngineError('the ONNX Runtime engine of {} is not used: {}'.format(card.name, error))
        self._build_seconds = time.monotonic() - began

    def run(self, image, confidence=False):
        pixels = np.ascontiguousarray(image, np.float32)
        names = ['labels', 'confidence'] if confidence else ['labels']
        try:
            found = self._session.run(names, {'image': pixels[None]})
        except Exception as error:  # of many kinds, all its own
            raise EngineError('ONNX Runtime cannot run {}: {}'.format(self.card.name, one_line(error)))
        return found[0][0], found[1][0] if confidence else None

    def describe(self):
        provider = self._session.get_providers()[0].replace('ExecutionProvider', '')
        return EngineInfo('onnxruntime', '{}, ONNX Runtime {}'.format(provider, self._runtime.__version__), 'fp32',
                          self._build_seconds, fallback=self.fallback, choice=self.choice)


def runtime():
    """Return the package onnxruntime. Raises EngineError."""
    try:
        return importlib.import_module('onnxruntime')
    except ImportError:
        raise EngineError('ONNX Runtime is not installed: pip install onnxruntime onnx')


def session(package, content, device='cpu'):
    """Return an InferenceSession for the bytes of an ONNX file. Raises EngineError."""
    kind = 'cuda' if str(device).startswith('cuda') else 'cpu'
    there = package.get_available_providers()
    if kind == 'cuda' and 'CUDAExecutionProvider' not in there:
        raise EngineError('this ONNX Runtime has no CUDA; use device cpu, or install onnxruntime-gpu')
    options = package.SessionOptions()
    options.log_severity_level = 3
    try:
        return package.InferenceSession(content, options, providers=[p for p in _PROVIDERS[kind] if p in there])
    except Exception as error:  # of many kinds, all its own
        raise EngineError('ONNX Runtime {} does not take it: {}'.format(package.__version__, one_line(error)))
