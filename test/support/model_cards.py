"""Model cards for the tests of finding and fetching."""
import hashlib

from espnet_ros import labels
from espnet_ros.models.card import ModelCard
from espnet_ros.network import NetworkConfig

TINY = NetworkConfig(variant='espnet-c', classes=11, alpha2=1, alpha3=1)


def card(name, content, source='', architecture=TINY):
    return ModelCard(
        name=name, description='', architecture=architecture, label_set=labels.CAMVID, outputs=tuple(range(11)),
        input_width=64, input_height=64, mean=(100.0,) * 3, std=(50.0,) * 3, divisor=1.0, license='MIT', source=source,
        training={}, results={}, weights=name + '.pth', sha256=hashlib.sha256(content).hexdigest())
