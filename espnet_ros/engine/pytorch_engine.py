"""PyTorch on the CPU or an NVIDIA GPU."""
import copy
import re
import time

import numpy as np
import torch

from espnet_ros.engine.base import Engine, EngineInfo
from espnet_ros.errors import EngineError
from espnet_ros.network.deploy import Deployed

_DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}


class PyTorchEngine(Engine):
    """Runs the network eagerly; fp32 on the CPU and fp16 on a GPU unless told otherwise."""

    def __init__(self, card, network, width, height, device='auto', precision='auto'):
        """Move the network to the device and run it once. Raises EngineError."""
        super().__init__(card, width, height)
        began = time.time()
        self.device = _device(device)
        self.precision = _precision(precision, self.device)
        try:
            # A copy: in half precision the caller's weights would lose digits that a fallback needs.
            network = copy.deepcopy(network).to(_DTYPES[self.precision])
            self.deployed = Deployed(network, card).eval().to(device=self.device, memory_format=torch.channels_last)
            # The first run allocates and picks kernels: better now than on the first frame.
            self.run(np.zeros((height, width, 3), np.uint8), confidence=True)
        except RuntimeError as error:
            raise EngineError('PyTorch cannot run {} at {}x{} in {} on {}: {}'.format(
                card.name, width, height, self.precision, self.device, str(error).splitlines()[0]))
        self._build_seconds = time.time() - began

    def run(self, image, confidence=False):
        # From [H, W, 3] bytes to a channels_last [1, 3, H, W] view: no copy on the CPU.
        # PyTorch takes neither negative strides nor, without a warning, what is read-only.
        tensor = torch.from_numpy(np.require(image, requirements='CW')).to(self.device).permute(2, 0, 1).unsqueeze(0)
        with torch.inference_mode():
            labels, certainty = self.deployed(tensor, confidence)
        return labels[0].cpu().numpy(), certainty[0].cpu().numpy() if confidence else None

    def describe(self):
        name = torch.cuda.get_device_name(self.device) if self.device.type == 'cuda' else 'CPU, {} threads'.format(
            torch.get_num_threads())
        return EngineInfo('torch', name, self.precision, self._build_seconds, fallback=self.fallback)


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
        return 'fp16' if device.type == 'cuda' else 'fp32'
    if wanted not in _DTYPES:
        raise EngineError('PyTorch runs ESPNet in fp32, bf16 or fp16, not in {}'.format(wanted))
    return wanted
