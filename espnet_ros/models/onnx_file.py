"""ONNX files of other people's networks: read as data, within bounds, and what they say of their input and output."""
import importlib
import os
import re
import reprlib
import typing

from espnet_ros.errors import ModelError
from espnet_ros.files import read_part

FAMILY = 'onnx'
"""What a model card calls a network that is an ONNX file."""

MAX_BYTES = 1 << 30
"""Larger files are refused unread."""
MAX_TENSOR = 2 << 30
"""Bytes that one tensor of a network may have at its input size."""
OPSETS = range(11, 25)
LAYOUTS = ('NCHW', 'NHWC')
KINDS = ('logits', 'probabilities', 'labels')
TYPES = ('float32', 'float16', 'uint8')
CHANNELS = ('RGB', 'BGR')
STRIDES = (1, 2, 4, 8, 16, 32)

_DOMAINS = ('', 'ai.onnx')
_NAMES = {1: 'float32', 10: 'float16', 2: 'uint8'}  # onnx.TensorProto's numbers
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Of a value of each type: floats, integers and booleans."""


class OnnxConfig(typing.NamedTuple):
    """How to use an ONNX file; what the file says itself must agree.

    classes: output channels, or values of labels. input, output: names of tensors; '' for the only one. layout,
    output_layout: of LAYOUTS; labels have no channels, whatever theirs says. type: of the input, one of TYPES.
    channels: their order in the input, of CHANNELS. kind: what the output is, of KINDS. stride: input pixels per output
    pixel along each side.
    """

    classes: int = 20
    input: str = ''
    layout: str = 'NCHW'
    type: str = 'float32'
    channels: str = 'RGB'
    output: str = ''
    kind: str = 'logits'
    output_layout: str = 'NCHW'
    stride: int = 1

    family = FAMILY


_ALLOWED: typing.Dict[str, typing.Sequence] = {
    'classes': range(1, 257), 'layout': LAYOUTS, 'type': TYPES, 'channels': CHANNELS, 'kind': KINDS,
    'output_layout': LAYOUTS, 'stride': STRIDES}


class OnnxNetwork:
    """An ONNX file in the place of a PyTorch network. content: its bytes, checked by `check_model`."""

    size_matters = True  # its graph may be of one size, and what is put around it is

    def __init__(self, config, content):
        self.config = config
        self.content = content

    def eval(self):
        """Return itself, as a PyTorch network does."""
        return self


class Tensor(typing.NamedTuple):
    """An input or output of a file. type: of TYPES or another word.

    shape: sides, None where the file leaves them open; an output's is empty where the file does not have it.
    """

    name: str
    type: str
    shape: typing.Tuple[typing.Optional[int], ...]


class OnnxFacts(typing.NamedTuple):
    """What a file says. metadata: its metadata_props. parameters: values of its weights."""

    inputs: typing.Tuple[Tensor, ...]
    outputs: typing.Tuple[Tensor, ...]
    metadata: typing.Dict[str, str]
    parameters: int


def onnx_config(fields):
    """Return the checked OnnxConfig of a card's `architecture`. Raises ModelError."""
    unknown = sorted(map(str, set(fields) - set(OnnxConfig._fields)))
    if unknown:
        raise ModelError('architecture has no field {} in family {}'.format(reprlib.repr(unknown[0]), FAMILY))
    config = OnnxConfig(**fields)
    for field in OnnxConfig._fields:
        value, allowed = getattr(config, field), _ALLOWED.get(field)
        if allowed is None and (not isinstance(value, str) or len(value) > 200):
            raise ModelError('architecture: {} is {}; it must be the name of a tensor'.format(
                field, reprlib.repr(value)))
        if allowed is not None and (type(value) is not type(allowed[0]) or value not in allowed):
            raise ModelError('architecture: {} is {}; it must be one of {}'.format(
                field, reprlib.repr(value),
                '1..256' if field == 'classes' else ', '.join(str(each) for each in allowed)))
    return config


def load_onnx(config, path):
    """Return the OnnxNetwork of a file. Raises ModelError."""
    content = read_content(path)
    check_model(content, path)
    return OnnxNetwork(config, content)


