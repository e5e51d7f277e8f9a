"""Other people's ONNX networks from camera bytes to labels: normalization before, the best class after."""
import numpy as np
import torch

from espnet_ros.errors import ModelError
from espnet_ros.models.onnx_file import check_sizes, onnx_package

_NUMBERS = {'float32': 1, 'uint8': 2, 'int64': 7, 'float16': 10}
"""Of types in ONNX."""
_PREFIX = 'espnet_ros/'
"""Of the names that are added; a file's own cannot begin so without being refused."""


def wrapped_onnx(card, network, width, height, confidence=False, dtype=torch.uint8):
    """Return the bytes of an ONNX file with the input and outputs of `deploy.onnx.onnx_model`. Raises ModelError.

    card: ModelCard of the family onnx; network: OnnxNetwork.
    """
    kind = 'uint8' if dtype == torch.uint8 else 'float32'

    def finish(build, name):
        return [(each, 'uint8', [1, height, width]) for each in _finish(build, card, name, height, width, confidence)]
    return _wrapped(card, network, width, height, (kind, [1, height, width, 3]), lambda build: 'image', finish)


def logits_onnx(card, network, width, height):
    """Return the bytes of an ONNX file from images to what the card's file answers itself. Raises ModelError.

    Its input `image` is BGR float32 0..255 [1, 3, height, width], normalization is inside; its output `logits` is
    float32 [1, classes, h, w] at the card's stride, of probabilities or one channel of labels where the card says so.
    """
    config = card.architecture

    def begin(build):
        return build.add('Transpose', 'image', perm=[0, 2, 3, 1])

    def finish(build, name):
        sides = [height // config.stride, width // config.stride]
        if config.kind == 'labels':
            name = build.add('Reshape', name, build.constant(np.array([1, 1, *sides], np.int64)))
        elif config.output_layout == 'NHWC':
            name = build.add('Transpose', name, perm=[0, 3, 1, 2])
        channels = 1 if config.kind == 'labels' else config.classes
        return [(build.add('Cast', name, to=1, name='logits'), 'float32', [1, channels, *sides])]
    return _wrapped(card, network, width, height, ('float32', [1, 3, height, width]), begin, finish)


def outputs_table(card):
    """Return the class id of each output, uint8 [256], 255 for those that the card does not name."""
    table = np.full(256, 255, np.uint8)
    table[:len(card.outputs)] = card.outputs
    return table


def _wrapped(card, network, width, height, image, begin, finish):
    """Return the bytes of the card's file with normalization before it and what `finish` adds behind.

    image: type and shape of the input. begin: function of a _Builder that returns the name of `image` as
    [1, height, width, 3]. finish: function of a _Builder and the name of the file's output that returns (name, type,
    shape) of each output.
    """
    onnx = onnx_package()
    config = card.architecture
    try:
        model = onnx.load_model_from_string(network.content)
    except Exception:  # protobuf's, of several kinds
        raise ModelError("the network '{}' is not an ONNX file, or is cut off or damaged".format(card.name))
    graph = model.graph
    names = {name for node in graph.node for name in list(node.input) + list(node.output)}
    if any(name.startswith(_PREFIX) for name in names):
        raise ModelError("the network '{}' uses names that begin with {}; rename them".format(card.name, _PREFIX))
    initialized = {tensor.name for tensor in graph.initializer}
    source = _named([value for value in graph.input if value.name not in initialized], config.input, 'input', card)
    result = _named(graph.output, config.output, 'output', card)
    shape = (1, 3, height, width) if config.layout == 'NCHW' else (1, height, width, 3)
    _check_input(source, shape, card)
    check_sizes(network.content, shape, card.name)
    opset = max(entry.version for entry in model.opset_import if entry.domain in ('', 'ai.onnx'))
    build = _Builder(onnx, opset)
    prepared = _prepare(build, card, source, begin(build))
    before = list(build.nodes)
    build.nodes = []
    outputs = finish(build, result.name)
    for node in graph.node:
        node.input[:] = [prepared if name == source.name else name for name in node.input]
    inner = list(graph.node)
    constants = list(graph.initializer) + build.constants
    made = onnx.helper.make_graph(
        before + inner + build.nodes, card.name,
        [onnx.helper.make_tensor_value_info('image', _NUMBERS[image[0]], image[1])],
        [onnx.helper.make_tensor_value_info(name, _NUMBERS[kind], sides) for name, kind, sides in outputs],
        constants)
    whole = onnx.helper.make_model(made, opset_imports=list(model.opset_import))
    whole.ir_version = max(model.ir_version, 7)
    try:
        onnx.checker.check_model(whole)
    except Exception as error:  # of several kinds, all its own
        raise ModelError("the network '{}' cannot be used as its card says: {}".format(
            card.name, ' '.join(str(error).split())[:200]))
    return whole.SerializeToString()


class _Builder:
    """Nodes and constants, each with a name of its own."""

    def __init__(self, onnx, opset):
        self._onnx, self._opset = onnx, opset
        self.nodes, self.constants, self._count = [], [], 0

    def constant(self, values):
        """Return the name of a constant array."""
        name = '{}constant {}'.format(_PREFIX, len(self.constants))
        self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind, *inputs, **attributes):
        """Add a node and return the name of its output."""
        self._count += 1
        name = attributes.pop('name', '{}{} {}'.format(_PREFIX, kind, self._count))
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def cast(self, name, kind):
        """Return the name of a tensor as float32, float16, uint8, int64."""
        return self.add('Cast', name, to=_NUMBERS[kind])

    def largest(self, name, axis):
        """Return the name of the maxima along an axis, which goes."""
        if self._opset >= 18:
            return self.add('ReduceMax', name, self.constant(np.array([axis], np.int64)), keepdims=0)
        return self.add('ReduceMax', name, axes=[axis], keepdims=0)


