"""A camera, its view of the ground, and the shipped table of classes."""
import pytest
from ground_scenes import CONFIG

from espnet_ros.ground.lens import Lens
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.pose import mounted
from espnet_ros.ground.traversability import ground_table, read_traversability
from espnet_ros.labels import CITYSCAPES


@pytest.fixture(scope='session')
def table():
    return ground_table(read_traversability(CONFIG), {c.id: c.name for c in CITYSCAPES.classes})


@pytest.fixture
def lens():
    return Lens(640, 480, 600.0, 600.0, 319.5, 239.5)


@pytest.fixture
def view(lens):
    return LevelView(lens, mounted(1.35), 20.0)
