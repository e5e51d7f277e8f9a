"""Floating-point operations and bytes that each module of a network needs for one image."""
import collections
import typing

import torch

from espnet_ros.performance.profile.module_hooks import module_hooks


class Work(typing.NamedTuple):
    """What a module itself does in one run, without the modules in it.

    flop: two for each multiply-add of its convolutions and matrix products; all else (normalization, activations, sums,
    pooling, looking for the best class) is not counted, as usual: it is some percent. bytes: what its operations read
    and write when each reads its operands and writes its result once; caches make it less, reordering makes it more.
    """

    flop: int = 0
    bytes: int = 0


_FLOP = {
    'conv2d': lambda args, result: 2 * result.numel() * args[1][0].numel(),
    'conv_transpose2d': lambda args, result: 2 * args[0].numel() * args[1][0].numel(),
    'mm': lambda args, result: 2 * result.numel() * args[0].shape[-1],
    'matmul': lambda args, result: 2 * result.numel() * args[0].shape[-1],
    'linear': lambda args, result: 2 * result.numel() * args[0].shape[-1],
    'addmm': lambda args, result: 2 * result.numel() * args[1].shape[-1],
}
"""By the names of PyTorch's functions, from their arguments and result."""


def count_work(network, image):
    """Return an ordered dict from the names of modules, in the order they first begin, to Work.

    network: takes the tensor `image`; it runs once.
    """
    ledger: typing.Dict[str, Work] = collections.OrderedDict()
    running = []

    class Counted(torch.Tensor):
        """A tensor whose every operation is entered in the ledger; results are such tensors, too."""

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            result = super().__torch_function__(func, types, args, kwargs or {})
            if running:
                with torch._C.DisableTorchFunction():
                    work = _work(getattr(func, '__name__', ''), args, kwargs or {}, result)
                    before = ledger[running[-1]]
                    ledger[running[-1]] = Work(before.flop + work.flop, before.bytes + work.bytes)
            return result

    def enter(name):
        ledger.setdefault(name, Work())
        running.append(name)
    with module_hooks(network, enter, lambda name: running.pop()), torch.inference_mode():
        network(image.as_subclass(Counted))
    return ledger


def _work(name, args, kwargs, result):
    flop = _FLOP[name](args, result) if name in _FLOP else 0
    operands = list(_tensors((args, tuple(kwargs.values()))))
    if name == '__setitem__':  # the part that is overwritten is as large as what comes there
        return Work(flop, 2 * _bytes(args[2]) if isinstance(args[2], torch.Tensor) else 0)
    in_place = (name.endswith('_') and not name.endswith('__')) or bool(kwargs.get('inplace'))
    storages = {_storage_key(tensor) for tensor in operands}
    made = [tensor for tensor in _tensors(result) if in_place or _storage_key(tensor) not in storages]
    # Views and sizes move no data.
    return Work(flop, sum(map(_bytes, operands + made)) if made else 0)


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _bytes(tensor):
    return tensor.numel() * tensor.element_size()


def _storage_key(tensor):
    """Return a key of the memory that a tensor uses."""
    return (tensor.untyped_storage() if hasattr(tensor, 'untyped_storage') else tensor.storage()).data_ptr()
