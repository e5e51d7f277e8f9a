"""TensorRT on an NVIDIA GPU."""
import re
import time

import numpy as np
import torch

from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.calibration import NO_IMAGES, CalibrationImages
from espnet_ros.engine.gpu import driver_version, find_gpu, has_fast_fp16, has_fast_int8
from espnet_ros.engine.tensorrt import PRECISIONS
from espnet_ros.engine.tensorrt.cache import EngineCache
from espnet_ros.engine.tensorrt.library import TensorRT, describe
from espnet_ros.engine.tensorrt.sources import source
from espnet_ros.engine.verification import compare
from espnet_ros.errors import EngineError

WORKSPACE = 1 << 28
"""Bytes that a layer may take for itself while it works."""

NOT_KEPT = 'none: '
"""How the state of the cache begins when the engine that runs is not in it; the reason follows."""


class TensorRTEngine(Engine):
    """Runs a network that TensorRT has compiled for this GPU; compiling takes minutes, so the result is kept.

    Every engine, built or loaded, is compared with PyTorch on images of a street before it is used; that of an ONNX
    file with ONNX Runtime, where that is installed.
    engine_path: where the engine is kept.
    """

    def __init__(self, card, network, width, height, device='auto', precision='auto', cache_dir='', calibration='',
                 progress=None):
        """Load the engine from the cache, or build it and put it there. Raises EngineError.

        precision: fp32, fp16, int8 or auto: fp16 where the GPU is fast in it, else fp32. cache_dir: folder of the
        EngineCache. calibration: folder of images for int8; '' takes an engine that is there, whatever images it has
        seen. progress: called with a few words whenever something begins that takes long.
        """
        super().__init__(card, width, height)
        began = time.monotonic()
        progress = progress or (lambda words: None)
        self._gpu = find_gpu(device)
        self._precision = _precision(precision, self._gpu)
        self._library = TensorRT()
        cache = EngineCache(cache_dir)
        int8 = self._precision == 'int8'
        images = CalibrationImages(calibration) if int8 and calibration else None
        name = _name(card, width, height, self._precision, self._gpu)
        self.engine_path = cache.path(name)
        try:
            with self._gpu.current():
                made = source(card, network, width, height, self._gpu.device)
                self._returned = [(made.shape, torch.float32)]
                self._classes, self._head = made.outputs, made.head
                with self._gpu.stream():
                    self._input = torch.zeros((1, 3, height, width), device=self._gpu.device)
                key = dict(_parts(card, made, self._gpu, self._library), width=width, height=height,
                           precision=self._precision, workspace=WORKSPACE,
                           calibration=images.sha256 if images else None if int8 else 'none')
                with cache.locked(name, lambda: progress('waiting for another process that builds this engine')):
                    content, problem = cache.load(name, key)
                    if content is not None:
                        problem = self._try(content, made, progress)
                    if content is not None and not problem:
                        self._cache = 'loaded'
                    else:
                        self._cache = 'rebuilt: ' + problem if problem else 'built'
                        if int8 and images is None:
                            raise EngineError('{}{}'.format(problem and problem + '; ', NO_IMAGES))
                        self._build(made, images, cache, (name, key), progress)
        except RuntimeError as error:  # PyTorch's, such as a GPU without free memory
            raise EngineError('{} cannot be prepared for TensorRT at {}x{} on {}: {}'.format(
                card.name, width, height, self._gpu.name, describe(error)))
        torch.cuda.empty_cache()  # what PyTorch's network took; a Jetson has one memory for everything
        self._build_seconds = time.monotonic() - began

    def _build(self, made, images, cache, name_and_key, progress):
        inputs = None
        if images:
            progress('reading calibration images')
            inputs = images.inputs(self.width, self.height, self._gpu.device, self._library.calibrates_single_images)
        progress('building the engine in {}; this takes minutes'.format(self._precision))
        content = made.build(self._library, self._input, self._precision, WORKSPACE, inputs)
        problem = self._try(content, made, progress)
        if problem:
            raise EngineError('the TensorRT engine of {} in {} is not used: {}'.format(
                self.card.name, self._precision, problem))
        try:
            cache.store(*name_and_key, content)
        except EngineError as error:  # a full disk, say: the engine works, only the next start has to build it again
            self._cache = NOT_KEPT + str(error)

    def _try(self, content, made, progress):
        """Make this engine the one that runs; return why it must not be, '' if it may."""
        progress('comparing the engine with ' + made.reference)
        try:
            self._execute = self._library.load(content)
            answers = made.examples()
            for image, answer in answers:
                compare(self.run(image, True), answer, self._precision)
            self.choice = '' if answers else 'not compared with {}, which is not installed'.format(made.reference)
        except EngineError as error:
            return str(error)
        return ''

    def run(self, image, confidence=False):
        if image.shape != (self.height, self.width, 3) or image.dtype not in (np.uint8, np.float32):
            raise EngineError('this engine takes images of uint8 or float32 [{}, {}, 3], not {} {}'.format(
                self.height, self.width, image.dtype, list(image.shape)))
        with self._gpu.stream(), torch.no_grad():
            pixels = torch.from_numpy(np.require(image, requirements=('C', 'W'))).to(self._gpu.device)
            self._input.copy_(pixels.permute(2, 0, 1).unsqueeze(0))
            labels, probability = self._finish(self._execute(self._input), confidence)
            return labels[0].cpu().numpy(), probability[0].cpu().numpy() if confidence else None

    def _finish(self, outputs, confidence):
        """From what the engine returns to labels and confidence, uint8 [1, H, W] on the GPU."""
        if [(tuple(output.shape), output.dtype) for output in outputs] != self._returned:
            raise EngineError('the engine returns {} instead of {}'.format(
                *[', '.join('{} {}'.format(dtype, list(shape)) for shape, dtype in kinds) for kinds in (
                    [(output.shape, output.dtype) for output in outputs], self._returned)]))
        index, probability = self._head(outputs[0], self.height, self.width, confidence)
        labels = self._classes[index.long().clamp_(0, len(self._classes) - 1)]
        return labels, (probability * 255.0).round().to(torch.uint8) if confidence else None

    def describe(self):
        return EngineInfo('tensorrt', '{}, TensorRT {}'.format(self._gpu.name, self._library.version),
                          self._precision, self._build_seconds, self._cache, self.fallback, self.choice)


