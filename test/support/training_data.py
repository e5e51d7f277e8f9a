"""Small data and settings to train on in seconds."""
import numpy as np

from espnet_ros.datasets import Memory
from espnet_ros.labels import LabelClass, LabelSet
from espnet_ros.training.settings import read_recipe
from espnet_ros.training.trainer import Callback

LABELS = LabelSet('shapes', (
    LabelClass(1, 'ground', 1, (128, 64, 128)), LabelClass(4, 'house', 2, (70, 70, 70)),
    LabelClass(6, 'air', 5, (70, 130, 180))))

SMALL = ('alpha2=1', 'alpha3=1', 'width_divider=2', 'size=[64, 64]', 'encoder_crop=[64, 64]', 'crop=[64, 64]',
         'batch=4', 'encoder_batch=0', 'encoder_epochs=2', 'epochs=3', 'fuse_input=true', 'picture_epochs=100',
         'select=last', 'outputs=0', 'validate_epochs=1', 'step_epochs=100')


def settings(*changes):
    """Return the settings of the paper for a network that a CPU trains in seconds, with changes."""
    return read_recipe('paper', SMALL + changes)


def shapes(count=8, seed=0, size=64):
    """A dataset: gray levels that tell the classes, with noise; a few pixels are unlabeled."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        cells = rng.integers(0, 3, (4, 4)).repeat(size // 4, 0).repeat(size // 4, 1)
        image = 40 + 70 * cells[:, :, None] + rng.integers(-15, 15, (size, size, 3))
        labels = np.array([1, 4, 6], np.uint8)[cells]
        labels[:2] = 255
        pairs.append((image.astype(np.uint8), labels))
    return Memory('shapes {}'.format(seed), LABELS, pairs)


class Interrupted(Exception):
    pass


class Stopper(Callback):
    """Interrupts a training after so many steps."""

    def __init__(self, steps):
        self.steps, self.notes = steps, []

    def begin(self, stage, done, steps, note):
        self.notes.append((stage.name, done, steps, note))

    def step(self, loss):
        self.steps -= 1
        if not self.steps:
            self.stop()

    def stop(self):
        raise Interrupted