def _prepare(build, card, source, image):
    """Add what makes the file's input of an image, [1, height, width, 3]; return its name."""
    config = card.architecture
    std = np.array(card.std, np.float64) * card.divisor
    scale, shift = 1.0 / std, -np.array(card.mean, np.float64) / std
    x = build.cast(image, 'float32')
    if not np.allclose(scale, 1.0) or not np.allclose(shift, 0.0):
        x = build.add('Mul', x, build.constant(scale.astype(np.float32)))
        x = build.add('Add', x, build.constant(shift.astype(np.float32)))
    if config.channels == 'RGB':
        x = build.add('Gather', x, build.constant(np.array([2, 1, 0], np.int64)), axis=3)
    if config.layout == 'NCHW':
        x = build.add('Transpose', x, perm=[0, 3, 1, 2])
    wanted = {1: 'float32', 10: 'float16', 2: 'uint8'}.get(source.type.tensor_type.elem_type)
    if wanted != config.type:
        raise ModelError("the network '{}' takes {}, its card says {}".format(
            card.name, wanted or 'something else', config.type))
    return x if wanted == 'float32' else build.cast(x, wanted)


def _finish(build, card, name, height, width, confidence):
    """Add what makes labels, and confidence, of the file's output; return their names."""
    config = card.architecture
    if config.kind == 'labels':
        # [1, h, w], or with one channel before or behind: the same values in a row.
        x = build.add('Reshape', build.cast(name, 'float32'), build.constant(np.array(
            [1, 1, height // config.stride, width // config.stride], np.int64)))
        most = build.constant(np.array(255, np.float32))
        # Below 0, such as -1 for what is ignored, is unlabeled, not class 0; so is NaN, which is not above -1.
        x = build.add('Where', build.add('Greater', x, build.constant(np.array(-1, np.float32))), x, most)
        x = build.add('Min', x, most)
        if config.stride > 1:
            x = build.add('Resize', x, '', build.constant(np.array([1, 1, config.stride, config.stride], np.float32)),
                          mode='nearest', coordinate_transformation_mode='asymmetric', nearest_mode='floor')
        index = build.add('Reshape', build.cast(x, 'int64'), build.constant(np.array([1, height, width], np.int64)))
        top = None
    else:
        x = build.cast(name, 'float32')
        if config.output_layout == 'NHWC':
            x = build.add('Transpose', x, perm=[0, 3, 1, 2])
        if config.stride > 1:
            sizes = build.constant(np.array([1, config.classes, height, width], np.int64))
            x = build.add('Resize', x, '', '', sizes, mode='linear', coordinate_transformation_mode='half_pixel')
        index = build.add('ArgMax', x, axis=1, keepdims=0)
        top = x
    outputs = [build.add('Gather', build.constant(outputs_table(card)), index, axis=0, name='labels')]
    if confidence:
        outputs.append(_confidence(build, card, top, index))
    return outputs


def _confidence(build, card, top, index):
    if top is None:  # a file of labels does not say how sure it is
        full = build.add('Add', build.cast(build.add('Mul', index, build.constant(np.array(0, np.int64))), 'float32'),
                         build.constant(np.array(255, np.float32)))
        return build.add('Cast', full, to=2, name='confidence')
    if card.architecture.kind == 'logits':
        # Along the last axis, where Softmax means the same in all opsets.
        top = build.add('Softmax', build.add('Transpose', top, perm=[0, 2, 3, 1]), axis=3)
        best = build.largest(top, 3)
    else:
        best = build.largest(top, 1)
    scaled = build.add('Mul', best, build.constant(np.array(255, np.float32)))
    clipped = build.add('Clip', build.add('Round', scaled), build.constant(np.array(0, np.float32)),
                        build.constant(np.array(255, np.float32)))
    return build.add('Cast', clipped, to=2, name='confidence')


def _named(values, name, what, card):
    """Return the input or output of that name, the only one for ''."""
    found = [value for value in values if value.name == name] if name else list(values)
    if len(found) != 1:
        raise ModelError("the network '{}' has {} {}s ({}){}".format(
            card.name, len(values), what, ', '.join(value.name[:40] for value in values)[:120],
            ", none of them '{}'".format(name) if name else '; its card must name one'))
    return found[0]


def _check_input(source, shape, card):
    sides = [dimension.dim_value if dimension.HasField('dim_value') else 0
             for dimension in source.type.tensor_type.shape.dim]
    if len(sides) != 4 or any(side > 0 and side != wanted for side, wanted in zip(sides, shape)):
        raise ModelError("the network '{}' takes an input of {}, not {}; use the size in its card".format(
            card.name, 'x'.join(str(side) if side > 0 else '?' for side in sides), 'x'.join(map(str, shape))))
