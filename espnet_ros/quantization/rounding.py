"""Rounding of a quantized model's weights, as in GPTQ (Frantar et al., 2023): the next make up for the error of one."""
import numpy as np

IMAGES = 16
"""As many are enough to know how the inputs of a convolution go together."""

_PLACES = 1500
"""Of each image, at which the inputs of a convolution are looked at."""
_MOST_INPUTS = 1200
"""Convolutions with more for each output stay as they are: it would take too much memory, and errors average out."""
_DAMPING = 0.01
_LEAST, _MOST = -64, 63
"""Of a weight: 7 bits, so that sums do not overflow on CPUs without VNNI."""


def round_weights(openvino, quantized, original, inputs):
    """Round the int8 weights of a quantized model again so that its convolutions change as little as possible.

    quantized: openvino.Model as NNCF returns it, changed in place. original: the one in float that it was made of.
    inputs: float32 arrays of one shape, [1, height, width, 3] with values 0..255.
    """
    layers = _layers(quantized, original)
    moments = _moments(openvino, quantized, layers, inputs)
    for layer, weights in layers:
        scaled = layer.input_value(1).get_node()
        rounded = scaled.input_value(0).get_node()
        scale = np.broadcast_to(scaled.input_value(1).get_node().data, (len(weights), 1, 1, 1)).reshape(-1, 1)
        values = _rounded(weights.reshape(len(weights), -1) / scale, moments[layer.get_friendly_name()])
        constant = openvino.opset13.constant(values.reshape(weights.shape).astype(np.int8))
        rounded.input(0).replace_source_output(constant.output(0))


def _layers(quantized, original):
    """Return [(convolution, its weights in float)] of those with int8 weights."""
    nodes = {node.get_friendly_name(): node for node in original.get_ops()}
    layers = []
    for node in quantized.get_ordered_ops():
        if node.get_type_name() != 'Convolution' or node.get_friendly_name() not in nodes:
            continue
        chain = [node.input_value(1).get_node()]
        for kind in ('Multiply', 'Convert'):
            if chain[-1].get_type_name() == kind:
                chain.append(chain[-1].input_value(0).get_node())
        weights = nodes[node.get_friendly_name()].input_value(1).get_node()
        if (len(chain) < 3 or chain[-1].get_type_name() != 'Constant' or weights.get_type_name() != 'Constant'
                or weights.data.ndim != 4 or weights.data[0].size > _MOST_INPUTS):
            continue
        layers.append((node, weights.data / _channel_scales(node, nodes)))
    return layers


def _channel_scales(layer, nodes):
    """Return what NNCF multiplied each channel of a convolution's input by, which the original does not have."""
    source = layer.input_value(0).get_node()
    if source.get_type_name() == 'FakeQuantize':
        source = source.input_value(0).get_node()
    if source.get_type_name() != 'Multiply' or source.get_friendly_name() in nodes:
        return 1
    return next(value.get_node().data for value in source.input_values()
                if value.get_node().get_type_name() == 'Constant').reshape(1, -1, 1, 1)


def _moments(openvino, model, layers, inputs):
    """Return for each convolution's name the sum of products of its inputs, [N, N], for the N weights of an output."""
    places = np.random.default_rng(0)
    sources = {layer.input_value(0).get_node().get_friendly_name(): layer.input_value(0) for layer, _ in layers}
    probe = openvino.Model([openvino.opset13.result(value) for value in sources.values()],
                           model.get_parameters(), 'inputs').clone()
    request, moments = None, {}
    for image in inputs:
        if request is None:
            probe.reshape(list(image.shape))
            request = openvino.Core().compile_model(
                probe, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'}).create_infer_request()
        request.infer({0: image})
        found = {name: request.get_output_tensor(i).data[0] for i, name in enumerate(sources)}
        for layer, weights in layers:
            patches = _patches(found[layer.input_value(0).get_node().get_friendly_name()], weights.shape[2:],
                               layer.get_attributes()['dilations'], places)
            name = layer.get_friendly_name()
            moments[name] = moments.get(name, 0) + patches.T @ patches
    return moments


def _patches(features, kernel, dilations, places):
    """Return [places, weights]: what a kernel sees of features [C, H, W] at random places."""
    (height, width), (dy, dx) = kernel, dilations
    rows, columns = (places.integers(0, size, _PLACES) for size in features.shape[1:])
    above, left = dy * (height - 1) // 2, dx * (width - 1) // 2
    padded = np.pad(features, ((0, 0), (above, dy * (height - 1) - above), (left, dx * (width - 1) - left)))
    return np.stack([padded[:, rows + dy * y, columns + dx * x].T for y in range(height) for x in range(width)],
                    2).reshape(_PLACES, -1)


def _rounded(weights, moments):
    """Return weights, [outputs, N] in units of their steps, as whole numbers."""
    moments = moments.astype(np.float64) + np.eye(len(moments)) * (_DAMPING * np.trace(moments) / len(moments) + 1e-30)
    order = np.argsort(-np.diag(moments))  # those first whose errors matter most
    factor = np.linalg.cholesky(np.linalg.inv(moments[order][:, order])).T
    weights, result = weights[:, order].astype(np.float64), np.empty(weights.shape)
    for i, column in enumerate(order):
        result[:, column] = np.clip(np.rint(weights[:, i]), _LEAST, _MOST)
        error = (weights[:, i] - result[:, column]) / factor[i, i]
        weights[:, i:] -= error[:, None] * factor[i, i:]
    return result
