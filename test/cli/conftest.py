"""A small model for the command line, in an empty working directory."""
import hashlib

import pytest
import torch

from espnet_ros import labels, models
from espnet_ros.engine import build_engine
from espnet_ros.models.card import ModelCard, write_card
from espnet_ros.models.checkpoint import write_weights
from espnet_ros.network import NetworkConfig, build
from espnet_ros.segmenter import Segmenter


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for fetched models, which does not exist yet; the working directory is empty, too."""
    folder = tmp_path / 'cache'
    (tmp_path / 'work').mkdir()
    monkeypatch.chdir(tmp_path / 'work')
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path):
    """Path of the card of a network with random weights, 96x64, CamVid classes."""
    torch.manual_seed(3)
    folder = tmp_path / 'tiny'
    folder.mkdir()
    architecture = NetworkConfig(variant='espnet-c', classes=11, alpha2=1, alpha3=1)
    write_weights(build(architecture), folder / 'tiny.pth')
    write_card(ModelCard(
        name='tiny', description='random', architecture=architecture, label_set=labels.CAMVID, outputs=tuple(range(11)),
        input_width=96, input_height=64, mean=(100.0,) * 3, std=(50.0,) * 3, divisor=1.0, license='MIT', source='',
        training={}, results={}, weights='tiny.pth',
        sha256=hashlib.sha256((folder / 'tiny.pth').read_bytes()).hexdigest()), folder / 'tiny.yaml')
    return str(folder / 'tiny.yaml')


@pytest.fixture
def segment(tiny):
    """What the segmenter says of an image."""
    model = models.find(tiny)
    engine = build_engine(model.card, models.load(model), 96, 64, 'torch')
    return lambda image, size='camera', **options: Segmenter(
        engine, size, 'bilinear' if size == 'camera' else 'nearest').segment(image, **options).labels
