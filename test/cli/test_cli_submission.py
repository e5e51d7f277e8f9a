"""espnet-ros predict --submit: files as the benchmarks' servers take them."""
import argparse
import hashlib
import pathlib

import cv2
import numpy as np
import pytest
import torch

from espnet_ros import labels
from espnet_ros.cli import main
from espnet_ros.datasets import VOC
from espnet_ros.models.card import ModelCard, write_card
from espnet_ros.models.checkpoint import write_weights
from espnet_ros.network import NetworkConfig, build

STEM = 'berlin_000000_000019'


@pytest.fixture
def model(tmp_path):
    """Write a model with random weights that knows the classes of a label set; return the path of its card."""
    def make(label_set):
        torch.manual_seed(3)
        architecture = NetworkConfig(variant='espnet-c', classes=len(label_set.classes), alpha2=1, alpha3=1)
        write_weights(build(architecture), tmp_path / 'm.pth')
        write_card(ModelCard(
            name='m', description='', architecture=architecture, label_set=label_set, outputs=label_set.ids,
            input_width=96, input_height=64, mean=(100.0,) * 3, std=(50.0,) * 3, divisor=1.0, license='', source='',
            training={}, results={}, weights='m.pth',
            sha256=hashlib.sha256((tmp_path / 'm.pth').read_bytes()).hexdigest()), tmp_path / 'm.yaml')
        return str(tmp_path / 'm.yaml')
    return make


def picture(path, height=70, width=120):
    small = np.random.default_rng(0).integers(0, 256, (7, 12, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    return str(path)


def labels_of(image, card):
    assert main(['predict', image, '--model', card, '--out', 'usual']) == 0
    return cv2.imread('usual/{}_labels.png'.format(pathlib.Path(image).stem), cv2.IMREAD_UNCHANGED)


def test_cityscapes_takes_label_ids_under_names_that_its_scripts_find(model):
    image = picture(pathlib.Path(STEM + '_leftImg8bit.png'))
    card = model(labels.CITYSCAPES)
    assert main(['predict', image, '--model', card, '--submit', 'cityscapes', '--out', 'results']) == 0
    assert [path.name for path in pathlib.Path('results').iterdir()] == [STEM + '_pred_labelIds.png']
    found = cv2.imread('results/{}_pred_labelIds.png'.format(STEM), cv2.IMREAD_UNCHANGED)
    usual = labels_of(image, card)
    assert found.shape == (70, 120) and len(np.unique(usual)) > 2
    np.testing.assert_array_equal(labels.label_id_to_train_id()[found], usual)
    scripts = pytest.importorskip('cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling')
    arguments = argparse.Namespace(predictionPath='results', predictionWalk=None)
    found = scripts.getPrediction(arguments, STEM + '_gtFine_labelIds.png')
    assert found == 'results/{}_pred_labelIds.png'.format(STEM)


def test_voc_takes_its_palette_in_the_folder_of_competition_6(model):
    image = picture(pathlib.Path('2008_000001.jpg'))
    card = model(VOC)
    assert main(['predict', image, '--model', card, '--submit', 'voc', '--confidence-threshold', '0.9']) == 0
    path = pathlib.Path('predictions/results/VOC2012/Segmentation/comp6_test_cls/2008_000001.png')
    assert [p for p in pathlib.Path('predictions').rglob('*') if p.is_file()] == [path]
    header = path.read_bytes()[:33]
    assert header[24:26] == b'\x08\x03'  # 8 bits, palette
    assert main(['predict', image, '--model', card, '--confidence-threshold', '0.9', '--out', 'usual']) == 0
    usual = cv2.imread('usual/2008_000001_labels.png', cv2.IMREAD_UNCHANGED)
    assert (usual == 255).any() and (usual < 21).any()
    usual[usual == 255] = 0  # the server has no other value for what is no class
    np.testing.assert_array_equal(cv2.imread(str(path)), VOC.palette()[:, ::-1][usual])


def test_a_second_image_of_a_name_does_not_replace_the_first_ones_result(model, capsys):
    images = []
    for folder in 'ab':
        pathlib.Path(folder).mkdir()
        images.append(picture(pathlib.Path(folder, STEM + '.png')))
    assert main(['predict', *images, '--model', model(labels.CITYSCAPES), '--submit', 'cityscapes']) == 1
    assert "'{}' has the name of an image before it, whose file stays".format(images[1]) in capsys.readouterr().err
    assert len([path for path in pathlib.Path('predictions').rglob('*') if path.is_file()]) == 1


@pytest.mark.parametrize('server, name, options, words', [
    ('cityscapes', STEM + '.png', ['--output-size', 'network'], "gives labels of the images' own size"),
    ('cityscapes', 'x.png', [], "the image 'x' is not named as in Cityscapes: CITY_000000_000019_leftImg8bit.png"),
    ('cityscapes', STEM + '.png', ['--tiles'], '--submit takes images'),
    ('voc', '2008_000001.png', [], "PASCAL VOC takes the 21 classes of 'voc'; the model has those of 'cityscapes'")])
def test_what_a_server_would_refuse_gets_a_sentence(model, capsys, server, name, options, words):
    image = picture(pathlib.Path(name))
    assert main(['predict', image, '--model', model(labels.CITYSCAPES), '--submit', server, *options]) == 1
    assert words in capsys.readouterr().err
    assert not any(path.is_file() for path in pathlib.Path('predictions').rglob('*'))
