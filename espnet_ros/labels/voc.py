"""The label set of PASCAL VOC."""
from espnet_ros.labels.label_set import CATEGORIES, LabelClass, LabelSet


def voc_color(i):
    """Return the color (R, G, B) of VOC's class i, 0 to 255: its bits, spread over the channels from the top."""
    return tuple(sum((i >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3))


_VOC_CLASSES = (
    ('background', 'void'), ('aeroplane', 'vehicle'), ('bicycle', 'vehicle'), ('bird', 'void'), ('boat', 'vehicle'),
    ('bottle', 'object'), ('bus', 'vehicle'), ('car', 'vehicle'), ('cat', 'void'), ('chair', 'object'),
    ('cow', 'void'), ('diningtable', 'object'), ('dog', 'void'), ('horse', 'void'), ('motorbike', 'vehicle'),
    ('person', 'human'), ('pottedplant', 'nature'), ('sheep', 'void'), ('sofa', 'object'), ('train', 'vehicle'),
    ('tvmonitor', 'object'))

VOC = LabelSet('voc', tuple(LabelClass(i, name, CATEGORIES.index(category), voc_color(i))
                            for i, (name, category) in enumerate(_VOC_CLASSES)))
"""The 20 classes of PASCAL VOC (Everingham et al., 2010) and its background, which is class 0."""
