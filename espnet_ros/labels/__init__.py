"""Label sets, which define what the ids of label images mean."""
from espnet_ros.labels.label_set import (
    CATEGORIES,
    CATEGORY_COLORS,
    UNLABELED,
    LabelClass,
    LabelSet,
    label_set_from_dict,
    label_set_to_dict,
    load_label_set,
)
from espnet_ros.labels.tables import (
    CAMVID,
    CATEGORY_SET,
    CITYSCAPES,
    CITYSCAPES_LABELS,
    LABEL_SETS,
    CityscapesLabel,
    cityscapes_to_camvid,
    get_label_set,
    label_id_to_train_id,
    train_id_to_label_id,
)

__all__ = [
    'CAMVID', 'CATEGORIES', 'CATEGORY_COLORS', 'CATEGORY_SET', 'CITYSCAPES', 'CITYSCAPES_LABELS', 'LABEL_SETS',
    'UNLABELED', 'CityscapesLabel', 'LabelClass', 'LabelSet', 'cityscapes_to_camvid', 'get_label_set',
    'label_id_to_train_id', 'label_set_from_dict', 'label_set_to_dict', 'load_label_set', 'train_id_to_label_id']
