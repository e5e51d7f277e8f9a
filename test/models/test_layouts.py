"""Weights in public layouts: every parameter is filled once, and the networks compute what the public ones compute."""
import collections
import hashlib

import pytest
import torch
from torch import nn
from torch.nn import functional

from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.models import layouts
from espnet_ros.models.checkpoint import load_network
from espnet_ros.models.layouts import read_backbone, rename_enet_keys, rename_erfnet_keys
from espnet_ros.network import build, configure

pytestmark = pytest.mark.slow


def randomized(module, seed=0):
    """Give a module random weights and statistics, and return it in evaluation mode."""
    torch.manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module.eval()


class PublicVGG(nn.Module):
    """VGG16's convolutions, numbered as torchvision numbers them."""

    def __init__(self, norm):
        super().__init__()
        layers, inputs = [], 3
        for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
            if width:
                layers += [nn.Conv2d(inputs, width, 3, padding=1)] + ([nn.BatchNorm2d(width)] if norm else []) + [
                    nn.ReLU()]
                inputs = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)


class PublicBottleneck(nn.Module):
    def __init__(self, inputs, width, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(4 * width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(
            4 * width)) if stride > 1 or inputs != 4 * width else nn.Sequential()

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class PublicResNet(nn.Module):
    """ResNet-101 with the names of torchvision; the last two stages are dilated."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, count, stride, dilation) in enumerate(
                ((64, 3, 1, 1), (128, 4, 2, 1), (256, 23, 1, 2), (512, 3, 1, 4)), 1):
            blocks = []
            for i in range(count):
                blocks.append(PublicBottleneck(inputs, width, 1 if i else stride, dilation))
                inputs = 4 * width
            setattr(self, 'layer{}'.format(number), nn.Sequential(*blocks))

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def saved(path, state):
    torch.save(collections.OrderedDict(state), path)
    return path


@pytest.mark.parametrize('family, norm', [('fcn8s', False), ('segnet', True)])
def test_the_convolutions_of_vgg16(tmp_path, family, norm):
    public = randomized(PublicVGG(norm))
    backbone = read_backbone(saved(tmp_path / 'vgg.pth', public.state_dict()), configure(family, {'classes': 3}))
    with torch.device('meta'):
        whole = build(configure(family, {'classes': 3})).state_dict()
    assert set(backbone.tensors) == {name for name in whole if name.startswith('encoder.')}
    from espnet_ros.network import vgg
    ours = nn.Module()
    ours.encoder = vgg.blocks(norm)
    backbone.fill(ours)
    x = torch.randn(1, 3, 64, 64)
    y = x.flip(1)
    for block in ours.eval().encoder:
        y = functional.max_pool2d(block(y), 2)
    assert torch.allclose(y, public.features(x), atol=1e-5) and bool(y.abs().sum() > 0)


def test_the_classifier_of_vgg16_becomes_convolutional(tmp_path, monkeypatch):
    narrow = {'fully.0.weight': (4096, 512, 7, 7), 'fully.0.bias': (4096,), 'encoder.0.0.weight': (64, 3, 3, 3)}
    monkeypatch.setattr(layouts, 'read_weights', lambda path, limit: collections.OrderedDict([
        *((name, tensor) for name, tensor in PublicVGG(False).state_dict().items()),
        ('classifier.0.weight', torch.arange(4096 * 25088, dtype=torch.float32).view(4096, 25088)),
        ('classifier.0.bias', torch.ones(4096)), ('classifier.3.weight', torch.ones(4096, 4096)),
        ('classifier.3.bias', torch.ones(4096)), ('classifier.6.bias', torch.ones(1000))]))
    (tmp_path / 'x.pth').write_bytes(b'')
    tensors = read_backbone(tmp_path / 'x.pth', configure('fcn8s', {})).tensors
    assert {name: tuple(tensors[name].shape) for name in narrow} == narrow
    assert tensors['fully.0.weight'][1, 0, 0, 0] == 25088 and tensors['fully.3.weight'].shape == (4096, 4096, 1, 1)
    assert not any('score' in name or name.startswith('up') for name in tensors)


def test_resnet_101(tmp_path):
    public = randomized(PublicResNet())
    state = dict(public.state_dict(), **{'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)})
    config = configure('deeplab-v2', {'classes': 3})
    backbone = read_backbone(saved(tmp_path / 'resnet101.pth', state), config)
    network = build(config).eval()
    assert set(backbone.tensors) == {name for name in network.state_dict() if name.startswith('backbone.')}
    backbone.fill(network)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        found, wanted = network.backbone(x.flip(1)), public(x)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


def test_the_deep_stem_of_pspnet(tmp_path):
    names = layouts._names('pspnet')
    with torch.device('meta'):
        own = build(configure('pspnet', {'classes': 3})).state_dict()
    parameters = {name for name in own if name.startswith('backbone.')}
    state = {}
    for name in parameters:
        module, _, field = name.rpartition('.')
        state['{}.{}'.format(names[module], field)] = torch.randn(own[name].shape) if (
            own[name].is_floating_point()) else torch.zeros((), dtype=torch.long)
    state = {key: value.abs() for key, value in state.items()}
    assert len(state) == len(parameters) and {'conv3.weight', 'bn3.bias', 'layer4.2.conv3.weight'} <= set(state)
    backbone = read_backbone(saved(tmp_path / 'x.pth', state), configure('pspnet', {'classes': 3}))
    assert set(backbone.tensors) == parameters


class PublicBlock(nn.Module):
    """A residual layer with the names of erfnet_pytorch."""

    def __init__(self, channels, rate):
        super().__init__()
        for number, dilation in ((1, 1), (2, rate)):
            setattr(self, 'conv3x1_{}'.format(number), nn.Conv2d(
                channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)))
            setattr(self, 'conv1x3_{}'.format(number), nn.Conv2d(
                channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)))
            setattr(self, 'bn{}'.format(number), nn.BatchNorm2d(channels, eps=1e-3))

    def forward(self, x):
        y = functional.relu(self.conv3x1_1(x))
        y = functional.relu(self.bn1(self.conv1x3_1(y)))
        y = functional.relu(self.conv3x1_2(y))
        return functional.relu(self.bn2(self.conv1x3_2(y)) + x)


class PublicSampler(nn.Module):
    """Down or up by 2, with the names of erfnet_pytorch."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.down = outputs > inputs
        self.conv = nn.Conv2d(inputs, outputs - inputs, 3, 2, 1) if self.down else nn.ConvTranspose2d(
            inputs, outputs, 3, 2, 1, 1)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        y = self.conv(x)
        return functional.relu(self.bn(torch.cat([y, functional.max_pool2d(x, 2)], 1) if self.down else y))


class PublicERFNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.initial_block = PublicSampler(3, 16)
        self.encoder.layers = nn.Sequential(
            PublicSampler(16, 64), *[PublicBlock(64, 1) for _ in range(5)], PublicSampler(64, 128),
            *[PublicBlock(128, rate) for _ in range(2) for rate in (2, 4, 8, 16)])
        self.encoder.output_conv = nn.Conv2d(128, classes, 1)
        self.decoder.layers = nn.Sequential(
            PublicSampler(128, 64), PublicBlock(64, 1), PublicBlock(64, 1), PublicSampler(64, 16), PublicBlock(16, 1),
            PublicBlock(16, 1))
        self.decoder.output_conv = nn.ConvTranspose2d(16, classes, 2, 2)

    def forward(self, x, encoder_only=False):
        x = self.encoder.layers(self.encoder.initial_block(x))
        return self.encoder.output_conv(x) if encoder_only else self.decoder.output_conv(self.decoder.layers(x))


def test_erfnet_as_its_authors_save_it(tmp_path):
    public = randomized(PublicERFNet(5))
    state = {'module.' + key: value for key, value in public.state_dict().items()}  # of DataParallel
    network = load_network(configure('erfnet', {'classes': 5}), saved(tmp_path / 'erfnet.pth', state))
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted, found = public(x), network(x.flip(1))
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
        assert not torch.allclose(network(x), wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max()))
        head = network.head(network.encoder(x.flip(1)))
        assert torch.allclose(head, public(x, True), rtol=1e-4, atol=1e-4 * float(head.abs().max()))
    own = network.state_dict()
    assert list(rename_erfnet_keys(own)) == list(own)  # ours stay as they are


