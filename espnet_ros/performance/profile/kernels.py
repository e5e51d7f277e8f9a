"""The kernels that a network spends most time in, as in the paper's appendix D."""
import importlib
import os
import typing

import torch

from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.performance.statistics import faster_half

_OPENVINO_PRECISIONS = {'fp32': 'f32', 'fp16': 'f16', 'bf16': 'bf16'}


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


def measure_openvino_kernels(card, network, image, precision, runs=20):
    """As measure_kernels, of a model in OpenVINO. Raises ModelError.

    card, network: as from models.find and models.load. image: BGR uint8 [H, W, 3] at the network's size. precision:
    fp32, fp16 or bf16, as in the engine.
    """
    openvino = importlib.import_module('openvino')
    core = openvino.Core()
    content = onnx_model(card, network, image.shape[1], image.shape[0], dtype=torch.float32)
    request = core.compile_model(core.read_model(content), 'CPU', {
        'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': _OPENVINO_PRECISIONS[precision],
        'PERF_COUNT': True}).create_infer_request()
    request.get_input_tensor().data[0] = image
    rounds = []
    for _ in range(1 + runs):
        request.infer()
        rounds.append([('{} {}'.format(node.node_type, node.exec_type), node.real_time.total_seconds())
                       for node in request.profiling_info if node.real_time])
    return mean(rounds[1:])


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