def read_content(path):
    """Return the bytes of a file, at most MAX_BYTES. Raises ModelError."""
    try:
        if os.path.exists(str(path)) and not os.path.isfile(str(path)):
            raise ModelError("the network '{}' is not a file".format(path))
        with open(str(path), 'rb') as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ModelError("cannot read the network '{}': {}".format(path, getattr(error, 'strerror', None) or error))
    if len(content) > MAX_BYTES:
        raise ModelError("the network '{}' has more than {} MB".format(path, MAX_BYTES >> 20))
    return content


def read_joined(path):
    """Return the bytes of a file as one with the weights that it keeps in files beside it, at most MAX_BYTES in all.

    PyTorch's exporter writes such files. Without any, the bytes are those of the file. Raises ModelError.
    """
    content = read_content(path)
    onnx = onnx_package()
    model = _parsed(content, path)
    outside = [tensor for tensor in _tensors(model.graph) if _location(tensor, onnx) is not None]
    total = len(content)
    for tensor in outside:
        total += _join(tensor, path, MAX_BYTES - total)
    return model.SerializeToString() if outside else content


def _join(tensor, path, limit):
    """Put the weights of a tensor of the network `path`, at most `limit` bytes, in it; return how many bytes."""
    entries = {entry.key: str(entry.value) for entry in tensor.external_data}  # protobuf gives bytes that are no text
    name, size = entries.get('location', ''), _product(tensor.dims) * _BYTES.get(tensor.data_type, 0)

    def wrong(text, *values):
        return ModelError("the network '{}' keeps weights in {}{}".format(
            path, reprlib.repr(name), text.format(*values)))

    if os.path.basename(name) != name or name in ('', '.', '..') or not name.isprintable():
        raise wrong('; they must be in a file beside it: export it again')
    offset, length = entries.get('offset', '0'), entries.get('length', str(size))
    if not re.match('[0-9]{1,18}\\Z', offset) or length != str(size) or size < 0 or (
            tensor.data_type not in _BYTES):
        raise wrong(', but not at a place or of a size that makes sense ({}); export it again',
                    reprlib.repr(tensor.name))
    if size > limit:
        raise wrong(', more than {} MB with its own; export a smaller one', MAX_BYTES >> 20)
    try:
        part = read_part(os.path.join(os.path.dirname(str(path)), name), int(offset), size)
    except OSError as error:
        raise wrong(', which cannot be read ({}); copy that file, too, into the folder', error.strerror or error)
    if len(part) < size:
        raise wrong(', which is cut off or of another network; copy both files again')
    tensor.raw_data = part
    tensor.ClearField('data_location')
    del tensor.external_data[:]
    return size


def check_model(content, where):
    """Return the OnnxFacts of a file's bytes; what could do harm or never run here raises ModelError.

    Nothing in the file runs. Refused are custom operators, loops and branches, weights in other files (see
    `read_joined`), and tensors whose claimed size is not in the file.
    """
    onnx = onnx_package()

    def wrong(text):
        return ModelError("the network '{}' {}".format(where, text))

    model = _parsed(content, where)
    graph = model.graph
    if not graph.node or not graph.output:
        raise wrong('is not an ONNX file, or is cut off or damaged (it has no layers)')
    opsets = [entry.version for entry in model.opset_import if entry.domain in _DOMAINS]
    if not opsets or opsets[0] not in OPSETS:
        raise wrong('is of ONNX opset {}; export it again with one from {} to {}'.format(
            opsets[0] if opsets else 'unknown', OPSETS[0], OPSETS[-1]))
    if getattr(model, 'functions', None):  # since onnx 1.10
        raise wrong('defines functions of its own; export it without them')
    for node in graph.node:
        if node.domain not in _DOMAINS:
            raise wrong('needs the custom operator {}; only the standard ones run here'.format(
                reprlib.repr('{}.{}'.format(node.domain, node.op_type))))
        for attribute in node.attribute:
            if attribute.HasField('g') or attribute.graphs:
                raise wrong('has a loop or branch ({}); export it for one input size, without'.format(
                    reprlib.repr(node.op_type)))
            if attribute.HasField('sparse_tensor') or attribute.sparse_tensors:
                raise wrong('has sparse weights ({}); export it with dense ones'.format(reprlib.repr(node.op_type)))
    for tensor in _tensors(graph):
        location = _location(tensor, onnx)
        if location is not None:
            raise wrong("keeps weights in another file ({}); this makes it one: espnet-ros models add '{}'".format(
                reprlib.repr(location), where))
        _check_tensor(tensor, wrong)
    for sparse in graph.sparse_initializer:
        raise wrong('has sparse weights ({}); export it with dense ones'.format(reprlib.repr(sparse.values.name)))
    initialized = {tensor.name for tensor in graph.initializer}
    try:
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        return OnnxFacts(tuple(_tensor(value) for value in graph.input if value.name not in initialized),
                         tuple(_tensor(value, False) for value in graph.output), metadata,
                         sum(_product(tensor.dims) for tensor in graph.initializer))
    except ValueError as error:
        raise wrong(str(error))


