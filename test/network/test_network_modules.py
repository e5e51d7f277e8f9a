"""Building blocks against values that can be worked out by hand."""
import pytest
import torch
from torch import nn

from espnet_ros.network.modules import ESP, NORM_EPS, InputReinforcement, NormAct, activation, convolution


def constant_esp(width_divider, **settings):
    """An ESP of 1 channel a branch whose branch k answers 10^k everywhere when the input is 1; no normalization."""
    esp = ESP(width_divider, width_divider, width_divider, **settings).eval()
    with torch.no_grad():
        esp.reduce.weight.zero_()[:, 0] = 1.0
        for k, branch in enumerate(esp.branches):
            branch.weight.zero_()[0, 0, 1, 1] = 10.0 ** k
    esp.post = nn.Identity()
    return esp


def test_hierarchical_feature_fusion_adds_the_dilated_branches_up():
    # The first branch stands alone; the others are summed one after the other (Fig. 1b).
    with torch.no_grad():
        y = constant_esp(5, residual=False)(torch.ones(1, 5, 4, 4))
        assert y[0, :, 2, 2].tolist() == [1.0, 10.0, 110.0, 1110.0, 11110.0]
        y = constant_esp(5, residual=True)(torch.ones(1, 5, 4, 4))
        assert y[0, :, 0, 3].tolist() == [2.0, 11.0, 111.0, 1111.0, 11111.0]


@pytest.mark.parametrize('dilated', [True, False])
def test_each_branch_looks_as_far_as_its_dilation(dilated):
    esp = ESP(5, 5, 5, residual=False, dilated=dilated)
    with torch.no_grad():
        esp.reduce.weight.fill_(1.0)
        for branch in esp.branches:
            branch.weight.zero_()[0, 0, 1, 2] = 1.0  # looks to the right
        esp.post = nn.Identity()
        x = torch.zeros(1, 5, 1, 40)
        x[0, 0, 0, 30] = 1.0
        y = esp(x)[0, :, 0]
    reach = [1, 2, 4, 8, 16] if dilated else [1] * 5
    assert y[0].nonzero().flatten().tolist() == [30 - reach[0]]
    assert y[4].nonzero().flatten().tolist() == sorted({30 - r for r in reach[1:]})


@pytest.mark.parametrize('k', range(2, 9))
@pytest.mark.parametrize('outputs', [64, 128])
def test_split_and_dilations_for_every_width_divider(k, outputs):
    esp = ESP(19, outputs, k, stride=2)
    width = outputs // k
    assert esp.reduce.out_channels == width
    assert [b.out_channels for b in esp.branches] == [outputs - (k - 1) * width] + [width] * (k - 1)
    assert sum(b.out_channels for b in esp.branches) == outputs  # footnote 4: the first takes the rest
    assert [b.dilation for b in esp.branches] == [(2 ** i, 2 ** i) for i in range(k)]
    assert all(b.padding == b.dilation and b.in_channels == width for b in esp.branches)


def test_parameters_of_an_esp_are_those_of_section_3_1():
    # Reduction M N / K, then K times n^2 (N / K)^2, batch norm 2 N and PReLU N.
    esp = ESP(100, 100, 5)
    assert sum(p.numel() for p in esp.parameters()) == 100 * 20 + 5 * 9 * 20 * 20 + 3 * 100


def test_strided_esp_halves_the_size_and_has_no_residual():
    esp = ESP(16, 16, 5, stride=2, residual=True)
    assert esp.reduce.kernel_size == (3, 3) and esp.reduce.stride == (2, 2) and not esp.residual
    assert esp(torch.zeros(2, 16, 20, 36)).shape == (2, 16, 10, 18)


def test_residual_needs_as_many_outputs_as_inputs():
    assert ESP(64, 64).residual and not ESP(64, 32).residual and not ESP(64, 64, residual=False).residual


@pytest.mark.parametrize('outputs', [1, 2, 4])
def test_fewer_channels_than_branches(outputs):
    esp = ESP(2 * outputs, outputs, 5, residual=False)
    assert len(esp.branches) == outputs
    assert esp(torch.zeros(1, 2 * outputs, 6, 6)).shape == (1, outputs, 6, 6)


def test_reduce_kernel():
    assert ESP(64, 64).reduce.kernel_size == (1, 1)
    assert ESP(64, 64, reduce_kernel=3).reduce.kernel_size == (3, 3)
    assert ESP(64, 64, reduce_kernel=3)(torch.zeros(1, 64, 7, 9)).shape == (1, 64, 7, 9)


def test_activations():
    x = torch.tensor([-4.0, 0.0, 2.0]).view(1, 1, 1, 3)
    assert activation('relu', 1)(x.clone()).flatten().tolist() == [0.0, 0.0, 2.0]
    assert activation('prelu', 1)(x).flatten().tolist() == [-1.0, 0.0, 2.0]
    assert activation('prelu', 7).weight.shape == (7,)


def test_norm_act_normalizes_with_the_authors_epsilon():
    module = NormAct(1).eval()
    module.norm.running_mean.fill_(3.0)
    module.norm.running_var.fill_(0.015)
    assert NORM_EPS == 1e-3
    y = module(torch.tensor([[[[3.4, 2.6]]]])).flatten().tolist()
    assert y == pytest.approx([0.4 / 0.016 ** 0.5, -0.25 * 0.4 / 0.016 ** 0.5], rel=1e-4)


def test_convolution_keeps_the_size_and_has_no_bias():
    for kernel, dilation in ((1, 1), (3, 1), (3, 16)):
        module = convolution(3, 4, kernel, dilation=dilation)
        assert module.bias is None and module(torch.zeros(1, 3, 9, 11)).shape == (1, 4, 9, 11)


def test_input_reinforcement_averages_with_the_border_counted():
    half, quarter = InputReinforcement()(torch.full((1, 3, 8, 8), 9.0))
    # A corner window has 4 pixels inside, an edge 6, and counts the zeros outside, as in the authors' code.
    assert half[0, 0].tolist() == [[4.0, 6.0, 6.0, 6.0]] + [[6.0, 9.0, 9.0, 9.0]] * 3
    assert half.shape == (1, 3, 4, 4) and quarter.shape == (1, 3, 2, 2)
    assert quarter[0, 0, 0, 0].item() == pytest.approx((4 + 6 + 6 + 9) / 9)
    assert quarter[0, 0, 1, 1].item() == 9.0
