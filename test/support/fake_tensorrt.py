"""A stand-in for NVIDIA's `tensorrt`: the part of its documented Python API that is used here, computed by PyTorch.

Networks are "built" into bytes, and executed on the CPU from and into the memory addresses that a caller binds.
"""
import ctypes
import enum
import pickle
import types

import numpy as np
import torch
from fake_tensorrt_network import API, COMPUTE, TORCH, DataType, INetworkDefinition, Linear, onnx_file


class DeviceType(enum.Enum):
    GPU, DLA = range(2)


class CalibrationAlgoType(enum.Enum):
    ENTROPY_CALIBRATION, ENTROPY_CALIBRATION_2 = range(2)


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


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

    for thing in (*API, DeviceType, IHostMemory, IExecutionContext, BuilderFlag, NetworkDefinitionCreationFlag,
                  IBuilderConfig, Builder, Runtime, OnnxParser):
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
