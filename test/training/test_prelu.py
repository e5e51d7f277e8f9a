"""The faster backward pass of PReLU has the gradients of PyTorch's."""
import copy

import pytest
import torch
from torch import nn

from espnet_ros.network import NetworkConfig, build
from espnet_ros.training.prelu import FastPReLU, patch_prelu


@pytest.mark.parametrize('slope', [-0.5, 0.0, 0.25, 1.0, 1.7])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_pytorch(slope, layout):
    torch.manual_seed(0)
    image = torch.randn(2, 5, 9, 11, dtype=torch.float64).to(memory_format=layout)
    image[0, :, :3] = 0  # where there are two gradients to choose from
    gradient = torch.randn_like(image)
    found = []
    for kind in (nn.PReLU, FastPReLU):
        module = kind(5, slope, dtype=torch.float64)
        x = image.clone().requires_grad_()
        y = module(x)
        y.backward(gradient)
        found.append((y.detach(), x.grad, module.weight.grad))
    for expected, actual in zip(*found):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_a_patched_network_has_the_same_gradients_and_state_dict():
    torch.manual_seed(0)
    plain = build(NetworkConfig(variant='espnet', classes=5, alpha2=1, alpha3=1)).double()
    quick = copy.deepcopy(plain)
    patch_prelu(quick)
    assert any(type(module) is FastPReLU for module in quick.modules())
    assert not any(type(module) is nn.PReLU for module in quick.modules())
    image = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for network in (plain, quick):
        network(image).square().sum().backward()
    for (name, expected), (same, actual) in zip(plain.named_parameters(), quick.named_parameters()):
        assert name == same
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-9, atol=1e-9)
    plain.load_state_dict(quick.state_dict())
