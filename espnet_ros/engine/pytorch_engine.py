"""PyTorch on the CPU or an NVIDIA GPU."""
import re
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.deploy.deploy import deploy
from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.engine.cuda_graphs import CudaGraphs
from espnet_ros.errors import EngineError
from espnet_ros.models.onnx_file import OnnxNetwork
from espnet_ros.process import keep_freed_memory

_DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}


class PyTorchEngine(Engine):
    """Runs the network with PyTorch.

    precision 'auto' is fp16 on a GPU, bf16 on a CPU that computes in it, fp32 on others.
    """

    def __init__(self, card, network, width, height, device='auto', precision='auto'):
        """Move the network to the device and run it once. Raises EngineError."""
        super().__init__(card, width, height)
        began = time.monotonic()
        if isinstance(network, OnnxNetwork):
            raise EngineError('{} is an ONNX file: it runs in OpenVINO, ONNX Runtime or TensorRT, not in '
                              'PyTorch'.format(card.name))
        self.device = _device(device)
        self.precision = _precision(precision, self.device)
        on_cpu = self.device.type == 'cpu'
        if on_cpu:
            keep_freed_memory()
        try:
            self.deployed = deploy(network, card, tiled=on_cpu).to(
                device=self.device, memory_format=torch.channels_last)
            half = self.deployed.network if on_cpu else nn.ModuleList([self.deployed.network, self.deployed.head])
            half.to(_DTYPES[self.precision])
            self._run = self._run_eagerly if on_cpu or not hasattr(torch.cuda, 'graph') else CudaGraphs(
                self.deployed, self.device)
            # The first run allocates and picks kernels: better now than on the first frame.
            self.run(np.zeros((height, width, 3), np.uint8))
        except RuntimeError as error:
            raise EngineError('PyTorch cannot run {} at {}x{} in {} on {}: {}'.format(
                card.name, width, height, self.precision, self.device, str(error).splitlines()[0]))
        self._build_seconds = time.monotonic() - began

    def run(self, image, confidence=False):
        # PyTorch takes neither negative strides nor, without a warning, what is read-only.
        tensor = torch.from_numpy(np.require(image, requirements=('C', 'W')))
        with torch.inference_mode():
            return self._run(tensor, confidence)

    def _run_eagerly(self, tensor, confidence):
        # From [H, W, 3] bytes to a channels_last [1, 3, H, W] view: no copy on the CPU.
        labels, probability = self.deployed(tensor.to(self.device).unsqueeze(0).permute(0, 3, 1, 2), confidence)
        return labels[0].cpu().numpy(), probability[0].cpu().numpy() if confidence else None

    def logits(self, image):
        tensor = torch.from_numpy(np.require(image, requirements=('C', 'W'))).to(self.device)
        with torch.inference_mode():
            features = self.deployed.features(self.deployed.normalize(tensor.unsqueeze(0).permute(0, 3, 1, 2)))
            found = self.deployed.head.logits(features, *self.deployed.head.own_size(features))
        return np.ascontiguousarray(found[0].float().cpu().numpy())

    def describe(self):
        name = torch.cuda.get_device_name(self.device) if self.device.type == 'cuda' else 'CPU, {} threads'.format(
            torch.get_num_threads())
        return EngineInfo('torch', name, self.precision, self._build_seconds, fallback=self.fallback,
                          choice=self.choice)


def _device(wanted):
    if wanted == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    match = re.match(r'cpu\Z|cuda(?::([0-9]{1,3}))?\Z', str(wanted))
    if not match:
        raise EngineError('device {!r} is not one of auto, cpu, cuda, cuda:N'.format(wanted))
    if wanted == 'cpu':
        return torch.device('cpu')
    if not torch.cuda.is_available():
        raise EngineError('device {!r} is not there: PyTorch {} finds no NVIDIA GPU; use cpu, or a PyTorch built for '
                          'this GPU'.format(wanted, torch.__version__))
    index = int(match.group(1) or 0)
    if index >= torch.cuda.device_count():
        raise EngineError('device {!r} is not there: this machine has {} GPU(s), counted from 0'.format(
            wanted, torch.cuda.device_count()))
    return torch.device('cuda', index)


def _precision(wanted, device):
    if wanted == 'auto':
        return 'fp16' if device.type == 'cuda' else 'bf16' if _computes_in_bf16() else 'fp32'
    if wanted not in _DTYPES:
        raise EngineError('PyTorch runs networks in fp32, bf16 or fp16, not in {}'.format(wanted))
    return wanted


def check_speed(device, precision):
    """Raise EngineError when a precision would be slower than fp32: bf16 and fp16 on a CPU without instructions."""
    slow = precision == 'fp16' or (precision == 'bf16' and not _computes_in_bf16())
    if slow and _device(device).type == 'cpu':
        raise EngineError('PyTorch computes in {} on this CPU only slower than in fp32; choose precision auto'.format(
            precision))


def _computes_in_bf16():
    """Whether the CPU has instructions for it (without, it is slower than fp32), and this PyTorch the operations."""
    try:
        functional.prelu(torch.zeros(1, 1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.bfloat16))
        with open('/proc/cpuinfo') as stream:
            flags = next(line for line in stream if line.startswith(('flags', 'Features'))).split()
    except (RuntimeError, OSError, StopIteration):
        return False
    return 'avx512_bf16' in flags or 'amx_bf16' in flags
