"""The label map: a label set as JSON, published on ~/label_map and stored in bags with their ground truth."""
import json

from espnet_ros.errors import LabelError, quoted
from espnet_ros.labels import CATEGORIES, UNLABELED, label_set_from_dict

LABEL_MAP = '/label_map'
"""Suffix of the topic with the label map of the topic before it."""


def label_map_to_set(text, where):
    """Return the LabelSet in a label map; where: its topic, for errors. Raises LabelError."""
    try:
        data = json.loads(text)
        classes = [{key: c[key] for key in ('id', 'name', 'category', 'color')} for c in data['classes']]
        return label_set_from_dict({'name': data['label_set'], 'classes': classes}, where)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LabelError('{} holds no label map: {}'.format(where, quoted(error)))


def set_to_label_map(label_set, threshold=None):
    """Return the label map of a label set, as text.

    threshold: confidence from 0 to 1 below which the node marks pixels as unlabeled; None for ground truth.
    """
    data = {'label_set': label_set.name, 'unlabeled': UNLABELED, 'classes': [
        {'id': c.id, 'name': c.name, 'category': CATEGORIES[c.category], 'category_id': c.category,
         'color': list(c.color)} for c in label_set.classes]}
    if threshold is not None:
        data['threshold'] = threshold
    return json.dumps(data, sort_keys=True)
