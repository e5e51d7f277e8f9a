"""Small datasets, settings and models for unit tests of training."""
import cv2
import numpy as np
import torch
from small_models import CARD, CONFIG, network

from espnet_ros.datasets import Memory, camvid
from espnet_ros.labels import CAMVID
from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.training.loading import Part, Stage
from espnet_ros.training.process_group import ProcessGroup
from espnet_ros.training.samples import PreparedDataset, Sample
from espnet_ros.training.settings import read_recipe

SIZE = (96, 64)
ALONE = ProcessGroup(0, 1, torch.device('cpu'))


def blocks(seed=0, width=SIZE[0], height=SIZE[1], classes=11):
    """A Sample of rectangles, none of them thin; each label has a gray of its own."""
    cells = np.random.default_rng(seed).integers(0, classes, (height // 16 + 1, width // 20 + 1), np.uint8)
    labels = np.ascontiguousarray(cells.repeat(16, 0).repeat(20, 1)[:height, :width])
    return Sample(cv2.merge([20 + 22 * labels] * 3), labels, 'blocks {}'.format(seed))


def dataset(name='blocks', count=4, first=0):
    """A dataset of `blocks`."""
    return Memory(name, CAMVID, [blocks(first + i)[:2] for i in range(count)])


def prepared(name='blocks', count=4, first=0):
    return PreparedDataset(dataset(name, count, first), CAMVID, SIZE)


def settings(**changes):
    """The paper's settings for small images and networks, with changes."""
    return read_recipe('paper').model_copy(update={
        'alpha2': 1, 'alpha3': 1, 'width_divider': 2, 'size': SIZE, 'crop': (64, 64), 'encoder_crop': (64, 64),
        'batch': 2, 'encoder_batch': 0, 'epochs': 2, 'encoder_epochs': 1, 'outputs': 0, 'validate_epochs': 1,
        'picture_epochs': 10, 'step_epochs': 100, **changes})


def parts(*counts_and_weights):
    """Parts of that many images and weights; all their images differ."""
    return tuple(Part(prepared('part {}'.format(i), count, 100 * i), weight)
                 for i, (count, weight) in enumerate(counts_and_weights))


def stage(parts, epochs=2, crop=(64, 64), label_stride=1):
    return Stage(2, 'espnet', epochs, tuple(parts), crop, label_stride)


def camvid_files(folder, count=3):
    """CamVid's `train` with images of noise, as files; returns the dataset."""
    for name in ('train', 'trainannot'):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        rng = np.random.default_rng(i)
        name = '{:03d}.png'.format(i)
        write(folder / 'train' / name, rng.integers(0, 256, (*SIZE[::-1], 3), np.uint8))
        write(folder / 'trainannot' / name, rng.integers(0, 12, SIZE[::-1], np.uint8))
    return camvid(folder, 'train')


def write(path, image):
    assert cv2.imwrite(str(path), image)


def model_file(folder, config=CONFIG, **changes):
    """Write a small network and its card, whose fields may be changed; return the network and the card's path."""
    folder.mkdir(parents=True)
    result = network(config, seed=7)
    write_weights(result, folder / CARD.weights)
    card = CARD._replace(architecture=config, sha256=sha256_of(folder / CARD.weights), **changes)
    write_card(card, folder / 'small.yaml')
    return result, folder / 'small.yaml'
