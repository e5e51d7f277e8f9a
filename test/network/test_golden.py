"""The authors' weights on real images: what their code computes, we compute."""
import re

import cv2
import numpy as np
import pytest
import torch
from authors_models import AUTHORS
from torch.nn import functional

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.models.checkpoint import load_network
from espnet_ros.segmenter import Segmenter

IMAGES = ('frankfurt_000000_000294', 'frankfurt_000000_000576')
# Two images for the two networks with golden logits, one for each of the others.
LABELS = [(net, image) for net in ('espnet_q8', 'espnet_c_q8') for image in IMAGES] + [
    ('espnet_q3', IMAGES[0]), ('espnet_c_q3', IMAGES[1])]


def weights_of(net):
    folder, q = re.match(r'(espnet(?:_c)?)_q(\d)', net).groups()
    return '{}/espnet_p_2_q_{}.pth'.format(folder, q)


@pytest.fixture(scope='module')
def image(shared):
    """Read an image, once."""
    kept = {}

    def read(name):
        if name not in kept:
            kept[name] = cv2.imread(str(shared / 'data' / 'cityscapes_samples' / (name + '_leftImg8bit.png')))
        return kept[name]
    return read


@pytest.mark.parametrize('name', IMAGES)
@pytest.mark.parametrize('net', ['espnet_q8', 'espnet_c_q8'])
def test_logits_equal_the_golden_ones(shared, image, net, name):
    golden = np.load(str(shared / 'golden' / '{}_{}_logits_rows.npy'.format(net, name)))
    model = models.find(shared / 'weights' / weights_of(net))
    # The authors' order: normalize, resize, divide.
    pixels = (image(name).astype(np.float32) - np.float32(model.card.mean)) / np.float32(model.card.std)
    pixels = cv2.resize(pixels, (1024, 512)) / 255
    network = load_network(AUTHORS[weights_of(net)], model.weights_path)
    with torch.no_grad():
        logits = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()))
        logits = functional.interpolate(logits, size=(512, 1024), mode='bilinear', align_corners=False)
    assert np.abs(logits[0, :, ::64, ::64].numpy() - golden).max() < 1e-3


@pytest.mark.parametrize('net, name', LABELS)
def test_labels_equal_the_golden_ones(shared, image, net, name):
    golden = cv2.imread(str(shared / 'golden' / '{}_{}_labels.png'.format(net, name)), cv2.IMREAD_UNCHANGED)
    model = models.find(shared / 'weights' / weights_of(net))
    assert model.card.name == 'cityscapes-' + net.replace('_', '-')
    assert model.card.architecture == AUTHORS[weights_of(net)]
    segmenter = Segmenter(build_engine(model.card, models.load(model), 1024, 512, 'torch', 'cpu', 'fp32'), 'network')
    labels = segmenter.segment(image(name)).labels
    assert labels.shape == golden.shape == (512, 1024)
    assert (labels == np.where(golden == 19, 255, golden)).mean() >= 0.999


def test_camvid_labels_equal_the_golden_ones(shared):
    golden = cv2.imread(str(shared / 'golden' / 'camvid_q8_0016E5_07959_labels.png'), cv2.IMREAD_UNCHANGED)
    model = models.find(shared / 'weights' / 'espnet' / 'espnet_p_2_q_8_camvid.pth')
    assert model.card.name == 'camvid-espnet-q8-authors'
    segmenter = Segmenter(build_engine(model.card, models.load(model), 480, 360, 'torch', 'cpu', 'fp32'))
    labels = segmenter.segment(cv2.imread(str(shared / 'data' / 'camvid' / 'val' / '0016E5_07959.png'))).labels
    assert (labels == np.where(golden == 11, 255, golden)).mean() >= 0.999


def test_bfloat16_on_the_cpu_agrees_with_float32(shared, image):
    model = models.find(shared / 'weights' / 'espnet' / 'espnet_p_2_q_8.pth')
    network, results = models.load(model), {}
    for precision in ('fp32', 'bf16'):
        engine = build_engine(model.card, network, 1024, 512, 'torch', 'cpu', precision)
        results[precision] = Segmenter(engine, 'network').segment(image(IMAGES[0]))
        if engine.fallback:
            pytest.skip('this PyTorch has no bfloat16 on the CPU: ' + engine.fallback)
    assert (results['bf16'].labels == results['fp32'].labels).mean() >= 0.99
