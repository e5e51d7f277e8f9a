"""OpenVINO on the CPU."""
import importlib
import time

import torch

from espnet_ros.deploy.deploy import deploy
from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.memory import release_freed_memory, return_freed_memory
from espnet_ros.engine.verification import example_images, pytorch, verify
from espnet_ros.errors import EngineError, ModelError

# OpenVINO's name for each, and for a CPU with instructions for it. 'auto' tries them in this order.
_PRECISIONS = {'bf16': ('bf16', 'BF16'), 'fp16': ('f16', 'FP16'), 'fp32': ('f32', 'FP32')}


class OpenVINOEngine(Engine):
    """Runs the network with OpenVINO, which takes it as ONNX.

    precision 'auto' is the first of bf16, fp16 and fp32 that the CPU has instructions for and that keeps PyTorch's
    labels. threads: how many OpenVINO may use, 0 for one a core.
    """

    def __init__(self, card, network, width, height, device='auto', precision='auto', threads=0):
        """Build the engine and compare it with PyTorch in fp32. Raises EngineError."""
        super().__init__(card, width, height)
        began = time.time()
        if device not in ('auto', 'cpu'):
            raise EngineError('OpenVINO runs ESPNet on the CPU, not on device {!r}; use auto or cpu'.format(device))
        if type(threads) is not int or threads < 0:
            raise EngineError('threads is {!r}; it must be a whole number, 0 for one a core'.format(threads))
        self._threads = threads
        self._openvino = _openvino()
        precisions = _precisions(precision, self._openvino)
        return_freed_memory()
        images = example_images(width, height)
        # Before anything else, so that OpenVINO takes the memory that PyTorch gives back.
        answers = _answers(card, network, images)
        release_freed_memory()
        try:
            self._content = onnx_model(card, network, width, height, confidence=True, dtype=torch.float32)
        except ModelError as error:
            raise EngineError('OpenVINO takes the network as ONNX: {}'.format(error))
        for self.precision in precisions:
            problem = self._problem(images, answers)
            if not problem:
                break
        else:
            raise EngineError('the OpenVINO engine of {} in {} is not used: {}'.format(
                card.name, self.precision, problem))
        self._build_seconds = time.time() - began

    def _problem(self, images, answers):
        """Return why the engine must not run in self.precision, '' if it may. answers: PyTorch's, by id(image)."""
        try:
            # Without confidence: that is the same graph with one more output, and two of them take 80 MB more.
            self._compile(confidence=False)
            verify(lambda image: (self.run(image)[0], answers[id(image)][1]), lambda image: answers[id(image)], images,
                   self.precision)
        except (EngineError, RuntimeError) as error:  # OpenVINO's are RuntimeErrors of many lines
            return _sentence(error)
        return ''

    def run(self, image, confidence=False):
        if confidence and not self._has_confidence:
            self._compile(confidence=True)  # who wants it once will want it again
        self._request.get_input_tensor().data[0] = image  # of any layout; bytes become float32
        self._request.infer()
        labels = self._request.get_output_tensor(0).data[0].copy()
        return labels, self._request.get_output_tensor(1).data[0].copy() if confidence else None

    def _compile(self, confidence):
        """Prepare what runs the network, with confidence or, a quarter faster, without."""
        self._request = None  # one at a time, for memory's sake
        release_freed_memory()
        core = self._openvino.Core()
        model = core.read_model(self._content)
        if not confidence:
            model.remove_result(model.output('confidence').get_node())
        # Not pinned: a thread whose core another process takes may go to the other one.
        settings = {'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': 'NO',
                    'INFERENCE_PRECISION_HINT': _PRECISIONS[self.precision][0]}
        if self._threads:
            settings['INFERENCE_NUM_THREADS'] = str(self._threads)
        self._request = core.compile_model(model, 'CPU', settings).create_infer_request()
        self._has_confidence = confidence

    def describe(self):
        threads = self._request.get_compiled_model().get_property('INFERENCE_NUM_THREADS')
        return EngineInfo('openvino', 'CPU, {} threads'.format(threads), self.precision, self._build_seconds,
                          fallback=self.fallback, choice=self.choice)


def _answers(card, network, images):
    """Return PyTorch's labels and confidence of each image, by its id. Raises EngineError."""
    reference = pytorch(deploy(network, card).to(memory_format=torch.channels_last))
    try:
        return {id(image): reference(image) for image in images}
    except RuntimeError as error:
        raise EngineError('PyTorch, against which OpenVINO is verified, cannot run {} at {}x{}: {}'.format(
            card.name, images[0].shape[1], images[0].shape[0], str(error).splitlines()[0]))


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
        raise EngineError('OpenVINO cannot use this CPU: ' + _sentence(error))
    there = [name for name, (_, capability) in _PRECISIONS.items() if capability in capabilities]
    if wanted == 'auto':
        return there
    if wanted not in _PRECISIONS:
        raise EngineError('OpenVINO runs ESPNet in fp32, bf16 or fp16, not in {}'.format(wanted))
    if wanted not in there:
        raise EngineError('this CPU does not compute in {}; with OpenVINO it does in {}'.format(
            wanted, ' and '.join(there)))
    return [wanted]


def _sentence(error):
    return ' '.join(str(error).split())[:300]
