"""A trained network to a model: weights, card, and reports of the evaluator."""
import math
import pathlib
import re
import tempfile

from espnet_ros.bags.reader import open_bag
from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Dataset, LabeledImage, label_table
from espnet_ros.errors import ModelError
from espnet_ros.evaluation.evaluate import evaluate
from espnet_ros.evaluation.offline import Setup
from espnet_ros.evaluation.scoring import compare_labels
from espnet_ros.evaluation.workers import InProcess
from espnet_ros.labels import CATEGORIES
from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights

REPORT = 'report'


def write_model(plan, network, training, folder, watch=lambda progress: None):
    """Write weights and card to the folder, evaluate them, and return the path of the card.

    plan: plan.Plan. training: plain data for the card. watch: takes evaluate.Progress. Of each dataset of the plan's
    validation there is a report in folder/report, and its result in the card. Raises EspnetError.
    """
    folder = pathlib.Path(folder)
    write_weights(network, folder / plan.card.weights)
    card = plan.card._replace(sha256=sha256_of(folder / plan.card.weights), training=training)
    path = folder / (card.name + '.yaml')
    write_card(card, path)
    results = {}
    for number, prepared in enumerate(plan.validation, 1):
        report = folder / REPORT / '{}-{}'.format(number, re.sub(r'\W+', '-', prepared.name.lower())[:60].strip('-'))
        results[prepared.name] = evaluated(path, card, prepared.dataset, report, watch)
    if results:
        write_card(card._replace(results=results), path)
    return path


def evaluated(path, card, dataset, report, watch=lambda progress: None):
    """Evaluate the model whose card is at `path` on a datasets.Dataset; return its result as cards hold it.

    report: folder for the evaluator's report. watch: takes evaluate.Progress. Raises EspnetError.
    """
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        # Beside the report: the dataset as a bag can be larger than the system's place for temporary files.
        place = tempfile.TemporaryDirectory(prefix='.validation-', dir=report.parent)
    except OSError as error:
        raise ModelError("cannot write '{}': {}".format(report.parent, error.strerror or error))
    with place as temporary:
        bag_path = pathlib.Path(temporary) / 'validation'
        write_bag(bag_path, [_Relabeled(dataset, card.label_set)], BagSettings(images='png'))
        with open_bag(bag_path) as bag:
            setup = Setup(str(path), card.input_width, card.input_height, 'torch', 'auto', 'fp32', (bag,),
                          tuple(compare_labels(card.label_set, [bag.label_set])), 'cityscapes', True)
            statistics = evaluate(setup, report, InProcess, restart=True, watch=watch)
    return {'class mIOU': percent(statistics.class_miou), 'category mIOU': percent(statistics.category_miou),
            'class IoU': dict(zip(card.label_set.names, map(percent, statistics.class_iou))),
            'category IoU': dict(zip(CATEGORIES[1:], map(percent, statistics.category_iou)))}


def percent(share):
    """Return a share as cards hold it: percent with two digits, None where it is NaN."""
    return None if math.isnan(share) else round(100 * float(share), 2)


class _Relabeled(Dataset):
    """A dataset with the classes of another label set."""

    def __init__(self, dataset, label_set):
        super().__init__(dataset.name, label_set)
        self.camera_matrix = dataset.camera_matrix
        self._dataset, self._table = dataset, label_table(dataset.label_set, label_set)

    def __len__(self):
        return len(self._dataset)

    def _read(self, i):
        found = self._dataset[i]
        return LabeledImage(found.name, found.image, self._table[found.labels])
