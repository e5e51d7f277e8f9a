"""The paper's peers: parameters as counted from their publications, pooling as PyTorch does it, layers that train."""
import pytest
import torch
from torch.nn import functional

from espnet_ros.network import FAMILIES, build, configure, count, wsi
from espnet_ros.network.fcn import FCN8s
from espnet_ros.network.pooling import MaxPool2x2, adaptive_average, unpool


@pytest.mark.parametrize('family, classes, expected', [
    ('enet', 20, 364_712), ('erfnet', 19, 2_066_642), ('sqnet', 19, 16_262_771),
    ('segnet', 19, 29_453_971), ('segnet', 21, 29_455_125),
    ('deeplab-v2', 19, 43_901_068), ('deeplab-v2', 21, 44_048_532),
    ('pspnet', 19, 65_707_475), ('pspnet', 21, 65_708_501),
    ('fcn8s', 19, 134_456_985), ('fcn8s', 21, 134_489_759), ('espnet-wsi', 8, 2_755_488)])
def test_parameter_counts(family, classes, expected):
    assert count(configure(family, {'classes': classes})) == expected


@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'espnet'}))
@pytest.mark.parametrize('height, width', [(64, 96), (72, 88)])
def test_logits_at_sides_that_16_does_not_divide(family, height, width):
    config = FAMILIES[family].config(classes=3)
    with torch.device('meta'):
        network = build(config).eval()
        assert network(torch.zeros(1, 3, height, width)).shape == (
            1, 3, height // config.stride, width // config.stride)


@pytest.mark.parametrize('family, fields', [
    ('enet', {}), ('enet', {'layout': 'pytorch-enet'}), ('erfnet', {}), ('espnet-wsi', {}), ('sqnet', {})])
def test_every_parameter_gets_a_gradient(family, fields):
    network = build(FAMILIES[family].config(classes=3, **fields))
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    assert without == ({'head.weight', 'head.bias'} if family == 'erfnet' else set())


def test_the_encoder_of_erfnet_has_a_head_of_its_own():
    config = configure('erfnet', {'classes': 7, 'encoder_only': True})
    assert config.stride == 8
    network = build(config).eval()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7, 8, 8) and not list(network.decoder.parameters())


def test_dilations_are_the_publications():
    def rates(family):
        with torch.device('meta'):
            network = build(FAMILIES[family].config())
        return [max(m.dilation) for m in network.modules() if isinstance(m, torch.nn.Conv2d) and max(m.dilation) > 1]
    assert rates('enet') == [2, 4, 8, 16] * 2
    assert rates('erfnet') == [2, 2, 4, 4, 8, 8, 16, 16] * 2
    assert rates('sqnet') == [2, 3, 4]
    assert rates('deeplab-v2') == [2] * 23 + [4] * 3 + [6, 12, 18, 24]
    assert rates('pspnet') == [2] * 23 + [4] * 3
    assert rates('espnet-wsi') == [2, 4, 8] * 7


def test_regions_of_the_network_for_slides_at_384(monkeypatch):
    pooled = []
    monkeypatch.setattr(wsi, 'adaptive_average', lambda x, bins: pooled.append(bins) or functional.adaptive_avg_pool2d(
        x, bins))
    with torch.device('meta'):
        build(configure('espnet-wsi', {'classes': 8})).eval()(torch.zeros(1, 3, 384, 384))
    assert pooled == [[n, n] for n in (40, 32, 24, 18, 80, 64, 48, 36, 160, 128, 96, 72)]


@pytest.mark.parametrize('height, width', [(8, 12), (9, 7)])
def test_portable_pooling_equals_pytorchs(monkeypatch, height, width):
    x = torch.randint(0, 4, (2, 3, height, width)).float()  # with ties
    values = torch.randn(2, 3, height // 2, width // 2)
    pool = MaxPool2x2()
    wanted, places = pool(x)
    wanted_unpooled = unpool(values, places, x)
    monkeypatch.setattr(torch.onnx, 'is_in_onnx_export', lambda: True)
    pooled, places = pool(x)
    assert torch.equal(pooled, wanted) and torch.equal(unpool(values, places, x), wanted_unpooled)
    assert torch.count_nonzero(wanted_unpooled) == values.numel()


@pytest.mark.parametrize('bins', [1, 2, 3, 6, (5, 4)])
def test_portable_adaptive_pooling_equals_pytorchs(monkeypatch, bins):
    x = torch.randn(1, 4, 13, 8)
    wanted = functional.adaptive_avg_pool2d(x, bins)
    monkeypatch.setattr(torch.onnx, 'is_in_onnx_export', lambda: True)
    assert torch.allclose(adaptive_average(x, bins), wanted, atol=1e-6)


def test_fcn_begins_with_bilinear_interpolation():
    network = FCN8s.__new__(FCN8s)
    torch.nn.Module.__init__(network)
    network.config = configure('fcn8s', {'classes': 2})
    for name, kernel, stride, padding in (('up5', 4, 2, 1), ('up4', 4, 2, 1), ('up3', 16, 8, 4)):
        setattr(network, name, torch.nn.ConvTranspose2d(2, 2, kernel, stride, padding, bias=False))
    network.initialize()
    x = torch.randn(1, 2, 6, 6)
    for up, factor in ((network.up5, 2), (network.up3, 8)):
        wanted = functional.interpolate(x, scale_factor=factor, mode='bilinear', align_corners=False)
        inner = (..., slice(factor, -factor), slice(factor, -factor))  # at the border the deconvolution sees zeros
        assert torch.allclose(up(x)[inner], wanted[inner], atol=1e-5)
