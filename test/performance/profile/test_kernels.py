"""Time of kernels."""
import types

import numpy as np
import pytest
import small_models
import torch
from torch import nn

from espnet_ros.performance.profile.kernels import (
    Kernel,
    copying,
    durations,
    mean,
    measure_kernels,
    measure_openvino_kernels,
)


def event(name, microseconds=0.0, kernels=()):
    return types.SimpleNamespace(name=name, self_cpu_time_total=microseconds, kernels=[
        types.SimpleNamespace(name=kernel, duration=duration) for kernel, duration in kernels])


def test_on_a_cpu_operations_are_taken():
    events = [event('aten::cat', 30.0), event('aten::add', 50.0), event('aten::cat', 40.0)]
    assert durations(events, False) == [
        ('aten::cat', pytest.approx(30e-6)), ('aten::add', pytest.approx(50e-6)), ('aten::cat', pytest.approx(40e-6))]


def test_on_a_gpu_their_kernels_are():
    events = [event('aten::conv', 9.0, [('gemm', 500.0), ('im2col', 20.0)]), event('aten::view', 9.0),
              event('aten::conv', 9.0, [('gemm', 300.0)])]
    assert durations(events, True) == [
        ('gemm', pytest.approx(500e-6)), ('im2col', pytest.approx(20e-6)), ('gemm', pytest.approx(300e-6))]


def test_the_mean_is_of_the_faster_runs():
    rounds = [[('a', 1.0), ('b', 3.0), ('b', 1.0)], [('a', 100.0)], [('a', 3.0), ('b', 2.0)], [('b', 50.0)]]
    assert mean(rounds) == [Kernel('b', 1.5, 3.0), Kernel('a', 1.0, 2.0)]
    assert mean(rounds[:1]) == [Kernel('b', 2.0, 4.0), Kernel('a', 1.0, 1.0)]


def test_a_real_network():
    network = nn.Sequential(nn.Conv2d(8, 8, 3), nn.PReLU()).eval()
    found = {kernel.name: kernel for kernel in measure_kernels(network, torch.zeros(1, 8, 64, 64), runs=3)}
    convolutions = [kernel for name, kernel in found.items() if name == 'aten::conv2d']
    assert [kernel.calls for kernel in convolutions] == [1.0]
    assert all(kernel.seconds >= 0 for kernel in found.values()) and 'aten::prelu' in found


def test_openvinos_kernels():
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    from espnet_ros.engine.openvino_engine import OpenVINOEngine
    engine = OpenVINOEngine(small_models.CARD, small_models.network(), 96, 64, precision='fp32')
    found = measure_openvino_kernels(engine, np.zeros((64, 96, 3), np.uint8), runs=2)
    assert [kernel.seconds for kernel in found] == sorted((kernel.seconds for kernel in found), reverse=True)
    convolutions = sum(kernel.calls for kernel in found if kernel.name.startswith('Convolution'))
    assert convolutions > 10 and any(kernel.name.startswith('Concat') for kernel in found)
    assert 0 < copying(found) < 1


def test_what_only_moves_numbers():
    assert copying([Kernel('Convolution jit', 2.0, 6.0), Kernel('Reorder jit_uni', 1.0, 1.0),
                    Kernel('Concat ref', 1.0, 0.5), Kernel('TopK jit', 1.0, 0.5)]) == 1.5 / 8
