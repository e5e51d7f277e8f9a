"""Choice of the engine."""
import importlib.util
import re

from espnet_ros.engine.base import BACKENDS, PRECISIONS
from espnet_ros.errors import EngineError, ParameterError


# Imported when an engine is built: importing PyTorch takes seconds, and commands need only the names of engines.
def _torch(*args, **settings):
    from espnet_ros.engine.pytorch_engine import PyTorchEngine
    return PyTorchEngine(*args, **settings)


def _openvino(*args, **settings):
    from espnet_ros.engine.openvino_engine import OpenVINOEngine
    return OpenVINOEngine(*args, **settings)


def _onnxruntime(*args, **settings):
    from espnet_ros.engine.onnxruntime_engine import OnnxRuntimeEngine
    return OnnxRuntimeEngine(*args, **settings)


def _tensorrt(*args, **settings):
    from espnet_ros.engine.tensorrt.engine import TensorRTEngine
    return TensorRTEngine(*args, **settings)


_ENGINES = {'torch': _torch, 'openvino': _openvino, 'onnxruntime': _onnxruntime, 'tensorrt': _tensorrt}
_NEEDS = {'tensorrt': ('tensorrt', 'torch2trt'), 'openvino': ('openvino', 'onnx')}
"""Modules without which 'auto' does not try an engine."""


def build_engine(card, network, width, height, backend='auto', device='auto', precision='auto', cache_dir='',
                 progress=None, strict=False, concurrency=1):
    """Return a ready Engine for the network at that input size.

    backend, precision: of BACKENDS and PRECISIONS; backend 'auto' is TensorRT on an NVIDIA GPU and OpenVINO on a CPU
    where they are installed and work, else PyTorch. device: 'auto', 'cpu', 'cuda' or 'cuda:N'. cache_dir: folder for
    engines that take long to build and for measured choices, '' for the default; progress: called with a few words on
    how such a build goes. concurrency: how many threads would like to call the engine's `run` at once; see the Engine's
    own for how many may.

    What was asked for by name and cannot be had raises EngineError when `strict`. Otherwise the best engine that works
    is returned, on that device where possible, and EngineError is raised when there is none. The engine's describe()
    says why this one: in `choice` what 'auto' went by, in `fallback` what was wanted, or is installed, and failed.

    Raises ParameterError when backend, device or precision is a name of none.
    """
    check_names(backend, device, precision)
    names, notes = _suitable(network, *_candidates(device))
    attempts = [(name, device, precision) for name in (names if backend == 'auto' else [backend])]
    if not strict:
        attempts += [(name, device, 'auto') for name in names]
        attempts += [(name, 'auto', 'auto') for name in _suitable(network, *_candidates('auto'))[0]]
    failures = []
    for name, device_tried, precision_tried in sorted(set(attempts), key=attempts.index):
        try:
            if backend == 'auto' and name == 'torch':
                from espnet_ros.engine.pytorch_engine import check_speed
                check_speed(device_tried, precision_tried)
            settings = {'cache_dir': cache_dir, 'progress': progress} if name in ('openvino', 'tensorrt') else {}
            if name == 'openvino':
                settings['concurrency'] = concurrency
            engine = _ENGINES[name](card, network, width, height, device_tried, precision_tried, **settings)
            break
        except EngineError as error:
            failures.append(str(error))
    else:
        raise EngineError('; '.join(_unique(failures)))
    engine.choice = '; '.join((notes if backend == 'auto' else []) + ([engine.choice] if engine.choice else []))
    engine.fallback = '; '.join(_unique(failures))
    return engine


def check_names(backend: str = 'auto', device: str = 'auto', precision: str = 'auto') -> None:
    """Raise ParameterError when one of them is a name of none, whatever this machine has."""
    for kind, name, names in (('backend', backend, BACKENDS), ('precision', precision, PRECISIONS)):
        if name not in names:
            raise ParameterError('{} is {!r}; it must be one of {}'.format(kind, name, ', '.join(names)))
    if not re.match(r'(auto|cpu|cuda(:[0-9]{1,3})?)\Z', str(device)):
        raise ParameterError('device is {!r}; it must be auto, cpu, cuda or cuda:N'.format(device))


def _candidates(device):
    """Return the names of the engines that 'auto' tries, the best first, and what it goes by."""
    import torch
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


def _suitable(network, names, notes):
    """Return what `_candidates` returns, for an ONNX file without PyTorch."""
    from espnet_ros.models.onnx_file import OnnxNetwork
    if not isinstance(network, OnnxNetwork):
        return names, notes
    return [name for name in names if name != 'torch'] + ['onnxruntime'], notes + ['the network is an ONNX file']


def _unique(texts):
    return sorted(set(texts), key=texts.index)
