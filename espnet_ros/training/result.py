"""The model files of a trained network: weights, card and evaluation reports."""
import math
import pathlib
import re

from espnet_ros.evaluation.evaluate import evaluate
from espnet_ros.evaluation.frames import DatasetFrames
from espnet_ros.evaluation.offline import Setup
from espnet_ros.evaluation.scoring import compare_labels
from espnet_ros.evaluation.workers import InProcess
from espnet_ros.labels import CATEGORIES
from espnet_ros.models.card import write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.network import parameter_count
from espnet_ros.reports.report import write_report

REPORT = 'report'


def write_model(plan, network, training, folder, watch=lambda progress: None):
    """Write weights and card to the folder, evaluate the model, and return the path of the card.

    plan: plan.Plan. training: plain data for the card. watch: takes evaluate.Progress. For each validation dataset a
    report is written to folder/report and the result to the card. Raises EspnetError.
    """
    folder = pathlib.Path(folder)
    write_weights(network, folder / plan.card.weights)
    card = plan.card._replace(sha256=sha256_of(folder / plan.card.weights), training=training,
                              parameters=parameter_count(network))
    path = folder / (card.name + '.yaml')
    write_card(card, path)
    results = {}
    for number, prepared in enumerate(plan.validation, 1):
        report = folder / REPORT / '{}-{}'.format(number, re.sub(r'\W+', '-', prepared.name.lower())[:60].strip('-'))
        results[prepared.name] = evaluated(path, card, prepared.dataset, report, watch)
    if results:
        write_card(card._replace(results=results), path)
    return path


def evaluated(path, card, dataset, report, watch=lambda progress: None, backend='torch', precision='fp32'):
    """Evaluate the model whose card is at `path` on a datasets.Dataset; return the result for its card.

    report: folder for the evaluator's report. watch: takes evaluate.Progress. backend, precision: as for build_engine.
    Raises EspnetError.
    """
    frames = DatasetFrames(dataset, card.label_set)
    setup = Setup(str(path), card.input_width, card.input_height, backend, 'auto', precision, (frames,),
                  tuple(compare_labels(card.label_set, [frames.label_set])), 'cityscapes', True)
    evaluation = evaluate(setup, report, InProcess, restart=True, on_progress=watch)
    write_report(report, evaluation)
    statistics = evaluation.statistics
    return {'class mIOU': percent(statistics.class_miou), 'category mIOU': percent(statistics.category_miou),
            'class IoU': dict(zip(card.label_set.names, map(percent, statistics.class_iou))),
            'category IoU': dict(zip(CATEGORIES[1:], map(percent, statistics.category_iou)))}


def percent(share):
    """Return a share (0..1) in percent with two digits, None where it is NaN."""
    return None if math.isnan(share) else round(100 * float(share), 2)
