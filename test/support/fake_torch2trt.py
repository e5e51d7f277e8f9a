"""A stand-in for NVIDIA-AI-IOT's `torch2trt`: its documented calls and traps, for the operations of ESPNet.

As in the real one, a module runs once while PyTorch's functions are replaced by ones that call a converter; tensors
without `_trt` become constants; what has no converter prints a warning; a failed build gives an empty module.
"""
import contextlib
import functools
import importlib
import types
import typing

import torch


class Context(typing.NamedTuple):
    """What a converter gets."""

    network: object
    builder_config: object
    torch2trt_kwargs: dict
    method_args: tuple
    method_kwargs: dict
    method_return: object
    method_str: str


def make_torch2trt(trt, version):
    """Return a module `torch2trt` of that version ('0.4.0', '0.5.0' or 'master') on a module `tensorrt`."""
    module = types.ModuleType('torch2trt')
    module.CONVERTERS = {}
    module.tensorrt_converter = functools.partial(register, module.CONVERTERS)
    module.trt_version = lambda: trt.__version__ if version != 'master' else tuple(trt.__version__.split('.'))
    module.TRTModule = functools.partial(TRTModule, trt, version)
    for method, convert in NATIVE.items():
        module.tensorrt_converter(method)(functools.partial(convert, trt))
    for method in UNKNOWN:
        module.tensorrt_converter(method, is_real=False)(
            lambda ctx: print('Warning: Encountered known unsupported method ' + ctx.method_str))

    def convert(network_module, inputs, input_names, output_names, fp16_mode=False, max_workspace_size=1 << 25,
                keep_network=True, int8_mode=False, int8_calib_dataset=None, **unbatched):
        settings = {'module': network_module, 'max_workspace_size': max_workspace_size}
        builder = trt.Builder(trt.Logger())
        config = builder.create_builder_config()
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        inputs = [tensor.clone() for tensor in inputs]
        for name, tensor in zip(input_names, inputs):
            tensor._trt = network.add_input(name, trt.float32, tuple(tensor.shape))
        with tracing(module.CONVERTERS, network, config, settings):
            outputs = network_module(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for name, tensor in zip(output_names, outputs):
            tensor._trt.name = name
            tensor._trt.dtype = {torch.float32: trt.float32}[tensor.dtype]
            network.mark_output(tensor._trt)
        if hasattr(config, 'max_workspace_size'):
            config.max_workspace_size = max_workspace_size
        if fp16_mode:
            config.set_flag(trt.BuilderFlag.FP16)
        if int8_mode:
            config.set_flag(trt.BuilderFlag.INT8)
            config.int8_calibrator = Calibrator(int8_calib_dataset, inputs[0], version == '0.4.0')
        if hasattr(builder, 'build_engine'):
            engine = builder.build_engine(network, config)
        else:
            content = builder.build_serialized_network(network, config)
            engine = None if content is None else trt.Runtime(trt.Logger()).deserialize_cuda_engine(content)
        return module.TRTModule(engine, input_names, output_names)

    if version == '0.4.0':
        def torch2trt(module, inputs, int8_calib_batch_size=1, **settings):
            return convert(module, inputs, **settings)
    else:
        def torch2trt(module, inputs, **settings):
            return convert(module, inputs, **settings)
    module.torch2trt = torch2trt
    return module


def register(converters, method, is_real=True):
    def keep(converter):
        converters[method] = {'converter': converter, 'is_real': is_real}
        return converter
    return keep


@contextlib.contextmanager
def tracing(converters, network, config, settings):
    """While this lasts, each function that has a converter calls it, but for those inside another such function."""
    busy = []
    kept = []

    def wrapped(method, function, entry):
        def call(*args, **kwargs):
            inside = bool(busy)
            if entry['is_real']:
                busy.append(method)
            try:
                result = function(*args, **kwargs)
                if not inside:
                    entry['converter'](Context(network, config, settings, args, kwargs, result, method))
                return result
            finally:
                if entry['is_real']:
                    busy.pop()
        return call

    for method, entry in converters.items():
        owner, _, name = method.rpartition('.')
        owner = torch.Tensor if owner == 'torch.Tensor' else importlib.import_module(owner)
        kept.append((owner, name, getattr(owner, name), name in vars(owner)))
        setattr(owner, name, wrapped(method, getattr(owner, name), entry))
    try:
        yield
    finally:
        for owner, name, function, own in kept:
            setattr(owner, name, function) if own else delattr(owner, name)


class Calibrator:
    def __init__(self, dataset, example, unbatched):
        self.dataset, self.count = dataset, 0
        self.buffer = torch.zeros_like(example) if unbatched else None

    def get_batch(self, names):
        if self.count == len(self.dataset):
            return []
        tensor, = self.dataset[self.count]
        self.count += 1
        if self.buffer is None:
            return [tensor.data_ptr()]
        self.buffer[0].copy_(tensor)
        return [self.buffer.data_ptr()]


class TRTModule(torch.nn.Module):
    def __init__(self, trt, version, engine=None, input_names=None, output_names=None):
        super().__init__()
        self.trt, self.version, self.engine = trt, version, engine
        if engine is not None:
            self.context = engine.create_execution_context()
        self.names = list(input_names) + list(output_names)

    def forward(self, *inputs):
        """Execute on the addresses of whatever is given, unchecked."""
        shapes = [tuple(self.engine.tensors[name].shape) for name in self.names[len(inputs):]]
        outputs = tuple(torch.empty(shape) for shape in shapes)
        addresses = [tensor.data_ptr() for tensor in inputs + outputs]
        if hasattr(self.engine, 'num_bindings'):
            bindings = [None] * len(addresses)
            for name, address in zip(self.names, addresses):
                bindings[self.engine.get_binding_index(name)] = address
            self.context.execute_async_v2(bindings, 0)
        else:
            for name, address in zip(self.names, addresses):
                self.context.set_tensor_address(name, address)
            self.context.execute_async_v3(0)
        return outputs if len(outputs) > 1 else outputs[0]


def trt_of(ctx, tensor):
    """The TensorRT tensor of a PyTorch tensor; one that nobody converted becomes a constant."""
    if not hasattr(tensor, '_trt'):
        tensor._trt = ctx.network.add_constant(tuple(tensor.shape), tensor.detach().numpy()).get_output(0)
    return tensor._trt


def convert_conv2d(trt, ctx):
    x, weight, bias, stride, padding, dilation, groups = ctx.method_args
    layer = ctx.network.add_convolution_nd(trt_of(ctx, x), weight.shape[0], tuple(weight.shape[2:]),
                                           weight.detach().numpy(), None if bias is None else bias.detach().numpy())
    layer.stride_nd, layer.padding_nd, layer.dilation_nd, layer.num_groups = stride, padding, dilation, groups
    ctx.method_return._trt = layer.get_output(0)


def convert_conv_transpose2d(trt, ctx):
    x, weight, bias, stride, padding = ctx.method_args[:5]
    layer = ctx.network.add_deconvolution_nd(trt_of(ctx, x), weight.shape[1], tuple(weight.shape[2:]),
                                             weight.detach().numpy())
    layer.stride_nd, layer.padding_nd = stride, padding
    ctx.method_return._trt = layer.get_output(0)


def convert_batch_norm(trt, ctx):
    x, mean, variance, weight, bias = [value.detach() for value in ctx.method_args[:5]]
    factor = weight / torch.sqrt(variance + ctx.method_args[7])
    shift = bias - mean * factor
    layer = ctx.network.add_scale_nd(trt_of(ctx, ctx.method_args[0]), trt.ScaleMode.CHANNEL, shift.numpy(),
                                     factor.numpy(), torch.ones_like(factor).numpy(), 1)
    ctx.method_return._trt = layer.get_output(0)


def convert_prelu(trt, ctx):
    raise AssertionError('this package has a converter of its own for PReLU')


def convert_relu(trt, ctx):
    layer = ctx.network.add_activation(trt_of(ctx, ctx.method_args[0]), trt.ActivationType.RELU)
    ctx.method_return._trt = layer.get_output(0)


def convert_avg_pool2d(trt, ctx):
    x, window, stride, padding, ceil_mode, count_include_pad = ctx.method_args[:6]
    assert not ceil_mode
    layer = ctx.network.add_pooling_nd(trt_of(ctx, x), trt.PoolingType.AVERAGE, (window, window))
    layer.stride_nd, layer.padding_nd = (stride, stride), (padding, padding)
    layer.average_count_excludes_padding = not count_include_pad
    ctx.method_return._trt = layer.get_output(0)


def convert_cat(trt, ctx):
    tensors, dim = ctx.method_args
    layer = ctx.network.add_concatenation([trt_of(ctx, tensor) for tensor in tensors])
    layer.axis = dim
    ctx.method_return._trt = layer.get_output(0)


def convert_add(trt, ctx):
    layer = ctx.network.add_elementwise(*[trt_of(ctx, tensor) for tensor in ctx.method_args],
                                        trt.ElementWiseOperation.SUM)
    ctx.method_return._trt = layer.get_output(0)


NATIVE = {
    'torch.nn.functional.conv2d': convert_conv2d,
    'torch.nn.functional.conv_transpose2d': convert_conv_transpose2d,
    'torch.nn.functional.batch_norm': convert_batch_norm,
    'torch.nn.functional.prelu': convert_prelu,
    'torch.nn.functional.relu': convert_relu,
    'torch.nn.functional.avg_pool2d': convert_avg_pool2d,
    'torch.cat': convert_cat,
    'torch.Tensor.__add__': convert_add,
}
UNKNOWN = (
    'torch.Tensor.dim', 'torch.Tensor.__getitem__', 'torch.Tensor.argmax', 'torch.Tensor.float', 'torch.Tensor.max',
    'torch.argmax', 'torch.Tensor.clamp_', 'torch.nn.functional.hardtanh', 'torch.prelu', 'torch.softmax',
    'torch.sigmoid')