class PublicENet:
    """What PyTorch-ENet computes, from a state dict under its names alone."""

    STAGE = (('regular', 1), ('dilated', 2), ('asymmetric', 1), ('dilated', 4), ('regular', 1), ('dilated', 8),
             ('asymmetric', 1), ('dilated', 16))

    def __init__(self, classes, has_slopes):
        """Random weights. has_slopes: whether the encoder, and the decoder, have PReLUs."""
        self.state, self.has_slopes = collections.OrderedDict(), has_slopes
        self.layer('initial_block.main_branch', 13, 3, 3, 3)
        self.norm('initial_block.batch_norm', 16)
        self.act('initial_block.out_activation', 0)
        self.bottleneck('downsample1_0', 16, 64, 4)
        for i in range(1, 5):
            self.bottleneck('regular1_{}'.format(i), 64, 64, 16)
        self.bottleneck('downsample2_0', 64, 128, 16)
        for stage, first in ((2, 1), (3, 0)):
            for i, (kind, _) in enumerate(self.STAGE):
                self.bottleneck('{}{}_{}'.format(kind, stage, first + i), 128, 128, 32)
        for name, inputs, outputs in (('upsample4_0', 128, 64), ('upsample5_0', 64, 16)):
            self.layer(name + '.main_conv1.0', outputs, inputs, 1, 1)
            self.norm(name + '.main_conv1.1', outputs)
            self.conv_norm_act(name + '.ext_conv1', inputs // 4, inputs, 1, 1, 1)
            self.layer(name + '.ext_tconv1', inputs // 4, inputs // 4, 2, 2)
            self.norm(name + '.ext_tconv1_bnorm', inputs // 4)
            self.act(name + '.ext_tconv1_activation', 1)
            self.layer(name + '.ext_conv2.0', outputs, inputs // 4, 1, 1)
            self.norm(name + '.ext_conv2.1', outputs)
            self.act(name + '.out_activation', 1)
        for name, width in (('regular4_1', 64), ('regular4_2', 64), ('regular5_1', 16)):
            self.bottleneck(name, width, width, width // 4)
        self.layer('transposed_conv', 16, classes, 3, 3)

    def layer(self, name, *shape):
        self.state[name + '.weight'] = torch.randn(shape) / (shape[1] * shape[2] * shape[3]) ** 0.5

    def norm(self, name, width):
        for field, low, high in (('weight', 0.5, 1.5), ('bias', -0.2, 0.2), ('running_mean', -0.2, 0.2),
                                 ('running_var', 0.5, 1.5)):
            self.state['{}.{}'.format(name, field)] = torch.empty(width).uniform_(low, high)

    def act(self, name, half):
        if self.has_slopes[half]:
            self.state[name + '.weight'] = torch.rand(1)

    def conv_norm_act(self, name, outputs, inputs, rows, columns, half, first=0):
        self.layer('{}.{}'.format(name, first), outputs, inputs, rows, columns)
        self.norm('{}.{}'.format(name, first + 1), outputs)
        self.act('{}.{}'.format(name, first + 2), half)

    def bottleneck(self, name, inputs, outputs, width):
        half, size = int(name[-3] > '3'), 2 if name.startswith('down') else 1
        self.conv_norm_act(name + '.ext_conv1', width, inputs, size, size, half)
        if name.startswith('asymmetric'):
            self.conv_norm_act(name + '.ext_conv2', width, width, 5, 1, half)
            self.conv_norm_act(name + '.ext_conv2', width, width, 1, 5, half, 3)
        else:
            self.conv_norm_act(name + '.ext_conv2', width, width, 3, 3, half)
        self.conv_norm_act(name + '.ext_conv3', outputs, width, 1, 1, half)
        self.act(name + '.out_activation', half)

    def weight(self, name):
        return self.state[name + '.weight']

    def normed(self, name, x):
        factor = self.weight(name) / (self.state[name + '.running_var'] + 1e-5).sqrt()
        shift = self.state[name + '.bias'] - self.state[name + '.running_mean'] * factor
        return x * factor.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)

    def active(self, name, x):
        slope = self.state.get(name + '.weight', torch.zeros(1))
        return torch.where(x > 0, x, slope * x)

    def chain(self, name, x, first=0, **settings):
        x = functional.conv2d(x, self.weight('{}.{}'.format(name, first)), **settings)
        return self.active('{}.{}'.format(name, first + 2), self.normed('{}.{}'.format(name, first + 1), x))

    def run(self, name, x, dilation=1):
        """A bottleneck; with the places of its maxima where it is one that halves the size."""
        main, places = x, None
        if name.startswith('down'):
            main, places = functional.max_pool2d(x, 2, return_indices=True)
        y = self.chain(name + '.ext_conv1', x, stride=2 if places is not None else 1)
        if name.startswith('asymmetric'):
            y = self.chain(name + '.ext_conv2', y, padding=(2, 0))
            y = self.chain(name + '.ext_conv2', y, 3, padding=(0, 2))
        else:
            y = self.chain(name + '.ext_conv2', y, padding=dilation, dilation=dilation)
        y = self.chain(name + '.ext_conv3', y)
        main = torch.cat([main, main.new_zeros(1, y.shape[1] - main.shape[1], *main.shape[2:])], 1)
        y = self.active(name + '.out_activation', main + y)
        return y if places is None else (y, places)

    def up(self, name, x, places):
        main = self.normed(name + '.main_conv1.1', functional.conv2d(x, self.weight(name + '.main_conv1.0')))
        y = functional.conv_transpose2d(self.chain(name + '.ext_conv1', x), self.weight(name + '.ext_tconv1'), stride=2)
        y = self.active(name + '.ext_tconv1_activation', self.normed(name + '.ext_tconv1_bnorm', y))
        y = self.normed(name + '.ext_conv2.1', functional.conv2d(y, self.weight(name + '.ext_conv2.0')))
        return self.active(name + '.out_activation', functional.max_unpool2d(main, places, 2) + y)

    def __call__(self, x):
        y = functional.conv2d(x, self.weight('initial_block.main_branch'), stride=2, padding=1)
        x = self.normed('initial_block.batch_norm', torch.cat([y, functional.max_pool2d(x, 3, 2, 1)], 1))
        x, places1 = self.run('downsample1_0', self.active('initial_block.out_activation', x))
        for i in range(1, 5):
            x = self.run('regular1_{}'.format(i), x)
        x, places2 = self.run('downsample2_0', x)
        for stage, first in ((2, 1), (3, 0)):
            for i, (kind, dilation) in enumerate(self.STAGE):
                x = self.run('{}{}_{}'.format(kind, stage, first + i), x, dilation)
        x = self.run('regular4_2', self.run('regular4_1', self.up('upsample4_0', x, places2)))
        x = self.run('regular5_1', self.up('upsample5_0', x, places1))
        return functional.conv_transpose2d(x, self.weight('transposed_conv'), stride=2, padding=1, output_padding=1)


@pytest.mark.parametrize('has_slopes', [(True, False), (True, True), (False, False)], ids=str)
def test_enet_as_pytorch_enet_saves_it(tmp_path, has_slopes):
    torch.manual_seed(1)
    public = PublicENet(5, has_slopes)
    config = configure('enet', {'classes': 5, 'layout': 'pytorch-enet'})
    network = load_network(config, saved(tmp_path / 'enet.pth', {'module.' + k: v for k, v in public.state.items()}))
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted, found = public(x), network(x.flip(1))
        assert wanted.shape == (1, 5, 64, 96)
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
        assert not torch.allclose(network(x), wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max()))
    assert torch.equal(network.stage3[2].branch[6].weight, public.weight('asymmetric3_2.ext_conv2.3'))
    assert torch.equal(network.initial.conv.weight, public.weight('initial_block.main_branch').flip(1))
    slopes = network.stage4[0].act.weight.detach()
    assert slopes.shape == (64,) and float(slopes.max()) == (
        float(public.weight('regular4_1.out_activation')) if has_slopes[1] else 0.0)
    own = network.state_dict()
    assert list(rename_enet_keys(own, config)) == list(own)  # ours stay as they are


def test_a_cut_or_other_enet_gets_a_sentence(tmp_path):
    state = PublicENet(5, (True, False)).state
    config = configure('enet', {'classes': 5, 'layout': 'pytorch-enet'})
    cut = {key: value for key, value in state.items() if key != 'dilated2_4.out_activation.weight'}
    with pytest.raises(ModelError, match='do not fit ENet with 5 classes: 1 missing .stage2.3.act.weight.'):
        load_network(config, saved(tmp_path / 'cut.pth', cut))
    with pytest.raises(ModelError, match='1 unknown .regular6_1.conv.weight.'):
        load_network(config, saved(tmp_path / 'more.pth', dict(state, **{'regular6_1.conv.weight': torch.zeros(1)})))
    with pytest.raises(ModelError, match='do not fit ENet'):
        load_network(configure('enet', {'classes': 5}), saved(tmp_path / 'enet.pth', state))
    with pytest.raises(ModelError, match=r'initial.conv.weight is \[3\] instead of \[13, 3, 3, 3\]'):
        load_network(config, saved(tmp_path / 'flat.pth', {'initial_block.main_branch.weight': torch.zeros(3)}))


def test_weights_of_something_else_get_a_sentence(tmp_path):
    vgg = saved(tmp_path / 'vgg.pth', PublicVGG(False).state_dict())
    with pytest.raises(ModelError, match=r"vgg.pth' are not torchvision's vgg16_bn: \d+ of its tensors are missing or "
                                         r'of another shape \(features.1.weight, .*\); the first in the file is feat'):
        read_backbone(vgg, configure('segnet', {}))
    with pytest.raises(ParameterError, match='the family enet takes no backbone; fcn8s, segnet, '):
        read_backbone(vgg, configure('enet', {}))
    wrong = tmp_path / 'vgg16-00000000.pth'
    vgg.rename(wrong)
    with pytest.raises(ModelError, match="vgg16-00000000.pth' are damaged or another file: their SHA-256 begins with"):
        read_backbone(wrong, configure('fcn8s', {}))
    right = tmp_path / 'vgg16-{}.pth'.format(hashlib.sha256(wrong.read_bytes()).hexdigest()[:8])
    wrong.rename(right)
    assert read_backbone(right, configure('fcn8s', {})).tensors
    cut = {key: value for key, value in PublicERFNet(5).state_dict().items() if 'layers.3' not in key}
    with pytest.raises(ModelError, match='do not fit ERFNet with 5 classes: .* missing .encoder.4.branch.0.weight'):
        load_network(configure('erfnet', {'classes': 5}), saved(tmp_path / 'e.pth', cut))
