"""A machine with an NVIDIA GPU, TensorRT and torch2trt, all of them stand-ins on the CPU."""
import contextlib
import sys

import torch
from fake_tensorrt import make_tensorrt
from fake_torch2trt import make_torch2trt

from espnet_ros.engine.tensorrt import engine as tensorrt_engine


class FakeGpu:
    """As espnet_ros.engine.gpu.Gpu, with its memory on the CPU."""

    device = torch.device('cpu')

    def __init__(self, name='NVIDIA Tegra X2', capability=(6, 2), multiprocessors=2):
        self.name, self.capability, self.multiprocessors = name, capability, multiprocessors

    @contextlib.contextmanager
    def current(self):
        yield

    stream = current


def make_jetson(monkeypatch, tensorrt='8.2.1.8', torch2trt='0.4.0', **gpu):
    """Put the stand-ins into place; return the module `tensorrt`."""
    trt = make_tensorrt(tensorrt)
    monkeypatch.setitem(sys.modules, 'tensorrt', trt)
    monkeypatch.setitem(sys.modules, 'torch2trt', make_torch2trt(trt, torch2trt))
    monkeypatch.setattr(tensorrt_engine, 'find_gpu', lambda device: FakeGpu(**gpu))
    monkeypatch.setattr(tensorrt_engine, 'driver_version', lambda: 'L4T R32 7.1')
    return trt
