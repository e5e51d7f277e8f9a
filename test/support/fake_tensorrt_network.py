"""Networks of a stand-in for NVIDIA's `tensorrt`: layers are recorded, and computed by PyTorch."""
import enum

import numpy as np
import torch
from torch.nn import functional


class DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, BOOL = range(5)


TORCH = {DataType.FLOAT: torch.float32, DataType.HALF: torch.float16, DataType.INT32: torch.int32}


class TensorLocation(enum.Enum):
    DEVICE, HOST = range(2)


class LayerType(enum.Enum):
    ANY = 0


class ActivationType(enum.Enum):
    RELU, SIGMOID = range(2)


class UnaryOperation(enum.Enum):
    EXP, NEG = range(2)


class ElementWiseOperation(enum.Enum):
    SUM, PROD, MAX, MIN, SUB, DIV = range(6)


class ScaleMode(enum.Enum):
    UNIFORM, CHANNEL, ELEMENTWISE = range(3)


class PoolingType(enum.Enum):
    MAX, AVERAGE = range(2)


class TopKOperation(enum.Enum):
    MAX, MIN = range(2)


class Linear(enum.Enum):
    NEAREST, LINEAR = range(2)


class ResizeCoordinateTransformation(enum.Enum):
    ALIGN_CORNERS, ASYMMETRIC, HALF_PIXEL = range(3)


class ILayer:
    """One step: `compute` takes the input tensors' values and this layer, and returns its outputs' values."""

    type = LayerType.ANY

    def __init__(self, compute, inputs, **settings):
        self.compute = compute.__name__
        self.inputs = inputs
        self.types = {}
        self.name = ''
        self.__dict__.update(settings)

    def get_output(self, index):
        return ITensor(self, index)

    def set_output_type(self, index, dtype):
        self.types[index] = dtype

    def values(self, known):
        """Values of all outputs; `known` maps id(layer) to values that are known."""
        if id(self) not in known:
            inputs = [tensor.layer.values(known)[tensor.index] for tensor in self.inputs]
            known[id(self)] = [
                value.to(TORCH[self.types[i]]) if i in self.types else value
                for i, value in enumerate(COMPUTE[self.compute](self, *inputs))]
        return known[id(self)]


class ITensor:
    def __init__(self, layer, index):
        self.layer, self.index = layer, index
        self.name, self.location, self.dtype = '', TensorLocation.DEVICE, DataType.FLOAT

    @property
    def value(self):
        """Of an image of zeros: for its shape and type."""
        return self.layer.values({})[self.index]

    @property
    def shape(self):
        return tuple(self.value.shape)


def same_float(*values):
    assert all(value.dtype == torch.float32 for value in values), 'this layer takes no integers'


def image(layer):
    return [torch.zeros(layer.shape)]


def constant(layer):
    assert tuple(layer.weights.shape) == tuple(layer.shape) or layer.weights.size == np.prod(layer.shape)
    return [torch.from_numpy(np.array(layer.weights)).view(*layer.shape)]


def scale(layer, x):
    same_float(x)
    assert layer.mode == ScaleMode.CHANNEL and len(layer.scale) == x.shape[layer.channel_axis]
    shape = [-1 if i == layer.channel_axis else 1 for i in range(x.dim())]
    shift, factor, power = [torch.from_numpy(np.array(v)).view(shape) for v in (layer.shift, layer.scale, layer.power)]
    return [(x * factor + shift) ** power]


def convolution(layer, x):
    return [functional.conv2d(x, torch.from_numpy(np.array(layer.kernel)), weights(layer.bias), layer.stride_nd,
                              layer.padding_nd, layer.dilation_nd, layer.num_groups)]


def deconvolution(layer, x):
    return [functional.conv_transpose2d(x, torch.from_numpy(np.array(layer.kernel)), weights(layer.bias),
                                        layer.stride_nd, layer.padding_nd)]


def weights(bias):
    return torch.from_numpy(np.array(bias)) if isinstance(bias, np.ndarray) else None


def pooling(layer, x):
    assert layer.kind == PoolingType.AVERAGE
    return [functional.avg_pool2d(x, layer.window_size, layer.stride_nd, layer.padding_nd,
                                  count_include_pad=not layer.average_count_excludes_padding)]


def activation(layer, x):
    return [{ActivationType.RELU: torch.relu, ActivationType.SIGMOID: torch.sigmoid}[layer.kind](x)]


def unary(layer, x):
    return [{UnaryOperation.EXP: torch.exp, UnaryOperation.NEG: torch.neg}[layer.kind](x)]


def elementwise(layer, a, b):
    assert a.dim() == b.dim(), 'TensorRT broadcasts sizes of one, not missing dimensions'
    return [{'SUM': torch.add, 'PROD': torch.mul, 'SUB': torch.sub, 'DIV': torch.div}[layer.kind.name](a, b)]


def parametric_relu(layer, x, slopes):
    same_float(x, slopes)
    assert slopes.dim() == x.dim() and all(s in (1, n) for s, n in zip(slopes.shape, x.shape))
    return [torch.where(x > 0, x, x * slopes)]


