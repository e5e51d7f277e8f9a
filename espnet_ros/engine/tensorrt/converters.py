"""Converters for torch2trt: how TensorRT's layers are made from a network.

torch2trt runs a module once and calls a converter after each operation: it adds layers to the network and attaches the
last one's output as `_trt` to the PyTorch tensor that the operation returned. Operations are found by their dotted
name, so `Traceable` calls the functions of this file by their global names.
"""
import contextlib
import functools
import sys

import torch
from torch import nn

from espnet_ros.errors import EngineError

VERSION = 2
"""Part of the engine cache's key: to be raised with every change in this file."""

class Traceable(nn.Module):
    """A network with its normalization before it.

    deployed: deploy.Deployed whose network gives logits. stride: image pixels per logit, along each side.

    forward takes a BGR image, float32 0..255 [N, 3, H, W], and returns logits as the network does. The best class is
    found outside of the engine: TensorRT's top-k is slow on small GPUs.
    """

    def __init__(self, deployed, stride):
        super().__init__()
        self.network = deployed.network
        self.register_buffer('scale', deployed.scale)
        self.register_buffer('shift', deployed.shift)
        self._classes = len(deployed.outputs)
        self._stride = stride

    def shape(self, height, width):
        """Return the shape of the logits of an image of that size."""
        return 1, self._classes, height // self._stride, width // self._stride

    def forward(self, image):
        return self.network(normalize(image, self.scale, self.shift))


def normalize(image, scale, shift):
    """Return image * scale + shift, both [1, C, 1, 1]."""
    return image * scale + shift


def _convert_normalize(trt, ctx):
    image, scale, shift = ctx.method_args
    if not hasattr(ctx.builder_config, 'max_workspace_size'):  # which torch2trt sets; without it, it sets no limit
        ctx.builder_config.set_memory_pool_limit(
            trt.MemoryPoolType.WORKSPACE, ctx.torch2trt_kwargs['max_workspace_size'])
    scale, shift = _array(scale).reshape(-1), _array(shift).reshape(-1)
    layer = ctx.network.add_scale_nd(
        _input(ctx, image), trt.ScaleMode.CHANNEL, shift, scale, torch.ones(len(scale)).numpy(), 1)
    ctx.method_return._trt = layer.get_output(0)


def _convert_prelu(trt, ctx):
    # torch2trt's own is right, but makes five layers of it.
    x, slopes = _argument(ctx, 'input', 0), _argument(ctx, 'weight', 1)
    shape = (1, slopes.numel()) + (1,) * (ctx.method_return.dim() - 2)
    constant = ctx.network.add_constant(shape, _array(slopes).reshape(shape)).get_output(0)
    ctx.method_return._trt = ctx.network.add_parametric_relu(_input(ctx, x), constant).get_output(0)


_CONVERTERS = {
    'torch.nn.functional.prelu': _convert_prelu,
    __name__ + '.normalize': _convert_normalize,
}


def register(torch2trt, trt):
    """Register the converters of this file with torch2trt; they replace its own for the same operation."""
    for method, convert in _CONVERTERS.items():
        torch2trt.tensorrt_converter(method)(functools.partial(convert, trt))


@contextlib.contextmanager
def unconverted_operations_are_errors(torch2trt):
    """A context in which an operation that torch2trt has no converter for raises EngineError.

    Else it only prints a warning, and the operation's result for that one image becomes a constant.
    """
    kept = dict(torch2trt.CONVERTERS)
    if sys.version_info < (3, 7):
        # Who replaces this one breaks indexing by tensors, even when it is put back. ESPNet does not index.
        torch2trt.CONVERTERS.pop('torch.Tensor.__getitem__', None)
    for method, entry in list(torch2trt.CONVERTERS.items()):
        if not entry['is_real']:  # it converts nothing
            torch2trt.CONVERTERS[method] = dict(entry, converter=_refuse)
    try:
        yield
    finally:
        torch2trt.CONVERTERS.update(kept)


def _refuse(ctx):
    # What returns no tensor, such as dim(), leaves nothing in the network.
    if _holds_tensor(ctx.method_return):
        raise EngineError('torch2trt has no converter for {}'.format(ctx.method_str))


def _holds_tensor(value):
    return isinstance(value, torch.Tensor) or (isinstance(value, (tuple, list)) and any(map(_holds_tensor, value)))


def _argument(ctx, name, position):
    return ctx.method_kwargs[name] if name in ctx.method_kwargs else ctx.method_args[position]


def _input(ctx, tensor):
    if not hasattr(tensor, '_trt'):
        raise EngineError('the input of {} comes from an operation that torch2trt does not see'.format(ctx.method_str))
    return tensor._trt


def _array(tensor):
    return tensor.detach().float().cpu().numpy()
