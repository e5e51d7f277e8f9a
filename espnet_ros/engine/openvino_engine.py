"""OpenVINO on the CPU."""
import importlib
import time

import torch

from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.reference import examples
from espnet_ros.engine.verification import compare
from espnet_ros.errors import EngineError, ModelError, one_line
from espnet_ros.process import release_freed_memory, return_freed_memory

# OpenVINO's name for each, and for a CPU with instructions for it. 'auto' tries them in this order.
_PRECISIONS = {'bf16': ('bf16', 'BF16'), 'fp16': ('f16', 'FP16'), 'fp32': ('f32', 'FP32')}


class OpenVINOEngine(Engine):
    """Runs the network with OpenVINO, which takes it as ONNX.

    precision 'auto' is the first of bf16, fp16 and fp32 that the CPU has instructions for and that keeps PyTorch's
    labels.
    """

    def __init__(self, card, network, width, height, device='auto', precision='auto'):
        """Build the engine and compare it with PyTorch in fp32. Raises EngineError."""
        super().__init__(card, width, height)
        self._has_confidence = False
        began = time.monotonic()
        if device not in ('auto', 'cpu'):
            raise EngineError('OpenVINO runs ESPNet on the CPU, not on device {!r}; use auto or cpu'.format(device))
        self._openvino = _openvino()
        precisions = _precisions(precision, self._openvino)
        return_freed_memory()
        # Before anything else, so that OpenVINO takes the memory that PyTorch gives back.
        self._examples = examples(card, network, width, height)
        release_freed_memory()
        try:
            self._content = onnx_model(card, network, width, height, confidence=True, dtype=torch.float32)
        except ModelError as error:
            raise EngineError('OpenVINO takes the network as ONNX: {}'.format(error))
        for self.precision in precisions:
            problem = self._try(confidence=False)  # with it the same graph has one more output
            if not problem:
                break
        else:
            raise EngineError('the OpenVINO engine of {} in {} is not used: {}'.format(
                card.name, self.precision, problem))
        self._build_seconds = time.monotonic() - began

    def _try(self, confidence):
        """Compile the network and compare it with PyTorch; return why it must not be used, '' if it may."""
        try:
            self._compile(confidence)
            for image, answer in self._examples:
                compare(self._infer(image, confidence), answer, self.precision)
        except (EngineError, RuntimeError, MemoryError) as error:  # OpenVINO's are RuntimeErrors of many lines
            return one_line(error)
        return ''

    def run(self, image, confidence=False):
        if confidence and not self._has_confidence and not self.problem:
            # From the first time on, for good: two graphs would take 80 MB more (1024x512).
            problem = self._try(confidence=True)
            if problem:
                self.problem = 'there is no confidence, OpenVINO cannot compute it: ' + problem
                self._request = None
        if self._request is None:
            self._compile(confidence=False)
        return self._infer(image, confidence and self._has_confidence)

    def _infer(self, image, confidence):
        self._request.get_input_tensor().data[0] = image  # of any layout; bytes become float32
        self._request.infer()
        labels = self._request.get_output_tensor(0).data[0].copy()
        return labels, self._request.get_output_tensor(1).data[0].copy() if confidence else None

    def _compile(self, confidence):
        """Prepare what runs the network, with confidence or, a quarter faster, without."""
        self._request, self._has_confidence = None, False  # one at a time, for memory's sake
        release_freed_memory()
        core = self._openvino.Core()
        model = core.read_model(self._content)
        if not confidence:
            model.remove_result(model.output('confidence').get_node())
        # Not pinned: a thread whose core another process takes may go to the other one.
        settings = {'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': 'NO',
                    'INFERENCE_PRECISION_HINT': _PRECISIONS[self.precision][0]}
        self._request = core.compile_model(model, 'CPU', settings).create_infer_request()
        self._has_confidence = confidence

    def describe(self):
        threads = self._request.get_compiled_model().get_property('INFERENCE_NUM_THREADS')
        return EngineInfo('openvino', 'CPU, {} threads'.format(threads), self.precision, self._build_seconds,
                          fallback=self.fallback, choice=self.choice)


def _openvino():
    try:
        openvino = importlib.import_module('openvino')
    except ImportError:
        raise EngineError('OpenVINO is not installed: pip install openvino onnx')
    if not hasattr(openvino, 'Core'):  # up to 2022 it was in openvino.runtime
        raise EngineError('this OpenVINO is too old, it has no openvino.Core; install a newer one: '
                          'pip install --upgrade openvino')
    return openvino


def _precisions(wanted, openvino):
    """Return the precisions to try, in order. Raises EngineError."""
    try:
        capabilities = openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
    except RuntimeError as error:
        raise EngineError('OpenVINO cannot use this CPU: ' + one_line(error))
    there = [name for name, (_, capability) in _PRECISIONS.items() if capability in capabilities]
    if wanted == 'auto':
        return there
    if wanted not in _PRECISIONS:
        raise EngineError('OpenVINO runs ESPNet in fp32, bf16 or fp16, not in {}'.format(wanted))
    if wanted not in there:
        raise EngineError('this CPU does not compute in {}; with OpenVINO it does in {}'.format(
            wanted, ' and '.join(there)))
    return [wanted]
