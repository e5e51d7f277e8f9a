"""A stand-in for NVIDIA's `tensorrt`: the part of its documented Python API that is used here, computed by PyTorch.

Layers are recorded, "built" into bytes, and executed on the CPU from and into the memory addresses that a caller binds.
"""
import ctypes
import enum
import pickle
import types

import numpy as np
import torch
from torch.nn import functional


class DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, BOOL = range(5)


NUMPY = {DataType.FLOAT: np.float32, DataType.HALF: np.float16, DataType.INT32: np.int32}
TORCH = {DataType.FLOAT: torch.float32, DataType.HALF: torch.float16, DataType.INT32: torch.int32}


class TensorLocation(enum.Enum):
    DEVICE, HOST = range(2)


class DeviceType(enum.Enum):
    GPU, DLA = range(2)


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


class CalibrationAlgoType(enum.Enum):
    ENTROPY_CALIBRATION, ENTROPY_CALIBRATION_2 = range(2)


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


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


class OnnxParser:
    """Takes a file as one layer; `refuses`: what it says of every file, '' to take it."""

    refuses = ''

    def __init__(self, network, logger):
        assert isinstance(network, INetworkDefinition) and isinstance(logger, ILogger)
        self.network = network

    def parse(self, model):
        import onnx
        graph = onnx.load_model_from_string(model).graph
        initialized = {tensor.name for tensor in graph.initializer}
        source, = [value for value in graph.input if value.name not in initialized]
        sides = [side.dim_value for side in source.type.tensor_type.shape.dim]
        assert source.type.tensor_type.elem_type == onnx.TensorProto.FLOAT and all(sides)
        tensor = self.network.add_input(source.name, DataType.FLOAT, sides)
        layer = self.network._add(onnx_file, (tensor,), content=bytes(model))
        for index, value in enumerate(graph.output):
            output = layer.get_output(index)
            output.name = value.name
            self.network.mark_output(output)
        return not self.refuses

    @property
    def num_errors(self):
        return int(bool(self.refuses))

    def get_error(self, index):
        return types.SimpleNamespace(desc=lambda: self.refuses)


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)

    def __init__(self, severity=1):
        self.severity = severity

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class IHostMemory(bytearray):
    """Bytes in TensorRT's hands."""


class IExecutionContext:
    def __init__(self, engine):
        self.engine = engine
        self.addresses = {}

    def _execute(self):
        data = self.engine.data
        known = {}
        for tensor in data['inputs']:
            values = read(self.addresses[tensor.name], tensor.layer.shape, np.float32)
            known[id(tensor.layer)] = [torch.from_numpy(values)]
        for tensor in data['outputs']:
            value = tensor.layer.values(known)[tensor.index].to(TORCH[tensor.dtype]).contiguous().numpy()
            ctypes.memmove(self.addresses[tensor.name], value.tobytes(), value.nbytes)
        return True


class ICudaEngine:
    def __init__(self, data):
        self.data = data
        self.tensors = {tensor.name: tensor for tensor in data['inputs'] + data['outputs']}

    def serialize(self):
        return IHostMemory(pickle.dumps(self.data))

    def create_execution_context(self):
        return self.context_class(self)


