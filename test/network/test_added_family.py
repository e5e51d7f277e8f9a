"""A family of networks is added by one class and one entry, as docs/architecture.md says; everything then works."""
import typing

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from espnet_ros import models
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.engine import build_engine
from espnet_ros.engine.verification import example_images
from espnet_ros.errors import ModelError
from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.network import FAMILIES, build, configure, count, parameter_count
from espnet_ros.network.family import CLASSES, Family

WIDTH, HEIGHT = 96, 64


class ToyConfig(typing.NamedTuple):
    """Configuration of the toy. classes: output channels. width: channels inside."""

    classes: int = 20
    width: int = 8

    family = 'toy'
    stride = 2


class Toy(nn.Module):
    """Two convolutions."""

    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, config.width, 3, 2, 1, bias=False), nn.BatchNorm2d(config.width),
                                    nn.ReLU(), nn.Conv2d(config.width, config.classes, 1))

    def forward(self, x):
        return self.layers(x)


def normalized(card, image):
    """Return BGR uint8 [H, W, 3] as the card's network takes it, float [1, 3, H, W]."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (card.mean, card.std))
    return (torch.from_numpy(image.transpose(2, 0, 1)[None].copy()) - mean) / std / card.divisor


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """(card's path, network) of the family after it was registered."""
    monkeypatch.setitem(FAMILIES, 'toy', Family('toy', 'Toy', ToyConfig, Toy, {
        'classes': CLASSES, 'width': range(1, 65)}, 'nowhere'))
    torch.manual_seed(3)
    network = build(configure('toy', {'classes': 4, 'width': 5})).eval()
    card = models.untrained('espnet', classes=4)._replace(
        name='toy', architecture=network.config, input_width=WIDTH, input_height=HEIGHT, weights='toy.pth')
    with torch.no_grad():  # random weights prefer one class everywhere
        network.layers[3].bias -= network(normalized(card, example_images(WIDTH, HEIGHT)[0])).mean((0, 2, 3))
    write_weights(network, tmp_path / 'toy.pth')
    write_card(card._replace(sha256=sha256_of(tmp_path / 'toy.pth')), tmp_path / 'toy.yaml')
    return tmp_path / 'toy.yaml', network


def test_its_configuration_is_checked_and_counted(toy):
    _, network = toy
    assert parameter_count(network) == count(network.config) == 5 * 27 + 10 + 4 * 5 + 4
    with pytest.raises(ModelError, match='architecture: width is 65; it must be one of 1..64'):
        configure('toy', {'width': 65})
    with pytest.raises(ModelError, match="architecture has no field 'depth' in family toy"):
        configure('toy', {'depth': 3})


@pytest.mark.parametrize('backend', ['torch', 'openvino', 'onnxruntime'])
def test_its_card_runs_in_every_engine(toy, backend):
    if backend != 'torch':
        pytest.importorskip('onnx')
        pytest.importorskip(backend)
    path, network = toy
    model = models.find(path)
    assert model.card.architecture == ToyConfig(4, 5) and 'family: toy' in path.read_text()
    engine = build_engine(model.card, models.load(model), WIDTH, HEIGHT, backend, 'cpu', 'fp32', strict=True)
    image = example_images(WIDTH, HEIGHT)[0]
    deployed = Deployed(network, model.card).eval()
    with torch.no_grad():
        logits = functional.interpolate(network(normalized(model.card, image)), size=(HEIGHT, WIDTH), mode='bilinear',
                                        align_corners=False)
    wanted = deployed.outputs[logits.argmax(1)[0]].numpy()
    labels, confidence = engine.run(image, True)
    assert engine.describe().backend == backend and len(np.unique(labels)) > 1
    assert (labels == wanted).mean() > 0.999
    assert np.abs(confidence / 255 - logits.softmax(1).max(1)[0][0].numpy()).max() < 0.01