def build_engine_file(card, network, width, height, **settings):
    """Put the engine into the cache, if it is not there, and return its path and the EngineInfo.

    settings: those of TensorRTEngine. Raises EngineError, also when the engine works but cannot be kept.
    """
    engine = TensorRTEngine(card, network, width, height, **settings)
    info = engine.describe()
    if info.cache.startswith(NOT_KEPT):
        raise EngineError(info.cache[len(NOT_KEPT):])
    return engine.engine_path, info


def _precision(wanted, gpu):
    if wanted == 'auto':
        return 'fp16' if has_fast_fp16(gpu.capability) else 'fp32'
    if wanted not in PRECISIONS:
        raise EngineError('TensorRT runs networks in {}, not in {}'.format(', '.join(PRECISIONS), wanted))
    if wanted == 'int8' and not has_fast_int8(gpu.capability):
        raise EngineError('int8 brings nothing on {} (sm_{}{}): it has no instruction for it (DP4A); use fp16'.format(
            gpu.name, *gpu.capability))
    return wanted


def _name(card, width, height, precision, gpu):
    words = [card.name, '{}x{}'.format(width, height), precision, gpu.name]
    return re.sub('[^a-z0-9._]+', '-', '-'.join(words).lower()).strip('-')


def _parts(card, made, gpu, library):
    """Everything outside the settings that decides whether an engine fits: a flat dict for the cache."""
    parts = {'architecture.' + field: value for field, value in card.architecture._asdict().items()}
    parts.update({
        'architecture.family': card.architecture.family,
        'weights': made.digest, 'mean': card.mean, 'std': card.std, 'divisor': card.divisor,
        'converters': made.version, 'TensorRT': library.version, 'CUDA': str(torch.version.cuda),
        'cuDNN': str(torch.backends.cudnn.version()), 'GPU': gpu.name, 'compute capability': gpu.capability,
        'multiprocessors': gpu.multiprocessors, 'driver': driver_version()})
    return parts
