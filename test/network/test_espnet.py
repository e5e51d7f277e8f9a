"""The four ESPNets: sizes, parameters, and switches that do what they say."""
import pytest
import torch

from espnet_ros.errors import ModelError
from espnet_ros.network import VARIANTS, NetworkConfig, build, parameter_count
from espnet_ros.network.blocks import BLOCKS
from espnet_ros.network.modules import ESP


def small(**settings):
    return NetworkConfig(**dict({'classes': 5, 'alpha2': 1, 'alpha3': 1}, **settings))


def run(config, height=32, width=48):
    return build(config).eval()(torch.randn(1, 3, height, width))


@pytest.mark.parametrize('variant', ['espnet-c', 'espnet'])
def test_input_fusion_replaces_the_reduced_image(variant):
    config = small(variant=variant, input_fusion=True)
    network = build(config)
    assert network.eval()(torch.zeros(1, 3, 32, 48)).shape == (1, 5, 32 // config.stride, 48 // config.stride)
    encoder = network.encoder if variant == 'espnet' else network
    assert encoder.reinforce is None and encoder.down3.reduce.in_channels == 128


@pytest.mark.parametrize('settings, expected', [
    ({'alpha3': 3}, 202_649), ({'alpha3': 5}, 267_417), ({'alpha3': 8}, 364_569),
    ({'variant': 'espnet-c', 'alpha3': 3}, 187_529), ({'variant': 'espnet-c', 'alpha3': 5}, 252_297),
    ({'variant': 'espnet-c', 'alpha3': 8}, 349_449),
    ({'variant': 'espnet-b', 'alpha3': 3}, 186_464),
    # Table 2f: C with input-aware fusion has 0.206 million.
    ({'variant': 'espnet-c', 'alpha3': 3, 'input_fusion': True}, 205_376),
    ({'classes': 12, 'fuse_input': True}, 354_517),
    # Table 2d: C1 has 0.276 million, C2 and C3 have 0.187.
    ({'variant': 'espnet-c', 'alpha3': 3, 'reduce_kernel': 3}, 276_617),
    ({'variant': 'espnet-c', 'alpha3': 3, 'dilated': False}, 187_529),
    ({'variant': 'espnet-c', 'alpha3': 3, 'hff': False}, 187_529)])
def test_parameter_counts(settings, expected):
    assert parameter_count(build(NetworkConfig(**settings))) == expected


# Table 2: .183; K = 2, 4, 6, 7, 8: .358, .215, .165, .152, .143; strided convolution: .274; ReLU, no residual.
@pytest.mark.parametrize('settings, expected', [
    ({}, 183_136), ({'width_divider': 2}, 358_496), ({'width_divider': 4}, 215_136), ({'width_divider': 6}, 165_216),
    ({'width_divider': 7}, 152_416), ({'width_divider': 8}, 143_456), ({'downsampling': 'conv'}, 273_568),
    ({'activation': 'relu'}, 182_288), ({'residual': False}, 183_136)])
def test_all_counts_of_variant_a(settings, expected):
    config = NetworkConfig('espnet-a', alpha3=3, stride_divider=5)._replace(**settings)
    assert parameter_count(build(config)) == expected


# Fig. 5: .233, .181, .328, .424, 1.200 million.
@pytest.mark.parametrize('block, expected', [
    ('mobilenet', 234_274), ('shufflenet', 181_410), ('inception', 328_175), ('resnext', 423_714),
    ('resnet', 1_204_514)])
def test_other_modules_in_espnet_c(block, expected):
    config = NetworkConfig('espnet-c', alpha3=3, downsampling='conv', block=block)
    assert parameter_count(build(config)) == expected
    assert run(small(variant='espnet-c', downsampling='conv', block=block)).shape == (1, 5, 4, 6)


def test_blocks_keep_their_input_where_the_paper_has_a_skip_connection():
    x = torch.randn(1, 16, 8, 8)
    for name, block in BLOCKS.items():
        module = block(16).eval()
        for parameter in module.parameters():
            if parameter.dim() == 4:
                torch.nn.init.zeros_(parameter)
        with torch.no_grad():
            y = module(x)
        expected = torch.where(x > 0, x, 0.25 * x) / (1 + 1e-3) ** 0.5
        if name in ('mobilenet', 'inception'):
            expected = torch.zeros_like(x)
        assert torch.allclose(y, expected, atol=1e-6), name


def test_shuffling_lets_every_group_see_the_others():
    module = BLOCKS['shufflenet'](64).eval()
    x = torch.randn(1, 64, 8, 8, requires_grad=True)
    (module(x)[:, :16].sum() - torch.nn.functional.prelu(x[:, :16], torch.tensor(0.25)).sum()).backward()
    assert all(bool((x.grad[:, k:k + 16].abs() > 0).any()) for k in (16, 32, 48))


def test_defaults_are_the_papers():
    assert NetworkConfig() == NetworkConfig(
        'espnet', 20, 2, 8, 5, 'prelu', True, 'esp', 1, True, False, True, 0, False, 'esp')


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('classes', [1, 2, 4, 20, 100])
def test_output_shapes(variant, classes):
    config = small(variant=variant, classes=classes)
    assert config.stride == (1 if variant == 'espnet' else 8)
    assert run(config).shape == (1, classes, 32 // config.stride, 48 // config.stride)


@pytest.mark.parametrize('k', range(2, 9))
@pytest.mark.parametrize('variant', VARIANTS)
def test_every_width_divider_runs(variant, k):
    config = small(variant=variant, width_divider=k)
    network = build(config)
    # But for the decoder's, which has fewer channels than some K.
    assert {len(m.branches) for m in network.modules() if isinstance(m, ESP)} == {k, min(k, 5)} if (
        variant == 'espnet') else {k}
    assert network.eval()(torch.zeros(1, 3, 16, 24)).shape[1] == 5


@pytest.mark.parametrize('height, width', [(8, 8), (8, 64), (104, 8), (360, 480)])
def test_any_multiple_of_eight(height, width):
    assert run(small(), height, width).shape == (1, 5, height, width)


@pytest.mark.parametrize('variant', VARIANTS)
def test_every_parameter_gets_a_gradient(variant):
    network = build(small(variant=variant, fuse_input=variant == 'espnet'))
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)] == []


