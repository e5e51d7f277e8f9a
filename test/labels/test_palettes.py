"""Palettes: what stays the same, and that classes can be told apart without red and green."""
import itertools

import cv2
import numpy as np
import pytest

from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.labels.palettes import PALETTES

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                         [-0.011820, 0.042940, 0.968881]])
PROTANOPIA = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                       [-0.003882, -0.048116, 1.051998]])


def lab(colors, matrix=np.eye(3)):
    """CIE L*a*b* of sRGB colors as somebody sees them."""
    linear = np.clip(((np.array(colors) / 255) ** 2.2) @ matrix.T, 0, 1)
    return cv2.cvtColor((linear ** (1 / 2.2)).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


def closest(label_set, matrix):
    """The smallest color difference (CIE76) between classes of different categories."""
    seen = lab([c.color for c in label_set.classes], matrix)
    return min(np.linalg.norm(seen[i] - seen[j]) for i, j in itertools.combinations(range(len(seen)), 2)
               if label_set.classes[i].category != label_set.classes[j].category)


@pytest.mark.parametrize('label_set', [CAMVID, CITYSCAPES], ids=lambda label_set: label_set.name)
def test_only_the_colors_change(label_set):
    changed = PALETTES['color-blind'](label_set)
    assert [c[:3] for c in changed.classes] == [c[:3] for c in label_set.classes] and changed.name == label_set.name
    colors = [c.color for c in changed.classes]
    assert len(set(colors)) == len(colors) and all(0 <= v <= 255 for color in colors for v in color)
    assert PALETTES['own'](label_set) is label_set


@pytest.mark.parametrize('matrix', [DEUTERANOPIA, PROTANOPIA], ids=['deuteranopia', 'protanopia'])
@pytest.mark.parametrize('label_set', [CAMVID, CITYSCAPES], ids=lambda label_set: label_set.name)
def test_categories_are_told_apart_by_color_blind_eyes(label_set, matrix):
    own, changed = closest(label_set, matrix), closest(PALETTES['color-blind'](label_set), matrix)
    assert changed > 8 and changed > own