def check_sizes(content, shape, where):
    """Raise ModelError where a tensor would be larger than MAX_TENSOR with an input of that shape, or none fits.

    shape: of the input, four whole numbers.
    """
    onnx = onnx_package()
    model = onnx.load_model_from_string(content)
    initialized = {tensor.name for tensor in model.graph.initializer}
    value = next(value for value in model.graph.input if value.name not in initialized)
    for dimension, side in zip(value.type.tensor_type.shape.dim, shape):
        dimension.dim_value = side
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField('shape')
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # of several kinds, all its own
        raise ModelError("the network '{}' does not fit an input of {}: {}".format(
            where, 'x'.join(map(str, shape)), ' '.join(str(error).split())[:200]))
    for value in list(inferred.graph.value_info) + list(inferred.graph.output):
        sides = [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]
        if 4 * _product(sides) > MAX_TENSOR:
            raise ModelError("the network '{}' makes a tensor of {} ({}), more than {} GB".format(
                where, 'x'.join(map(str, sides)), reprlib.repr(value.name), MAX_TENSOR >> 30))


def onnx_package():
    """Return the package onnx. Raises ModelError."""
    try:
        return importlib.import_module('onnx')
    except ImportError:
        raise ModelError('an ONNX network needs the package onnx: pip install onnx')


def _parsed(content, where):
    onnx = onnx_package()
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's, of several kinds
        raise ModelError("the network '{}' is not an ONNX file, or is cut off or damaged ({})".format(
            where, _first_line(error)))


def _tensors(graph):
    """Yield the weights and constants of a graph, without those of loops and branches."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.HasField('t') else attribute.tensors


def _location(tensor, onnx):
    """Return the name of the file that a tensor is in, None where that is the network's."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
        return None
    return next((entry.value for entry in tensor.external_data if entry.key == 'location'), '')


def _check_tensor(tensor, wrong):
    if any(side < 0 for side in tensor.dims):
        raise wrong('has weights of a shape that makes no sense ({})'.format(reprlib.repr(tensor.name)))
    values = max(len(tensor.raw_data) * 2, len(tensor.float_data), len(tensor.int32_data) * 4,
                 len(tensor.int64_data), len(tensor.double_data), len(tensor.uint64_data), len(tensor.string_data))
    if _product(tensor.dims) > values:
        raise wrong('claims weights of {} ({}) that are not in the file'.format(
            'x'.join(map(str, tensor.dims)), reprlib.repr(tensor.name)))


def _tensor(value, needs_shape=True):
    if not value.type.HasField('tensor_type') or needs_shape and not value.type.tensor_type.HasField('shape'):
        raise ValueError('has an input or output of no known shape ({}); export it with one'.format(
            reprlib.repr(value.name)))
    kind = value.type.tensor_type
    return Tensor(value.name, _NAMES.get(kind.elem_type, 'type {}'.format(kind.elem_type)),
                  tuple(side.dim_value if side.HasField('dim_value') and side.dim_value > 0 else None
                        for side in kind.shape.dim))


def _product(sides):
    product = 1
    for side in sides:
        product *= side
    return product


def _first_line(error):
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
