"""Sums over the records of all frames."""
import array
import collections
import math

import numpy as np

from espnet_ros.diagnostics import keys
from espnet_ros.evaluation.protocols import PROTOCOLS, rows_of
from espnet_ros.evaluation.scoring import number
from espnet_ros.labels import CATEGORIES, label_set_to_dict
from espnet_ros.metrics.confusion import BatchIoU, category_confusion, class_accuracy, iou, mean, pixel_accuracy
from espnet_ros.metrics.instances import ObjectScores, mean_score

PERCENTILES = (50, 95, 99, 100)
AUTHORS_BATCH = 6
"""Images of a batch in the training of ESPNet's authors."""
OUTCOMES = {keys.DROPPED: 'dropped by the node for newer ones', keys.LOST: 'lost or replaced in transport',
         keys.REFUSED: 'refused by the node', keys.IMAGES_FAILED: 'failed in the node',
         keys.SKIPPED: 'skipped, because the node was disabled or had no subscriber', 'unknown': 'unaccounted for'}
"""Description of each outcome of images without an answer."""


class Statistics:
    """Sums over records (see `Evaluator.run`), which are not kept: memory grows by a few bytes for each.

    label_set: that of the Comparison; by_class: whether it is the model's own. labeled: frames with ground truth that
    the bags have. protocol: of PROTOCOLS.

    latencies, scores: of each frame (NaN without a score); ages: of the labels before each, where they were played.
    objects: ObjectScores. sessions, problems: those given to `conclude`. images: outcomes of images sent to a node
    (live.ThroughNode). scans: results of scans (scans.Scored.describe) of the bags that tell ranges.
    """

    def __init__(self, label_set, by_class, labeled, protocol='cityscapes'):
        if protocol not in PROTOCOLS:
            raise ValueError('protocol {!r} is none of {}'.format(protocol, ', '.join(PROTOCOLS)))
        size = len(label_set.classes)
        self.label_set, self.by_class, self.labeled, self.protocol = label_set, by_class, labeled, protocol
        self.confusion = np.zeros((size + 1, size + 1), np.int64)
        self.frames = self.scored = 0
        self.latencies = array.array('d')
        self.ages = array.array('d')
        self.images: collections.Counter = collections.Counter()
        self.sessions: list[dict] = []
        self.problems: list[str] = []
        self.scans: list[dict] = []
        self.scores = array.array('d')
        self.stage_seconds: dict[str, float] = {}
        self.objects = ObjectScores(label_set, by_class)
        self._boundary = np.zeros((2, size))
        self._frame_boundary = np.zeros(2)
        self._batches = BatchIoU(AUTHORS_BATCH)

    def add(self, record):
        """Add a record."""
        self.frames += 1
        self.latencies.append(record['latency'])
        if 'age' in record:
            self.ages.append(record['age'])
        for stage, seconds in record.get('stages', {}).items():
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + seconds
        self.scores.append(math.nan)
        if 'confusion' not in record:
            return
        self.scored += 1
        rows, columns, pixels = np.array(record['confusion'], np.int64).reshape(-1, 3).T
        self.confusion[rows, columns] += pixels
        if self.protocol == 'authors' and self.by_class:
            self._batches.add(_matrix(self.confusion.shape, rows, columns, pixels))
        if 'objects' in record:
            self.objects.add(record['objects'], _matrix(self.confusion.shape, rows, columns, pixels))
        self.scores[-1] = frame_score(record, math.nan)
        outlines = np.array(record['boundary'], np.float64)
        self._boundary += np.where(np.isnan(outlines), 0, outlines), ~np.isnan(outlines)
        if record['boundary_f1'] is not None:
            self._frame_boundary += record['boundary_f1'], 1

    def conclude(self, sessions, problems, scans=()):
        """Take what is known at the end: plain data about each session of the evaluation, problems, and scans."""
        self.sessions, self.problems, self.scans = sessions, problems, list(scans)
        for session in sessions:
            self.images.update(session.get('images', {}))

    @property
    def counted(self):
        """The confusion matrix as the protocol counts, for the functions of `metrics`."""
        return self._rows(self.confusion)

    @property
    def class_iou(self):
        """IoU of each class of label_set, NaN where it never occurs."""
        return iou(self.counted)

    @property
    def category_iou(self):
        """IoU of the categories 1..7, NaN where one never occurs."""
        return iou(category_confusion(self.counted, self.label_set))

    @property
    def class_miou(self):
        """Mean IoU of the classes; NaN where categories are compared."""
        return mean(self.class_iou) if self.by_class else math.nan

    @property
    def batch_miou(self):
        """Mean IoU averaged over batches of AUTHORS_BATCH frames; NaN but for the protocol of the authors."""
        return self._batches.value

    @property
    def category_miou(self):
        """Mean IoU of the categories."""
        return mean(self.category_iou)

    @property
    def class_iiou(self):
        """Instance-weighted IoU of each class, NaN where it has no objects: dict by name."""
        return self.objects.class_scores(self._rows)

    @property
    def category_iiou(self):
        """Instance-weighted IoU of each category, NaN where it has no objects: dict by name."""
        return self.objects.category_scores(self._rows)

    def _rows(self, confusion):
        return rows_of(confusion, self.protocol)

    @property
    def boundary_f1(self):
        """Mean over the frames of their boundary F1."""
        total, frames = self._frame_boundary
        return float(total / frames) if frames else math.nan

    @property
    def coverage(self):
        """Share of the bags' labeled frames that were scored; 0 when there are none."""
        return self.scored / self.labeled if self.labeled else 0.0

    def latency(self, percentile):
        """Percentile of the latency in seconds, NaN without frames."""
        return float(np.percentile(self.latencies, percentile)) if self.frames else math.nan

    def age(self, percentile):
        """Percentile of the age of labels in seconds when the next ones arrive; NaN without."""
        return float(np.percentile(self.ages, percentile)) if self.ages else math.nan

    def metrics(self):
        """Return plain data with the keys of cityscapesScripts' result file, and more; None where undefined.

        confMatrix has ground truth in its rows, indices as in `labels`; the last row and column are unlabeled.
        labelSet is what labels.label_set_from_dict takes.
        """
        names = self.label_set.names if self.by_class else ()
        categories = CATEGORIES[1:]
        rows = self.confusion.sum(1)
        with np.errstate(divide='ignore', invalid='ignore'):
            class_boundary = self._boundary[0] / self._boundary[1]
            priors = rows / rows.sum()
        return {
            'averageScoreClasses': number(self.class_miou),
            'averageScoreCategories': number(self.category_miou),
            'averageScoreClassesPerBatch': number(self.batch_miou),
            'averageScoreInstClasses': number(mean_score(self.class_iiou)),
            'averageScoreInstCategories': number(mean_score(self.category_iiou)),
            'classScores': _named(names, self.class_iou),
            'categoryScores': _named(categories, self.category_iou),
            'classInstScores': _named(*zip(*self.class_iiou.items())) if names else {},
            'categoryInstScores': _named(*zip(*self.category_iiou.items())),
            'confMatrix': self.confusion.tolist(),
            'labels': {name: i for i, name in enumerate((*self.label_set.names, 'unlabeled'))},
            'priors': _named((*self.label_set.names, 'unlabeled'), priors),
            'protocol': self.protocol,
            'labelSet': label_set_to_dict(self.label_set), 'byClass': self.by_class,
            'pixelAccuracy': number(pixel_accuracy(self.counted)),
            'classAccuracies': _named(names, class_accuracy(self.counted)),
            'averageAccuracyClasses': number(mean(class_accuracy(self.counted))) if self.by_class else None,
            'boundaryF1': number(self.boundary_f1),
            'boundaryScores': _named(self.label_set.names, class_boundary),
            'frames': self.frames, 'labeledFrames': self.labeled, 'scoredFrames': self.scored,
            'instanceFrames': self.objects.frames,
            'coverage': self.coverage,
            'latency': {'p{}'.format(p): number(self.latency(p)) for p in PERCENTILES},
            'age': {'p{}'.format(p): number(self.age(p)) for p in PERCENTILES}, 'images': dict(self.images),
            'stages': {stage: seconds / self.frames for stage, seconds in self.stage_seconds.items()}}


def frame_score(record, default=None):
    """The mIOU that frames are ranked by: of the classes, or of the categories where those are compared."""
    score = record.get('class_miou')
    score = record.get('category_miou') if score is None else score
    return default if score is None else score


def _matrix(shape, rows, columns, pixels):
    confusion = np.zeros(shape, np.int64)
    confusion[rows, columns] = pixels
    return confusion


def _named(names, values):
    return {name: number(value) for name, value in zip(names, values)}
