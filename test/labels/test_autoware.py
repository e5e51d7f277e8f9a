"""Labels in Autoware's ids and run lengths."""
import struct

import numpy as np
import pytest

from espnet_ros.labels import CAMVID, CITYSCAPES, LabelClass, LabelSet
from espnet_ros.labels.autoware import CLASSES, class_of, run_lengths, table_of


def decoded(data, rows, columns):
    """What Autoware's runLengthDecoder makes of it: runs of 5 bytes, uint8 value and int32 length, row by row."""
    assert len(data) % 5 == 0
    pixels = []
    for i in range(0, len(data), 5):
        value, length = struct.unpack_from('<Bi', data, i)
        pixels += [value] * length
    return np.array(pixels, np.uint8).reshape(rows, columns)


@pytest.mark.parametrize('shape', [(1, 1), (7, 5), (48, 64)])
@pytest.mark.parametrize('values', [1, 2, 16])
def test_runs_decode_to_the_same_ids(shape, values):
    ids = np.random.default_rng(0).integers(0, values, shape).astype(np.uint8)
    np.testing.assert_array_equal(decoded(run_lengths(ids), *shape), ids)


def test_a_run_goes_over_the_end_of_a_row():
    assert run_lengths(np.full((4, 6), 9, np.uint8)) == struct.pack('<Bi', 9, 24)


def test_every_class_of_the_shipped_label_sets():
    assert [class_of(c) for c in CITYSCAPES.classes] == [
        'ROAD', 'SIDEWALK', 'BUILDING', 'WALL', 'OBSTACLE', 'OBSTACLE', 'TRAFFIC_LIGHT', 'TRAFFIC_SIGN', 'VEGETATION',
        'OBSTACLE', 'SKY', 'PERSON', 'PERSON', 'VEHICLE', 'VEHICLE', 'VEHICLE', 'VEHICLE', 'BIKE', 'BIKE']
    assert {c.name: class_of(c) for c in CAMVID.classes}['Pavement'] == 'SIDEWALK'
    table = table_of(CITYSCAPES)
    assert table.dtype == np.uint8 and table.shape == (256,)
    assert table[0] == CLASSES.index('ROAD') == 9 and table[10] == CLASSES.index('SKY') == 15 and table[255] == 0


def test_flat_ground_of_another_name_is_not_road():
    assert class_of(LabelClass(3, 'lawn', 1, (0, 255, 0))) == 'UNKNOWN'
    assert table_of(LabelSet('mine', (LabelClass(3, 'shed', 2, (0, 255, 0)),)))[3] == CLASSES.index('BUILDING')