def test_depth_multipliers():
    network = build(NetworkConfig('espnet-c', alpha2=3, alpha3=6))
    assert (len(network.level2), len(network.level3)) == (3, 6)


@pytest.mark.parametrize('change', [
    {'activation': 'relu'}, {'residual': False}, {'dilated': False}, {'hff': False}, {'variant': 'espnet-b'},
    {'variant': 'espnet-a'}])
def test_a_switch_changes_the_result_for_the_same_weights(change):
    base, other = (build(small(variant='espnet-c', **c) if 'variant' not in c else small(**c)).eval()
                   for c in ({}, change))
    same = {k: v for k, v in base.state_dict().items()
            if k in other.state_dict() and other.state_dict()[k].shape == v.shape}
    other.load_state_dict(same, strict=False)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert (base(x) - other(x)).abs().max() > 1e-4


def test_switches_reach_the_modules():
    kinds = {type(m).__name__ for m in build(small(activation='relu')).modules()}
    assert 'ReLU' in kinds and 'PReLU' not in kinds
    esps = [m for m in build(small(residual=False)).modules() if isinstance(m, ESP)]
    assert not any(m.residual for m in esps)
    network = build(small(variant='espnet-a', downsampling='conv'))
    assert [m.stride for m in (network.down2.conv, network.down3.conv)] == [(2, 2), (2, 2)]
    assert network.down2.conv.kernel_size == (3, 3)
    flat = build(small(dilated=False))
    assert {m.dilation for m in flat.modules() if isinstance(m, torch.nn.Conv2d)} == {(1, 1)}
    standard = build(small(reduce_kernel=3)).encoder
    assert [m.reduce.kernel_size for m in (standard.level2[0], standard.level3[0])] == [(3, 3), (3, 3)]


def test_variant_a_does_not_concatenate_level_3_and_only_c_sees_the_image_again():
    a, b, c = (build(small(variant=v)) for v in VARIANTS[:3])
    assert [n.classifier.in_channels for n in (a, b, c)] == [128, 256, 256]
    assert [n.down2.reduce.in_channels for n in (a, b, c)] == [16, 16, 19]
    assert [n.down3.reduce.in_channels for n in (a, b, c)] == [128, 128, 131]


def test_input_fusion_widens_the_last_merge_alone():
    plain, fused = build(small()), build(small(fuse_input=True))
    assert (plain.merge1.conv.in_channels, fused.merge1.conv.in_channels) == (16 + 5, 19 + 5)
    changed = {k for k, v in plain.state_dict().items() if fused.state_dict()[k].shape != v.shape}
    assert changed == {'merge1.conv.weight'}


@pytest.mark.parametrize('field, value, words', [
    ('variant', 'espnet-d', "'espnet-d'; it must be one of espnet-a, espnet-b"), ('variant', ['espnet'], 'variant is'),
    ('classes', 0, '1..255'), ('classes', 256, '1..255'), ('classes', 20.0, 'classes is 20.0'),
    ('classes', True, 'classes is True'), ('classes', '20', "classes is '20'"), ('classes', None, 'classes is None'),
    ('alpha2', 0, '1..64'), ('alpha3', 65, '1..64'), ('alpha3', -3, '1..64'), ('width_divider', 1, '2..8'),
    ('width_divider', 9, '2..8'), ('activation', 'elu', 'prelu, relu'), ('residual', 1, 'False, True'),
    ('residual', 'yes', "residual is 'yes'"), ('downsampling', 'pool', 'esp, conv'), ('reduce_kernel', 2, '1, 3'),
    ('reduce_kernel', True, '1, 3'), ('dilated', None, 'dilated is None'), ('fuse_input', 0, 'fuse_input is 0'),
    ('hff', 1, 'False, True'),
    ('stride_divider', 1, '0, 2, 3'), ('input_fusion', 'c', 'False, True'), ('block', 'vgg', 'esp, mobilenet')])
def test_wrong_fields_are_refused_by_a_sentence(field, value, words):
    with pytest.raises(ModelError) as caught:
        build(NetworkConfig()._replace(**{field: value}))
    assert str(caught.value).startswith('architecture: {} is '.format(field)) and words in str(caught.value)


def test_the_configuration_cannot_change():
    config = NetworkConfig()
    with pytest.raises(AttributeError):
        config.classes = 3
    assert build(config).config is config
