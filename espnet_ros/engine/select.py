"""Choosing the engine."""
import importlib.util

import torch

from espnet_ros.engine.openvino_engine import OpenVINOEngine
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.engine.tensorrt.engine import TensorRTEngine
from espnet_ros.errors import EngineError

BACKENDS = ('auto', 'torch', 'openvino', 'tensorrt')
PRECISIONS = ('auto', 'fp32', 'bf16', 'fp16', 'int8')

_ENGINES = {'torch': PyTorchEngine, 'openvino': OpenVINOEngine, 'tensorrt': TensorRTEngine}
_NEEDS = {'tensorrt': ('tensorrt', 'torch2trt'), 'openvino': ('openvino', 'onnx')}
"""Modules without which 'auto' does not try an engine."""


def build_engine(card, network, width, height, backend='auto', device='auto', precision='auto', cache_dir='',
                 progress=None):
    """Return a ready Engine for the network at that input size.

    backend, precision: of BACKENDS and PRECISIONS; backend 'auto' is TensorRT on an NVIDIA GPU and OpenVINO on a CPU
    where they are installed and work, else PyTorch. device: 'auto', 'cpu', 'cuda' or 'cuda:N'. cache_dir: folder for
    engines that take long to build, '' for the default; progress: called with a few words on how such a build goes.

    The engine's describe() says why this one: in `choice` what 'auto' went by, in `fallback` what was wanted, or is
    installed, and failed. What cannot be had falls back to PyTorch, on that device where it can. Raises EngineError
    when not even that runs.
    """
    names, notes, failures = [backend], [], []
    if backend == 'auto':
        names, notes = _candidates(device)
    for name in names:
        try:
            if name not in _ENGINES:
                raise EngineError('no engine is called {!r}; there are {}'.format(name, ', '.join(sorted(_ENGINES))))
            settings = {'cache_dir': cache_dir, 'progress': progress} if name == 'tensorrt' else {}
            engine = _ENGINES[name](card, network, width, height, device, precision, **settings)
            break
        except EngineError as error:
            failures.append(str(error))
    else:
        try:
            engine = PyTorchEngine(card, network, width, height, device)
        except EngineError:
            engine = PyTorchEngine(card, network, width, height)
    engine.choice = '; '.join(notes)
    engine.fallback = '; '.join(failures)
    return engine


def _candidates(device):
    """Return the names of the engines that 'auto' tries, the best first, and what it goes by."""
    if device not in ('auto', 'cpu') and not torch.cuda.is_available():
        return ['torch'], []  # which says what is wrong with this device
    on_gpu = device != 'cpu' and torch.cuda.is_available()
    name = 'tensorrt' if on_gpu else 'openvino'
    notes = ['auto: ' + ('there is an NVIDIA GPU' if on_gpu else 'on the CPU')]
    missing = [module for module in _NEEDS[name] if importlib.util.find_spec(module) is None]
    if not missing:
        return [name, 'torch'], notes
    notes.append('{} {} not installed'.format(' and '.join(missing), 'are' if len(missing) > 1 else 'is'))
    return ['torch'], notes
