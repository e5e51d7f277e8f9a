"""Time per layer of a network in OpenVINO, by OpenVINO's own counters."""
import typing

from espnet_ros.performance.profile.layers import Layer
from espnet_ros.performance.statistics import faster_half

_TICK = 1e-6
"""Seconds in which the counters count: what takes less is 0 to them."""


def measure_openvino_layers(engine, image, runs=20, warmup=2):
    """Return a list of Layer, one for each node that an OpenVINOEngine runs, in the order in which they run.

    A node is an operation of the network together with what OpenVINO computes in the same go, such as an activation;
    flop does not count products of attention, which it joins into one.
    image: BGR uint8 of the engine's size. Times are means over the faster half of the runs.
    """
    request = engine.request(PERF_COUNT=True)
    request.get_input_tensor().data[0] = image
    rounds = []
    for _ in range(warmup + runs):
        request.infer()
        rounds.append({node.node_name: node.real_time.total_seconds() for node in request.profiling_info})
    fast = faster_half(rounds[warmup:], lambda seconds: sum(seconds.values()))
    layers = []
    for node in request.get_compiled_model().get_runtime_model().get_ordered_ops():
        name, kind = node.get_friendly_name(), node.get_rt_info()['layerType'].astype(str)
        seconds = sum(times.get(name, 0.0) for times in fast) / len(fast)
        inputs, outputs = ([(list(port.get_shape()), port.get_element_type().size) for port in ports]
                           for ports in (node.inputs(), node.outputs()))
        flop = _flop(kind, [shape for shape, _ in inputs], [shape for shape, _ in outputs])
        if seconds or flop:
            layers.append(Layer(name, name, kind, max(seconds, _TICK / 2), flop, sum(
                size * _product(shape) for shape, size in inputs + outputs)))
    return layers


def _flop(kind, inputs, outputs):
    """Return the operations of a node by the shapes of its inputs and outputs, as in counting.Work."""
    if kind == 'Convolution':  # weights [outputs, inputs, height, width], in groups with these in front
        return 2 * _product(outputs[0]) * _product(inputs[1][len(inputs[1]) - len(inputs[0]) + 1:])
    if kind == 'Deconvolution':
        return 2 * _product(inputs[0]) * _product(inputs[1][len(inputs[1]) - len(inputs[0]) + 1:])
    if kind in ('MatMul', 'FullyConnected'):
        return 2 * _product(outputs[0]) * inputs[0][-1]
    return 0


def _product(sides: typing.Sequence[int]):
    product = 1
    for side in sides:
        product *= side
    return product