def concatenation(layer, *inputs):
    return [torch.cat(inputs, layer.axis)]


def softmax(layer, x):
    return [torch.softmax(x, {1 << i: i for i in range(x.dim())}[layer.axes])]


def topk(layer, x):
    same_float(x)
    assert layer.kind == TopKOperation.MAX
    values, indices = x.topk(layer.k, {1 << i: i for i in range(x.dim())}[layer.axes])
    return [values, indices.int()]


def identity(layer, x):
    return [x]


def resize(layer, x):
    assert layer.resize_mode.name == 'LINEAR'
    assert layer.coordinate_transformation == ResizeCoordinateTransformation.HALF_PIXEL
    size = [int(n * s) for n, s in zip(x.shape, layer.scales)]
    assert size[:2] == list(x.shape[:2])
    return [functional.interpolate(x, size=size[2:], mode='bilinear', align_corners=False)]


def shuffle(layer, x):
    return [x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(layer.reshape_dims)])]


def shape(layer, x):
    return [torch.tensor(x.shape, dtype=torch.int32)]


def part(layer, x):
    return [x[layer.start[0]:layer.start[0] + layer.size[0]:layer.stride[0]]]


def onnx_file(layer, x):
    from onnx.reference import ReferenceEvaluator
    evaluator = ReferenceEvaluator(layer.content)
    return [torch.from_numpy(np.array(found)) for found in evaluator.run(None, {'image': x.numpy()})]


COMPUTE = {f.__name__: f for f in (
    image, constant, scale, convolution, deconvolution, pooling, activation, unary, elementwise, parametric_relu,
    concatenation, softmax, topk, identity, resize, shuffle, shape, part, onnx_file)}


class INetworkDefinition:
    def __init__(self):
        self.inputs, self.outputs, self.layers = [], [], []

    def _add(self, *args, **settings):
        self.layers.append(ILayer(*args, **settings))
        return self.layers[-1]

    def add_input(self, name, dtype, shape):
        assert dtype == DataType.FLOAT
        tensor = self._add(image, (), shape=tuple(shape)).get_output(0)
        tensor.name = name
        self.inputs.append(tensor)
        return tensor

    def mark_output(self, tensor):
        self.outputs.append(tensor)

    def add_constant(self, shape, weights):
        return self._add(constant, (), shape=tuple(shape), weights=weights)

    def add_scale_nd(self, input, mode, shift=None, scale=None, power=None, channel_axis=0):
        return self._add(COMPUTE['scale'], (input,), mode=mode, shift=shift, scale=scale, power=power,
                         channel_axis=channel_axis)

    def add_convolution_nd(self, input, num_output_maps, kernel_shape, kernel, bias=None):
        assert kernel.shape[0] == num_output_maps and kernel.shape[2:] == tuple(kernel_shape)
        return self._add(convolution, (input,), kernel=kernel, bias=bias, stride_nd=(1, 1), padding_nd=(0, 0),
                         dilation_nd=(1, 1), num_groups=1)

    def add_deconvolution_nd(self, input, num_output_maps, kernel_shape, kernel, bias=None):
        assert kernel.shape[1] == num_output_maps and kernel.shape[2:] == tuple(kernel_shape)
        return self._add(deconvolution, (input,), kernel=kernel, bias=bias, stride_nd=(1, 1), padding_nd=(0, 0),
                         num_groups=1)

    def add_pooling_nd(self, input, type, window_size):
        return self._add(pooling, (input,), kind=type, window_size=window_size, stride_nd=(1, 1), padding_nd=(0, 0),
                         average_count_excludes_padding=True)

    def add_activation(self, input, type):
        return self._add(activation, (input,), kind=type)

    def add_unary(self, input, op):
        return self._add(unary, (input,), kind=op)

    def add_elementwise(self, input1, input2, op):
        return self._add(elementwise, (input1, input2), kind=op)

    def add_parametric_relu(self, input, slopes):
        return self._add(parametric_relu, (input, slopes))

    def add_concatenation(self, inputs):
        return self._add(concatenation, tuple(inputs), axis=0)

    def add_softmax(self, input):
        return self._add(softmax, (input,), axes=1)

    def add_topk(self, input, op, k, axes):
        return self._add(topk, (input,), kind=op, k=k, axes=axes)

    def add_identity(self, input):
        return self._add(identity, (input,))

    def add_resize(self, input):
        return self._add(resize, (input,), resize_mode=Linear.NEAREST, scales=None,
                         coordinate_transformation=ResizeCoordinateTransformation.ASYMMETRIC)

    def add_shuffle(self, input):
        return self._add(shuffle, (input,), reshape_dims=None)

    def add_shape(self, input):
        return self._add(shape, (input,))

    def add_slice(self, input, start, shape, stride):
        return self._add(part, (input,), start=start, size=shape, stride=stride)


API = (DataType, TensorLocation, ActivationType, UnaryOperation, ElementWiseOperation, ScaleMode, PoolingType,
       TopKOperation, ResizeCoordinateTransformation, ILayer, ITensor, INetworkDefinition)
"""What of this the module `tensorrt` has in each version."""
