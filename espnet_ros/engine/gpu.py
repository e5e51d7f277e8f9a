"""NVIDIA GPUs as PyTorch sees them."""
import contextlib
import re

import torch

from espnet_ros.errors import EngineError

_HALF_SPEED_CAPABILITIES = ((5, 3), (6, 0), (6, 2))  # of those before 7.0, the ones that compute fp16 faster than fp32
_DRIVER_FILES = (
    ('/etc/nv_tegra_release', r'# (R\d+) \(release\), REVISION: ([\d.]+)', 'L4T {} {}'),
    ('/proc/driver/nvidia/version', r'NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s', 'driver {}'))


class Gpu:
    """One GPU.

    device: torch.device. name: as the driver calls it. capability: CUDA compute capability, (major, minor).
    multiprocessors: how many it has.
    """

    def __init__(self, index):
        self.device = torch.device('cuda', index)
        properties = torch.cuda.get_device_properties(index)
        self.name = properties.name
        self.capability = properties.major, properties.minor
        self.multiprocessors = properties.multi_processor_count
        self._stream = torch.cuda.Stream(self.device)

    def current(self):
        """Return a context in which this is the GPU that libraries use."""
        return torch.cuda.device(self.device)

    @contextlib.contextmanager
    def stream(self):
        """A context in which work goes to this GPU on a stream of its own."""
        with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
            yield


def find_gpu(device='auto'):
    """Return the Gpu called 'cuda:N'; 'auto' and 'cuda' are the first one. Raises EngineError."""
    match = re.match(r'(?:auto|cuda(?::([0-9]{1,3}))?)\Z', str(device))
    if not match:
        raise EngineError('device {!r} is none that TensorRT runs on; use auto, cuda or cuda:N'.format(device))
    if not torch.cuda.is_available():
        raise EngineError('TensorRT needs an NVIDIA GPU, and PyTorch {} finds none; use the backend torch, or install '
                          'a PyTorch built for this GPU'.format(torch.__version__))
    index = int(match.group(1) or 0)
    if index >= torch.cuda.device_count():
        raise EngineError('device {!r} is not there: this machine has {} GPU(s), counted from 0'.format(
            device, torch.cuda.device_count()))
    return Gpu(index)


def has_fast_fp16(capability):
    """Whether a GPU of that compute capability computes faster in fp16 than in fp32."""
    return capability >= (7, 0) or capability in _HALF_SPEED_CAPABILITIES


def has_fast_int8(capability):
    """Whether a GPU of that compute capability has the instruction DP4A, which makes int8 fast."""
    return capability >= (7, 0) or capability == (6, 1)


def driver_version():
    """Return the L4T release of a Jetson or the driver's version, such as 'L4T R32 7.1'; '' where nothing says it."""
    for path, pattern, form in _DRIVER_FILES:
        try:
            with open(path, encoding='utf-8', errors='replace') as stream:
                match = re.search(pattern, stream.read(4096))
        except OSError:
            continue
        if match:
            return form.format(*match.groups())
    return ''
