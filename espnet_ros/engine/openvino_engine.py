"""OpenVINO on the CPU."""
import contextlib
import importlib
import os
import platform
import threading
import time

import torch

from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.companion import read_companion
from espnet_ros.engine.openvino_layout import multiply_logits
from espnet_ros.engine.reference import examples
from espnet_ros.engine.tensorrt.cache import EngineCache
from espnet_ros.engine.verification import compare, example_images
from espnet_ros.errors import EngineError, ModelError, one_line
from espnet_ros.process import release_freed_memory, return_freed_memory

# OpenVINO's name for each, and for a CPU with instructions for it. 'auto' tries the floating ones in this order.
_PRECISIONS = {'bf16': ('bf16', 'BF16'), 'fp16': ('f16', 'FP16'), 'fp32': ('f32', 'FP32'), 'int8': ('f32', 'INT8')}

_TRIALS = 10
"""Images on which precisions are compared in speed; the fastest counts, since other processes only slow it down."""


class OpenVINOEngine(Engine):
    """Runs the network with OpenVINO, which takes it as ONNX, or as the card's int8 companion.

    precision 'auto' is the first of bf16, fp16 and fp32 that the CPU has instructions for and that keeps PyTorch's
    labels; or int8 where the card vouches for its companion, unless it is slower than that here by the clock and by CPU
    time. This is measured once and kept in the folder cache_dir ('' is that of the engines); what the two do not agree
    on is measured again the next time.

    concurrency: how many images it may be given at once, at most one for each core; they share the cores. One image
    then takes longer, and all of them together less time, since threads wait for one another more rarely.
    """

    def __init__(self, card, network, width, height, device='auto', precision='auto', cache_dir='', progress=None,
                 concurrency=1):
        """Build the engine and compare it with PyTorch in fp32. Raises EngineError."""
        super().__init__(card, width, height)
        self.concurrency = min(concurrency, len(os.sched_getaffinity(0)))
        self._compiled = None
        self._compiling = threading.Lock()
        self._of_thread = threading.local()  # compiled: a network, and request: this thread's for it
        began = time.monotonic()
        if device not in ('auto', 'cpu'):
            raise EngineError('OpenVINO runs networks on the CPU, not on device {!r}; use auto or cpu'.format(device))
        self._openvino = _openvino()
        precisions = _precisions(precision, self._openvino)
        return_freed_memory()
        # Before anything else, so that OpenVINO takes the memory that PyTorch gives back.
        self._examples = examples(card, network, width, height)
        release_freed_memory()
        self._network = network
        self._content = None
        if precision == 'auto' and card.int8 is not None and card.int8.is_vouched_for:
            self._take_fastest(precisions, cache_dir, progress or (lambda words: None))
        else:
            self._take_first(precisions)
        self._network = None  # what is still needed is in self._content
        self._build_seconds = time.monotonic() - began

    def _take_first(self, precisions):
        """Run in the first of the precisions that works. Raises EngineError when none does."""
        if precisions != ['int8'] and self._content is None:
            self._content = self._export()
        for self.precision in precisions:
            problem = self._try(confidence=False)  # with it the same graph has one more output
            if not problem:
                return
        raise EngineError('the OpenVINO engine of {} in {} is not used: {}'.format(
            self.card.name, self.precision, problem))

    def _take_fastest(self, precisions, cache_dir, progress):
        """Run in int8 or in the first of the precisions that works, whichever is faster. Raises EngineError."""
        name = '{}-{}x{}-openvino-{}'.format(self.card.name, self.width, self.height, self.concurrency)
        key = {'weights': self.card.sha256, 'int8': self.card.int8.sha256, 'OpenVINO': self._openvino.__version__,
               'CPU': _cpu_name(), 'cores': len(os.sched_getaffinity(0)), 'concurrency': self.concurrency}
        cache, kept = None, b''
        with contextlib.suppress(EngineError):  # without a folder it is measured each time
            cache = EngineCache(cache_dir)
            kept = cache.load(name, key).content or b''
        known = kept.decode('ascii', 'replace').split(' ')[0]
        if known in _PRECISIONS:
            with contextlib.suppress(EngineError):
                self._take_first([known])
                self.choice = kept.decode('ascii', 'replace') + ', measured before'
                return
        progress('measuring which precision is the fastest')
        self._take_first(precisions)
        other, floats = self.precision, self._measure()
        try:
            self._take_first(['int8'])
            integers = self._measure()
        except EngineError as error:
            self.choice = 'no int8: {}'.format(error)
            self._take_first([other])
            return
        texts = ['{} {:.1f} ms'.format(*item) for item in (('int8', 1000 * integers[0]), (other, 1000 * floats[0]))]
        is_slower = [a >= b for a, b in zip(integers, floats)]
        if all(is_slower):
            texts.reverse()
            self._take_first([other])
        self.choice = ', '.join(texts)
        if len(set(is_slower)) > 1:  # int8 has less to do, so other programs are the likelier reason
            self.choice += ' while others used the CPU'
        elif cache is not None:
            with contextlib.suppress(EngineError):
                cache.store(name, key, self.choice.encode('ascii'))

    def _measure(self):
        """Return the seconds that an image takes, and those that all threads together compute."""
        seconds = []
        image = example_images(self.width, self.height)[0]
        for _ in range(_TRIALS + 2):  # the first ones allocate
            began = time.perf_counter(), time.process_time()
            self.run(image)
            seconds.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        return tuple(map(min, zip(*seconds[2:])))

    def _try(self, confidence):
        """Compile the network and compare it with PyTorch; return why it must not be used, '' if it may."""
        self._compiled = None  # one at a time, for memory's sake
        self._of_thread.__dict__.clear()
        release_freed_memory()
        try:
            compiled = self._compile(confidence)
            request = compiled.create_infer_request()
            for image, answer in self._examples:
                compare(_infer(request, image, confidence), answer, self.precision)
        except (EngineError, RuntimeError, MemoryError) as error:  # OpenVINO's are RuntimeErrors of many lines
            return one_line(error)
        self._compiled = compiled
        return ''

    def run(self, image, confidence=False):
        compiled = self._compiled
        if not self._suits(compiled, confidence):
            del compiled  # two graphs would take 80 MB more (1024x512)
            self._of_thread.__dict__.clear()
            with self._compiling:
                compiled = self._compiled_for(confidence)
        return _infer(self._own_request(compiled), image, confidence and len(compiled.outputs) > 1)

    def _suits(self, compiled, confidence):
        return compiled is not None and (not confidence or len(compiled.outputs) > 1 or bool(self.problem))

    def _compiled_for(self, confidence):
        """Return the compiled network, with confidence if that is asked for and can be had, for good from then on."""
        if not self._suits(self._compiled, confidence):
            problem = self._try(confidence)
            if problem and confidence:
                self.problem = 'there is no confidence, OpenVINO cannot compute it: ' + problem
                problem = self._try(confidence=False)
            if problem:
                raise EngineError('OpenVINO can no longer run {}: {}'.format(self.card.name, problem))
        return self._compiled

    def _own_request(self, compiled):
        """Return this thread's infer request for a compiled network."""
        own = self._of_thread
        if getattr(own, 'compiled', None) is not compiled:
            own.compiled, own.request = compiled, compiled.create_infer_request()
        return own.request

    def request(self, confidence=False, **settings):
        """Return an infer request of the network with the outputs labels and, if asked for, confidence.

        settings: OpenVINO's own, such as PERF_COUNT=True.
        """
        return self._compile(confidence, **settings).create_infer_request()

    def _compile(self, confidence, **settings):
        """Return the network, compiled with the outputs labels and confidence or, a quarter faster, labels alone."""
        core = self._openvino.Core()
        model = self._read(core)
        if not confidence:
            model.remove_result(model.output('confidence').get_node())
        streams = {'PERFORMANCE_HINT': 'THROUGHPUT', 'NUM_STREAMS': self.concurrency} if self.concurrency > 1 else {}
        # Not pinned: a thread whose core another process takes may go to the other one.
        return core.compile_model(model, 'CPU', dict({
            'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': 'NO',
            'INFERENCE_PRECISION_HINT': _PRECISIONS[self.precision][0]}, **streams, **settings))

    def _read(self, core):
        """Return the network at its size as OpenVINO's model, with the outputs labels and confidence."""
        if self.precision == 'int8':
            model = core.read_model(*read_companion(self.card))
            own, wanted = model.input().partial_shape, [1, self.height, self.width, 3]
            if own.is_static and own.to_shape() != wanted:
                raise EngineError('the int8 companion of {} takes {}x{} only, not {}x{}'.format(
                    self.card.name, own.to_shape()[2], own.to_shape()[1], self.width, self.height))
            model.reshape(wanted)
        else:
            model = core.read_model(self._content)
        multiply_logits(model)
        return model

    def _export(self):
        try:
            return onnx_model(self.card, self._network, self.width, self.height, confidence=True, dtype=torch.float32)
        except ModelError as error:
            raise EngineError('OpenVINO takes the network as ONNX: {}'.format(error))

    def describe(self):
        threads = self._compiled.get_property('INFERENCE_NUM_THREADS')
        return EngineInfo('openvino', 'CPU, {} threads'.format(threads), self.precision, self._build_seconds,
                          fallback=self.fallback, choice=self.choice)


def _infer(request, image, confidence):
    request.get_input_tensor().data[0] = image  # of any layout; bytes become float32
    request.infer()
    labels = request.get_output_tensor(0).data[0].copy()
    return labels, request.get_output_tensor(1).data[0].copy() if confidence else None


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
        return [name for name in there if name != 'int8']
    if wanted not in _PRECISIONS:
        raise EngineError('OpenVINO runs networks in fp32, bf16, fp16 or int8, not in {}'.format(wanted))
    if wanted not in there:
        raise EngineError('this CPU does not compute in {}; with OpenVINO it does in {}'.format(
            wanted, ' and '.join(there)))
    return [wanted]


def _cpu_name():
    """Return what the kernel calls the CPU, with its instructions, which virtual machines may hide."""
    try:
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as stream:
            lines = [line.partition(':')[2].strip() for line in stream
                     if line.startswith(('model name', 'flags', 'Features'))]
    except OSError:
        lines = []
    return ' '.join(lines[:2]) or platform.machine()
