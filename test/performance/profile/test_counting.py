"""FLOP and bytes of a network's modules."""
import pytest
import small_models
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from espnet_ros.deploy.deploy import deploy
from espnet_ros.network import NetworkConfig, build
from espnet_ros.performance.profile.counting import Work, count_work


def test_a_convolution_takes_two_flop_for_each_multiply_add():
    network = nn.Conv2d(6, 10, 3, padding=1, groups=2, bias=False)
    work = count_work(network, torch.zeros(1, 6, 8, 12))[''].flop
    assert work == 2 * (8 * 12) * 10 * (6 // 2) * 9  # pixels, outputs, inputs of a group, taps


def test_a_strided_dilated_convolution_counts_its_output():
    network = nn.Conv2d(3, 16, 3, stride=2, padding=2, dilation=2, bias=False)
    assert count_work(network, torch.zeros(1, 3, 64, 32))[''].flop == 2 * (32 * 16) * 16 * 3 * 9


def test_a_deconvolution_counts_its_input():
    network = nn.ConvTranspose2d(5, 7, 2, stride=2, bias=False)
    assert count_work(network, torch.zeros(1, 5, 4, 6))[''].flop == 2 * (4 * 6) * 5 * 7 * 4


def test_matrix_products():
    class Product(nn.Module):
        def forward(self, x):
            return torch.mm(x, torch.zeros(4, 5)) + torch.addmm(torch.zeros(5), x, torch.zeros(4, 5))
    assert count_work(Product(), torch.zeros(3, 4))[''].flop == 2 * (2 * 3 * 4 * 5)


def test_bytes_are_operands_and_result():
    network = nn.Conv2d(2, 4, 1, bias=False)
    assert count_work(network, torch.zeros(1, 2, 3, 5))[''].bytes == 4 * (2 * 15 + 2 * 4 + 4 * 15)
    half = network.half()
    assert count_work(half, torch.zeros(1, 2, 3, 5).half())[''].bytes == 2 * (2 * 15 + 2 * 4 + 4 * 15)


@pytest.mark.parametrize('step, moved', [
    (lambda x: x.view(4, 6), 0), (lambda x: x.permute(1, 0), 0), (lambda x: x[:2], 0), (lambda x: x.contiguous(), 0),
    (lambda x: x.float(), 0), (lambda x: x.numel(), 0),  # these only look
    (lambda x: x.t().reshape(24), 2 * 96), (lambda x: x + 1, 2 * 96), (lambda x: x.add_(1), 2 * 96),
    (lambda x: torch.cat([x, x]), 4 * 96), (lambda x: x.byte(), 96 + 24),
    (lambda x: nn.functional.relu(x, inplace=True), 2 * 96)])
def test_what_only_looks_moves_nothing(step, moved):
    class Step(nn.Module):
        def forward(self, x):
            step(x)
    assert count_work(Step(), torch.zeros(8, 3))[''] == Work(0, moved)


def test_a_part_that_is_overwritten():
    class Fill(nn.Module):
        def forward(self, x):
            torch.zeros(10, 3)[2:4] = x
    assert count_work(Fill(), torch.ones(2, 3))[''].bytes == 2 * 24


def test_modules_answer_for_themselves_alone():
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Sequential(nn.Conv2d(1, 2, 1, bias=False)))
    work = count_work(network, torch.zeros(1, 1, 4, 4))
    assert list(work) == ['', '0', '1', '1.0']
    assert [work[name].flop for name in work] == [0, 32, 0, 64]


def test_a_module_that_runs_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)

        def forward(self, x):
            return self.conv(self.conv(x))
    assert count_work(Twice(), torch.zeros(1, 1, 4, 4))['conv'].flop == 2 * (2 * 16 * 9)


def _multiply_adds(config, height, width):
    """By the paper's Fig. 4: of ESPNet-C from its configuration alone."""
    k, pixels = config.width_divider, height * width

    def esp(inputs, outputs, reduce_taps, area):
        branch = outputs // k
        return area * (inputs * branch * reduce_taps + 9 * branch * (outputs - (k - 1) * branch + (k - 1) * branch))
    level1 = pixels // 4 * 3 * 16 * 9
    level2 = esp(19, 64, 9, pixels // 16) + config.alpha2 * esp(64, 64, 1, pixels // 16)
    level3 = esp(131, 128, 9, pixels // 64) + config.alpha3 * esp(128, 128, 1, pixels // 64)
    return level1 + level2 + level3 + pixels // 64 * 256 * config.classes


@pytest.mark.parametrize('classes, alpha3, k', [(20, 8, 5), (20, 3, 5), (11, 8, 8)])
def test_espnet_c_by_formula(classes, alpha3, k):
    config = NetworkConfig('espnet-c', classes, 2, alpha3, k)
    counted = sum(work.flop for work in count_work(build(config).eval(), torch.zeros(1, 3, 128, 256)).values())
    assert counted == 2 * _multiply_adds(config, 128, 256)


@pytest.mark.parametrize('tiled', [False, True])
@pytest.mark.parametrize('variant', ['espnet', 'espnet-c'])
def test_pytorchs_own_counter_agrees(variant, tiled):
    card = small_models.CARD
    network = deploy(small_models.network(small_models.CONFIG._replace(variant=variant)), card, tiled)
    image = torch.zeros(1, 3, 64, 96, dtype=torch.uint8)
    with torch.inference_mode(), FlopCounterMode(display=False) as theirs:
        network(image)
    assert sum(work.flop for work in count_work(network, image).values()) == theirs.get_total_flops() > 0
