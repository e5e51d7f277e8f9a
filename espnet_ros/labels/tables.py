"""The built-in label sets of Cityscapes and CamVid, and the tables between their ids."""
import typing

from espnet_ros.errors import LabelError
from espnet_ros.labels.label_set import (
    CATEGORIES,
    CATEGORY_COLORS,
    UNLABELED,
    LabelClass,
    LabelSet,
    load_label_set,
)


class CityscapesLabel(typing.NamedTuple):
    """A row of the Cityscapes label table; `train_id` is 255 where the benchmark ignores the label."""

    name: str
    label_id: int
    train_id: int
    category: int
    color: typing.Tuple[int, int, int]


CITYSCAPES_LABELS = tuple(CityscapesLabel(*row) for row in (
    ('unlabeled', 0, 255, 0, (0, 0, 0)),
    ('ego vehicle', 1, 255, 0, (0, 0, 0)),
    ('rectification border', 2, 255, 0, (0, 0, 0)),
    ('out of roi', 3, 255, 0, (0, 0, 0)),
    ('static', 4, 255, 0, (0, 0, 0)),
    ('dynamic', 5, 255, 0, (111, 74, 0)),
    ('ground', 6, 255, 0, (81, 0, 81)),
    ('road', 7, 0, 1, (128, 64, 128)),
    ('sidewalk', 8, 1, 1, (244, 35, 232)),
    ('parking', 9, 255, 1, (250, 170, 160)),
    ('rail track', 10, 255, 1, (230, 150, 140)),
    ('building', 11, 2, 2, (70, 70, 70)),
    ('wall', 12, 3, 2, (102, 102, 156)),
    ('fence', 13, 4, 2, (190, 153, 153)),
    ('guard rail', 14, 255, 2, (180, 165, 180)),
    ('bridge', 15, 255, 2, (150, 100, 100)),
    ('tunnel', 16, 255, 2, (150, 120, 90)),
    ('pole', 17, 5, 3, (153, 153, 153)),
    ('polegroup', 18, 255, 3, (153, 153, 153)),
    ('traffic light', 19, 6, 3, (250, 170, 30)),
    ('traffic sign', 20, 7, 3, (220, 220, 0)),
    ('vegetation', 21, 8, 4, (107, 142, 35)),
    ('terrain', 22, 9, 4, (152, 251, 152)),
    ('sky', 23, 10, 5, (70, 130, 180)),
    ('person', 24, 11, 6, (220, 20, 60)),
    ('rider', 25, 12, 6, (255, 0, 0)),
    ('car', 26, 13, 7, (0, 0, 142)),
    ('truck', 27, 14, 7, (0, 0, 70)),
    ('bus', 28, 15, 7, (0, 60, 100)),
    ('caravan', 29, 255, 7, (0, 0, 90)),
    ('trailer', 30, 255, 7, (0, 0, 110)),
    ('train', 31, 16, 7, (0, 80, 100)),
    ('motorcycle', 32, 17, 7, (0, 0, 230)),
    ('bicycle', 33, 18, 7, (119, 11, 32)),
))
"""The Cityscapes label table (Cordts et al., CVPR 2016) without the license plate, whose labelId is -1."""

CITYSCAPES = LabelSet('cityscapes', tuple(
    LabelClass(row.train_id, row.name, row.category, row.color)
    for row in CITYSCAPES_LABELS if row.train_id != UNLABELED))
"""The 19 evaluated Cityscapes classes; ids are trainIds."""

CAMVID = LabelSet('camvid', (
    LabelClass(0, 'Sky', 5, (128, 128, 128)),
    LabelClass(1, 'Building', 2, (128, 0, 0)),
    LabelClass(2, 'Pole', 3, (192, 192, 128)),
    LabelClass(3, 'Road', 1, (128, 64, 128)),
    LabelClass(4, 'Pavement', 1, (60, 40, 222)),
    LabelClass(5, 'Tree', 4, (128, 128, 0)),
    LabelClass(6, 'SignSymbol', 3, (192, 128, 128)),
    LabelClass(7, 'Fence', 2, (64, 64, 128)),
    LabelClass(8, 'Car', 7, (64, 0, 128)),
    LabelClass(9, 'Pedestrian', 6, (64, 64, 0)),
    LabelClass(10, 'Bicyclist', 6, (0, 128, 192)),
))
"""The 11 CamVid classes (Brostow et al., 2008, grouped as by Badrinarayanan et al., 2017)."""

CATEGORY_SET = LabelSet('categories', tuple(
    LabelClass(i, CATEGORIES[i], i, CATEGORY_COLORS[i]) for i in range(1, len(CATEGORIES))))
"""The 7 Cityscapes categories as a label set of its own; ids are categoryIds, void is unlabeled."""

LABEL_SETS = {s.name: s for s in (CITYSCAPES, CAMVID, CATEGORY_SET)}

_CITYSCAPES_TO_CAMVID = {
    'road': 'Road', 'sidewalk': 'Pavement', 'building': 'Building', 'wall': 'Building', 'fence': 'Fence',
    'pole': 'Pole', 'traffic light': 'SignSymbol', 'traffic sign': 'SignSymbol', 'vegetation': 'Tree',
    'terrain': 'Tree', 'sky': 'Sky', 'person': 'Pedestrian', 'rider': 'Bicyclist', 'car': 'Car', 'truck': 'Car',
    'bus': 'Car', 'train': 'Car', 'motorcycle': 'Bicyclist', 'bicycle': 'Bicyclist'}


def label_id_to_train_id():
    """Table from Cityscapes labelId to trainId: uint8 [256], 255 where there is none."""
    import numpy as np
    table = np.full(256, UNLABELED, np.uint8)
    for row in CITYSCAPES_LABELS:
        table[row.label_id] = row.train_id
    return table


def train_id_to_label_id():
    """Table from Cityscapes trainId to labelId: uint8 [256], 0 (unlabeled) where there is none."""
    import numpy as np  # here, so that commands which only list labels start fast
    table = np.zeros(256, np.uint8)
    for row in CITYSCAPES_LABELS:
        if row.train_id != UNLABELED:
            table[row.train_id] = row.label_id
    return table


def cityscapes_to_camvid():
    """Table from Cityscapes trainId to CamVid id: uint8 [256], 255 for unlabeled.

    CamVid's own grouping decides: walls are buildings, low plants are trees, trucks and buses are cars, traffic
    lights are signs, two-wheelers belong to their riders.
    """
    target = {c.name: c.id for c in CAMVID.classes}
    import numpy as np
    table = np.full(256, UNLABELED, np.uint8)
    for c in CITYSCAPES.classes:
        table[c.id] = target[_CITYSCAPES_TO_CAMVID[c.name]]
    return table


def get_label_set(name):
    """Return the built-in label set of that name, or the one in a YAML file when `name` is a path to one.

    Raises LabelError when there is neither.
    """
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    if str(name).endswith(('.yaml', '.yml')):
        return load_label_set(name)
    raise LabelError("no label set is called '{}'; known are {}, or give the path of a YAML file".format(
        name, ', '.join(sorted(LABEL_SETS))))
