"""Scores and pictures of a network during training."""
import cv2
import numpy as np
import torch

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.errors import EspnetError
from espnet_ros.images.render import colorize
from espnet_ros.labels import UNLABELED
from espnet_ros.metrics.confusion import category_confusion, confusion_matrix, mean_iou
from espnet_ros.training.samples import to_bytes

PICTURES = 4
"""Maximum number of images of each dataset in its picture."""
_HEIGHT = 240
"""Maximum height of each of them in pixels."""


class Validator:
    """Evaluates a network on PreparedDatasets with the label set of the ModelCard, distributed over the processes.

    group: process_group.ProcessGroup. read: as for survey.survey.
    """

    def __init__(self, card, prepared, group, read):
        # The outputs as class indices, as in the samples.
        size = len(card.label_set.classes)
        self._card = card._replace(outputs=tuple(range(size)) + (UNLABELED,) * (len(card.outputs) - size))
        self._label_set, self._prepared, self._group, self._read = card.label_set, prepared, group, read

    def scores(self, network):
        """Return {'<dataset> class mIOU': percent, '<dataset> category mIOU': percent} of a network."""
        found = {}
        classes = tuple(c._replace(id=i) for i, c in enumerate(self._label_set.classes))
        for prepared in self._prepared:
            confusion = self._confusion(network, prepared)
            by_category = category_confusion(confusion, self._label_set._replace(classes=classes))
            for what, matrix in (('class', confusion), ('category', by_category)):
                found['{} {} mIOU'.format(prepared.name, what)] = round(100 * mean_iou(matrix), 2)
        return found

    def _confusion(self, network, prepared):
        total = self._group.on_all(lambda: self._own_confusion(network, prepared))
        return self._group.all_reduce(torch.from_numpy(total).to(self._group.device)).cpu().numpy()

    def _own_confusion(self, network, prepared):
        """Return the confusion matrix of this process's share of the images: int64 [classes, classes + 1]."""
        size = len(self._label_set.classes)
        deployed = self._deployed(network)
        total = np.zeros((size, size + 1), np.int64)
        own = range(self._group.rank, len(prepared), self._group.size)
        for sample in self._read(prepared, own):
            if isinstance(sample, EspnetError):
                raise sample
            total += confusion_matrix(sample.labels, self._predict(deployed, sample.image), size)
        return total

    def pictures(self, network):
        """Return pairs (dataset name, BGR uint8 picture); rows of image, ground truth and prediction."""
        deployed = self._deployed(network)
        return [(prepared.name, np.concatenate([
            self._row(prepared[i], deployed)
            for i in sorted(set(np.linspace(0, len(prepared) - 1, PICTURES).astype(int).tolist()))]))
            for prepared in self._prepared]

    def _row(self, sample, deployed):
        palette = np.zeros((256, 3), np.uint8)
        palette[:len(self._label_set.classes)] = [c.color[::-1] for c in self._label_set.classes]
        prediction = self._predict(deployed, sample.image)
        labels = [colorize(found, palette) for found in (sample.labels, prediction)]
        row = np.concatenate([to_bytes(sample.image), *labels], 1)
        scale = min(1.0, _HEIGHT / row.shape[0])
        return cv2.resize(row, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def _deployed(self, network):
        return Deployed(network, self._card).to(self._group.device).eval()

    def _predict(self, deployed, image):
        with torch.inference_mode():
            batch = torch.from_numpy(image).to(self._group.device).permute(2, 0, 1).unsqueeze(0)
            return deployed(batch)[0][0].cpu().numpy()