def read(address, shape, dtype):
    """A copy of the array at a memory address."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(ctypes.string_at(address, size), dtype).reshape(shape).copy()


class Until9:
    """TensorRT 8 and 9: tensors by number."""

    class Context(IExecutionContext):
        def set_binding_shape(self, index, shape):
            assert tuple(list(self.engine.tensors.values())[index].layer.shape) == tuple(shape)

        def get_binding_shape(self, index):
            return list(self.engine.tensors.values())[index].shape

        def execute_async(self, batch_size, bindings, stream_handle):
            return self.execute_async_v2(bindings, stream_handle)

        def execute_async_v2(self, bindings, stream_handle):
            self.addresses = dict(zip(self.engine.tensors, bindings))
            return self._execute()

    class Engine(ICudaEngine):
        @property
        def num_bindings(self):
            return len(self.tensors)

        def get_binding_name(self, index):
            return list(self.tensors)[index]

        def get_binding_index(self, name):
            return list(self.tensors).index(name)

        def get_binding_dtype(self, index):
            return list(self.tensors.values())[index].dtype

        def get_location(self, index):
            return list(self.tensors.values())[index].location


class Since10:
    """TensorRT 10: tensors by name."""

    class Context(IExecutionContext):
        def set_tensor_address(self, name, address):
            self.addresses[name] = address

        def set_input_shape(self, name, shape):
            assert tuple(self.engine.tensors[name].layer.shape) == tuple(shape)

        def get_tensor_shape(self, name):
            return self.engine.tensors[name].shape

        def execute_async_v3(self, stream_handle):
            return self._execute()

    class Engine(ICudaEngine):
        @property
        def num_io_tensors(self):
            return len(self.tensors)

        def get_tensor_name(self, index):
            return list(self.tensors)[index]

        def get_tensor_dtype(self, name):
            return self.tensors[name].dtype

        def get_tensor_location(self, name):
            return self.tensors[name].location


def make_tensorrt(version):
    """Return a module `tensorrt` as that version is.

    Beyond the API it has: broken, whether builds fail; calibrated, the batches that the last build was calibrated with;
    config, that of the last build; layers, how many it had of each kind.
    """
    trt = types.ModuleType('tensorrt')
    release = tuple(int(part) for part in version.split('.')[:2])
    api = Until9 if release < (10,) else Since10
    api.Engine.context_class = api.Context
    trt.__version__ = version
    trt.broken, trt.calibrated, trt.config, trt.layers = False, [], None, {}

    class BuilderFlag(enum.Enum):
        GPU_FALLBACK = 0
        if release < (11,):
            FP16, INT8 = 1, 2

    class NetworkDefinitionCreationFlag(enum.IntEnum):
        STRONGLY_TYPED = 1
        if release < (11,):
            EXPLICIT_BATCH = 0

    class IBuilderConfig:
        def __init__(self):
            self.flags, self.pools, self.int8_calibrator = set(), {}, None
            if release < (10,):
                self.max_workspace_size = 0

        def set_flag(self, flag):
            self.flags.add(flag)

        def set_device_type(self, layer, device_type):
            pass

        def can_run_on_DLA(self, layer):
            return False

        def add_optimization_profile(self, profile):
            return 0

        def set_calibration_profile(self, profile):
            return True

        if release >= (8, 4):
            def set_memory_pool_limit(self, pool, pool_size):
                self.pools[pool] = pool_size

    class IInt8Calibrator:
        pass

    class IInt8EntropyCalibrator2(IInt8Calibrator):
        def __init__(self):
            pass

    class Builder:
        def __init__(self, logger):
            pass

        def create_builder_config(self):
            return IBuilderConfig()

        def create_network(self, flags):
            assert flags == 1
            return INetworkDefinition()

        def create_optimization_profile(self):
            return types.SimpleNamespace(set_shape=lambda name, low, best, high: None)

        def build_serialized_network(self, network, config):
            trt.config = config
            trt.layers = {name: sum(la.compute == name for la in network.layers) for name in COMPUTE}
            trt.calibrated = []
            if BuilderFlag.INT8 in config.flags:
                for _ in iter(lambda: self._calibrate(network, config.int8_calibrator), False):
                    pass
            for tensor in network.outputs:
                if (tensor.value.dtype == torch.int32) != (tensor.dtype == DataType.INT32):
                    return None  # an error since TensorRT 10
            if trt.broken:
                return None
            return IHostMemory(pickle.dumps({
                'version': version, 'layers': network.layers, 'inputs': network.inputs, 'outputs': network.outputs}))

        def _calibrate(self, network, calibrator):
            addresses = calibrator.get_batch([tensor.name for tensor in network.inputs])
            if addresses:
                trt.calibrated.append(read(addresses[0], network.inputs[0].layer.shape, np.float32))
            return bool(addresses)

        if release < (10,):
            def build_engine(self, network, config):
                content = self.build_serialized_network(network, config)
                return None if content is None else api.Engine(pickle.loads(content))

    class Runtime(ILogger):
        def deserialize_cuda_engine(self, serialized_engine):
            try:
                data = pickle.loads(bytes(serialized_engine))
            except Exception:
                return None
            return api.Engine(data) if data['version'] == version else None

    for thing in (DataType, TensorLocation, DeviceType, ActivationType, UnaryOperation, ElementWiseOperation, ScaleMode,
                  PoolingType, TopKOperation, ResizeCoordinateTransformation, ILayer, ITensor, INetworkDefinition,
                  IHostMemory, IExecutionContext, BuilderFlag, NetworkDefinitionCreationFlag, IBuilderConfig, Builder,
                  Runtime, OnnxParser):
        setattr(trt, thing.__name__, thing)
    trt.Logger, trt.ICudaEngine = ILogger, api.Engine
    trt.float32, trt.float16, trt.int8, trt.int32, trt.bool = DataType
    trt.Weights = lambda dtype: dtype
    if release < (11,):
        trt.IInt8Calibrator, trt.CalibrationAlgoType = IInt8Calibrator, CalibrationAlgoType
        trt.IInt8EntropyCalibrator2 = IInt8EntropyCalibrator2
    if release < (10,):
        trt.ResizeMode = Linear
    if release >= (8, 5):
        trt.InterpolationMode = Linear
    if release >= (8, 4):
        trt.MemoryPoolType = MemoryPoolType
    return trt
