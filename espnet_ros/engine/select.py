"""Choosing the engine."""
from espnet_ros.engine.pytorch_engine import PyTorchEngine
from espnet_ros.errors import EngineError

BACKENDS = ('auto', 'torch', 'openvino', 'tensorrt')
PRECISIONS = ('auto', 'fp32', 'bf16', 'fp16', 'int8')

_ENGINES = {'torch': PyTorchEngine}


def build_engine(card, network, width, height, backend='auto', device='auto', precision='auto'):
    """Return a ready Engine for the network at that input size.

    backend, precision: of BACKENDS and PRECISIONS. device: 'auto', 'cpu', 'cuda' or 'cuda:N'. What cannot be had
    falls back to PyTorch, on that device where it can, and the engine's `describe().fallback` says why. Raises
    EngineError when not even that runs.
    """
    try:
        return _build(card, network, width, height, backend, device, precision)
    except EngineError as error:
        try:
            engine = PyTorchEngine(card, network, width, height, device)
        except EngineError:
            engine = PyTorchEngine(card, network, width, height)
        engine.fallback = str(error)
        return engine


def _build(card, network, width, height, backend, device, precision):
    name = 'torch' if backend == 'auto' else backend
    if name not in _ENGINES:
        raise EngineError('this version has no {} engine; it has {}'.format(name, ', '.join(sorted(_ENGINES))))
    return _ENGINES[name](card, network, width, height, device, precision)
