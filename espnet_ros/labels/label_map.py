"""What the ids of a ground truth mean, as a message beside it in the bag."""
import json

from espnet_ros.errors import LabelError, quoted
from espnet_ros.labels import CATEGORIES, UNLABELED, label_set_from_dict

LABEL_MAP = '/label_map'
"""Ends the name of the topic that tells the label set of the topic before it."""


def label_map_to_set(text, where):
    """Return the LabelSet in a label map, JSON as the node's ~/label_map; where: its topic. Raises LabelError."""
    try:
        data = json.loads(text)
        classes = [{key: c[key] for key in ('id', 'name', 'category', 'color')} for c in data['classes']]
        return label_set_from_dict({'name': data['label_set'], 'classes': classes}, where)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LabelError('{} holds no label map: {}'.format(where, quoted(error)))


def set_to_label_map(label_set):
    """Return a label set as JSON text, as the node's ~/label_map tells it (without threshold: truth has none)."""
    return json.dumps({'label_set': label_set.name, 'unlabeled': UNLABELED, 'classes': [
        {'id': c.id, 'name': c.name, 'category': CATEGORIES[c.category], 'category_id': c.category,
         'color': list(c.color)} for c in label_set.classes]}, sort_keys=True)
