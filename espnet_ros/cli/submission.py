"""Files as the servers of Cityscapes and PASCAL VOC take them."""
import re
import typing

import numpy as np

from espnet_ros.errors import ParameterError, SourceError, printable
from espnet_ros.images.png import labels_to_png
from espnet_ros.labels import CITYSCAPES, UNLABELED, LabelSet, train_id_to_label_id
from espnet_ros.labels.voc import VOC, voc_color


class Server(typing.NamedTuple):
    """What a benchmark's server takes.

    title: of the benchmark. label_set: that a model must have. name: regular expression of the input's stem, whose
    first group is in the result's name; folder, ending: of that. form: how images are named, for people. table: value
    of each class id, uint8 [256]. palette: RGB, uint8 [256, 3], None for gray files.
    """

    title: str
    label_set: LabelSet
    name: str
    folder: str
    ending: str
    form: str
    table: np.ndarray
    palette: typing.Optional[np.ndarray]

    def check(self, label_set):
        """Raise ParameterError when a model of that LabelSet has other classes than the benchmark."""
        if label_set.names != self.label_set.names or label_set.ids != self.label_set.ids:
            raise ParameterError("{} takes the {} classes of '{}'; the model has those of '{}'".format(
                self.title, len(self.label_set.classes), self.label_set.name, label_set.name))

    def path(self, stem):
        """Return the path of the result below the output folder. Raises SourceError for an image of another name."""
        match = re.match(self.name, stem)
        if not match:
            raise SourceError("the image '{}' is not named as in {}: {}".format(printable(stem), self.title, self.form))
        return self.folder + match.group(1) + self.ending

    def content(self, labels):
        """Return the result's bytes; labels: class ids uint8 [H, W], 255 where unlabeled."""
        return labels_to_png(self.table[labels], self.palette)


def _voc_ids():
    table = np.arange(256, dtype=np.uint8)
    table[UNLABELED] = 0  # the border between objects is in the ground truth alone
    return table


SERVERS = {
    'cityscapes': Server('Cityscapes', CITYSCAPES, r'([A-Za-z-]+_[0-9]{6}_[0-9]{6})(?:_leftImg8bit)?\Z', '',
                         '_pred_labelIds.png', 'CITY_000000_000019_leftImg8bit.png', train_id_to_label_id(), None),
    'voc': Server('PASCAL VOC', VOC, r'([0-9]{4}_[0-9]{6})\Z', 'results/VOC2012/Segmentation/comp6_test_cls/', '.png',
                  '2008_000001.jpg', _voc_ids(), np.array([voc_color(i) for i in range(256)], np.uint8)),
}
"""Servers by the name that --submit takes. Cityscapes: labelIds. PASCAL VOC: competition 6, palette PNGs."""
