"""The kernels that a network spends most time in, as in the paper's appendix D."""
import os
import typing

import torch

from espnet_ros.performance.statistics import faster_half

_COPIES = ('Concat', 'Convert', 'Gather', 'Reorder', 'Reshape', 'Split', 'Transpose', 'VariadicSplit')


class Kernel(typing.NamedTuple):
    """A GPU's kernel, or on a CPU an operation of PyTorch, or a type of operation with OpenVINO's implementation.

    calls, seconds: of one image.
    """

    name: str
    calls: float
    seconds: float


def measure_kernels(network, image, runs=10):
    """Return a list of Kernel, the longest first: means over the faster half of the runs.

    network: takes the tensor `image`. The numbers are PyTorch's profiler's, which takes some time itself.
    """
    os.environ.setdefault('KINETO_LOG_LEVEL', '9')  # read at its first use; else it logs every start
    from torch import profiler
    activities = [profiler.ProfilerActivity.CPU]
    if image.is_cuda:
        activities.append(profiler.ProfilerActivity.CUDA)
    rounds = []
    with torch.inference_mode():
        for _ in range(1 + runs):
            with profiler.profile(activities=activities) as profile:
                network(image)
                if image.is_cuda:
                    torch.cuda.synchronize(image.device)
            rounds.append(durations(profile.events(), image.is_cuda))
    return mean(rounds[1:])


def durations(events, on_gpu):
    """Return pairs of name and seconds of the events of PyTorch's profiler, whose times are in microseconds."""
    if on_gpu:
        return [(kernel.name, kernel.duration / 1e6) for event in events for kernel in event.kernels]
    return [(event.name, event.self_cpu_time_total / 1e6) for event in events]


def measure_openvino_kernels(engine, image, runs=20):
    """As measure_kernels, of an OpenVINOEngine, by OpenVINO's own counters. image: BGR uint8 of the engine's size."""
    request = engine.request(PERF_COUNT=True)
    request.get_input_tensor().data[0] = image
    rounds = []
    for _ in range(1 + runs):
        request.infer()
        rounds.append([('{} {}'.format(node.node_type, node.exec_type), node.real_time.total_seconds())
                       for node in request.profiling_info if node.real_time])
    return mean(rounds[1:])


def copying(kernels):
    """Return the share, 0..1, of the time of OpenVINO's kernels that only move numbers in memory or convert them."""
    return sum(kernel.seconds for kernel in kernels if kernel.name.split()[0] in _COPIES) / sum(
        kernel.seconds for kernel in kernels)


def mean(rounds):
    """Return a list of Kernel, the longest first, from pairs of name and seconds of each of some runs.

    Only the faster half of the runs counts.
    """
    fast = faster_half(rounds, lambda pairs: sum(seconds for _, seconds in pairs))
    found: typing.Dict[str, typing.Tuple[int, float]] = {}
    for pairs in fast:
        for name, seconds in pairs:
            calls, total = found.get(name, (0, 0.0))
            found[name] = calls + 1, total + seconds
    kernels = [Kernel(name, calls / len(fast), total / len(fast)) for name, (calls, total) in found.items()]
    return sorted(kernels, key=lambda kernel: -kernel.seconds)
