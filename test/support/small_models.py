"""A model card and a network small enough for tests."""
import torch

from espnet_ros.labels import LabelClass, LabelSet
from espnet_ros.models.card import ModelCard
from espnet_ros.network import NetworkConfig, build

LABELS = LabelSet('fruit', (
    LabelClass(2, 'apple', 4, (255, 0, 0)), LabelClass(5, 'pear', 4, (0, 255, 0)),
    LabelClass(9, 'bowl', 0, (0, 0, 255))))
CONFIG = NetworkConfig('espnet', classes=4, alpha2=1, alpha3=1, width_divider=2)
CARD = ModelCard(
    name='small', description='for tests', architecture=CONFIG, label_set=LABELS, outputs=(5, 2, 255, 9),
    input_width=96, input_height=64, mean=(72.0, 83.0, 73.5), std=(45.0, 46.25, 44.5), divisor=2.0, license='MIT',
    source='', training={'epochs': 0}, results={}, weights='small.pth', sha256='0' * 64)


def network(config=CONFIG, seed=0):
    """Return a network in evaluation mode whose weights and statistics are random, but the same every time."""
    torch.manual_seed(seed)
    result = build(config)
    result.train()
    with torch.no_grad():
        result(torch.randn(2, 3, 64, 64))  # so that batch norms have something to normalize with
    return result.eval()
