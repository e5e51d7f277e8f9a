"""A profile with round numbers, as of a Jetson."""
from espnet_ros.performance.profile.counters import Counters
from espnet_ros.performance.profile.efficiency import Efficiency, KernelEfficiency
from espnet_ros.performance.profile.frequencies import Point
from espnet_ros.performance.profile.kernels import Kernel
from espnet_ros.performance.profile.layers import Layer
from espnet_ros.performance.profile.profile import Profile
from espnet_ros.performance.profile.roofline import Position, Roofline
from espnet_ros.performance.timeline import Sample, Timeline


def _sample(at, frames, working):
    return Sample(at, frames, {
        'cpu/load': 30.0 if working else 10.0, 'cpu/core0/load': 60.0, 'cpu/core1/load': 0.0, 'gpu/load':
        95.0 if working else 0.0, 'memory/used': 2048.0, 'power/total': 8.0 if working else 3.0})


PROFILE = Profile(
    about={'model': 'small', 'width': 96, 'height': 64, 'parameters': 364569, 'weights': 'random', 'torch_precision':
           'fp16', 'torch_device': 'Tegra X2', 'layers': 'PyTorch fp16',
           'engine': {'backend': 'tensorrt', 'precision': 'fp16', 'device': 'Tegra X2'}},
    parts=[Layer('', '', 'Deployed', 0.01, 0, 1000000),
           Layer('network.level1', 'network.level1.conv', 'Conv2d', 0.03, 60000000, 4000000),
           Layer('network.level2.0', 'network.level2.0', 'ESP', 0.02, 0, 1000000),
           Layer('network.level2.0', 'network.level2.0.branches.3', 'Conv2d', 0.04, 240000000, 4000000)],
    kernels={'torch': [
        Kernel('void gemm<int=128>(float*, float const*, int)', 3.0, 0.06), Kernel('im2col', 2.0, 0.02)]},
    timeline=Timeline(tuple(_sample(0.5 * i, max(0, 4 * (i - 2)), 2 <= i <= 10) for i in range(13)), 1.0, 5.0,
                      (0.1,) * 30 + (0.2,) * 5),
    memory=1500.0, gpu_memory=200.0, roofline=Roofline('fp16', 1e12, 3e10),
    positions={'torch': Position(30.0, 3e9, 9e11, 0.25, 'memory')},
    counters=Counters({'task-clock': 120.0, 'instructions': 3e8}, {'instructions per cycle': 1.25}),
    efficiency=Efficiency('nvprof', {'warp execution efficiency': 91.5, 'global load efficiency': 70.25}, (
        KernelEfficiency('void gemm<int=128>(float*)', 30, 1e6, {'warp execution efficiency': 98.5}),)),
    frequencies=[Point(800.0, 0.10, 5.0, 0.5), Point(1000.0, 0.09, None, None)],
    missing=('no temperature: it has no sensor',))
