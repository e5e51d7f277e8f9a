"""PReLU with a backward pass that is faster on CPUs than PyTorch's."""
import torch
from torch import nn
from torch.nn import functional


class _PReLU(torch.autograd.Function):
    """PyTorch's forward pass with a vectorized backward pass; PyTorch's own is a scalar loop."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x, slope)
        return functional.prelu(x, slope)

    @staticmethod
    def backward(ctx, gradient):
        x, slope = ctx.saved_tensors
        slope = slope.view(1, -1, 1, 1)
        # 1 where x is positive, else the slope; torch.where would be as slow as PyTorch's backward pass.
        x_gradient = x.sign().clamp_(min=0).mul_(1 - slope).add_(slope).mul_(gradient)
        return x_gradient, (gradient * x.clamp(max=0)).sum((0, 2, 3))


class FastPReLU(nn.PReLU):
    """nn.PReLU with the faster backward pass, for inputs [N, C, H, W] and C slopes; same values, same state dict."""

    def forward(self, x):
        return _PReLU.apply(x, self.weight)


def patch_prelu(network):
    """Switch every PReLU of a network to the faster backward pass, in place."""
    for module in network.modules():
        if type(module) is nn.PReLU:
            module.__class__ = FastPReLU
