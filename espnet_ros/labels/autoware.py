"""Labels as Autoware's fusion nodes take them: its ids, in run lengths."""
import numpy as np

from espnet_ros.labels.label_set import CATEGORIES

CLASSES = ('UNKNOWN', 'BUILDING', 'WALL', 'OBSTACLE', 'TRAFFIC_LIGHT', 'TRAFFIC_SIGN', 'PERSON', 'VEHICLE', 'BIKE',
           'ROAD', 'SIDEWALK', 'ROAD_PAINT', 'CURBSTONE', 'CROSSWALK', 'VEGETATION', 'SKY')
"""Autoware's semantic classes; the index is the id."""
_NAMES = {
    'road': 'ROAD', 'sidewalk': 'SIDEWALK', 'pavement': 'SIDEWALK', 'building': 'BUILDING', 'wall': 'WALL',
    'traffic light': 'TRAFFIC_LIGHT', 'traffic sign': 'TRAFFIC_SIGN', 'signsymbol': 'TRAFFIC_SIGN',
    'bicycle': 'BIKE', 'motorcycle': 'BIKE', 'terrain': 'OBSTACLE', 'fence': 'OBSTACLE',
    'road paint': 'ROAD_PAINT', 'lane marking': 'ROAD_PAINT', 'curb': 'CURBSTONE', 'curbstone': 'CURBSTONE',
    'crosswalk': 'CROSSWALK'}
_CATEGORIES = {'construction': 'BUILDING', 'object': 'OBSTACLE', 'nature': 'VEGETATION', 'sky': 'SKY',
               'human': 'PERSON', 'vehicle': 'VEHICLE'}
_RUN = np.dtype([('value', 'u1'), ('length', '<i4')])


def class_of(label_class):
    """Return Autoware's name for a LabelClass: by its name, else by its category; UNKNOWN for other flat classes."""
    return _NAMES.get(label_class.name.lower()) or _CATEGORIES.get(CATEGORIES[label_class.category], 'UNKNOWN')


def table_of(label_set):
    """Return Autoware's id of each class id: uint8 [256], 0 (UNKNOWN) for ids that are no class."""
    table = np.zeros(256, np.uint8)
    for c in label_set.classes:
        table[c.id] = CLASSES.index(class_of(c))
    return table


def run_lengths(ids):
    """Return ids, uint8 [H, W], as runs in row-major order: bytes of uint8 value and little-endian int32 length."""
    flat = np.ascontiguousarray(ids).ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    runs = np.empty(len(starts), _RUN)
    runs['value'] = flat[starts]
    runs['length'] = np.diff(starts, append=flat.size)
    return runs.tobytes()
