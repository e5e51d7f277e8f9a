"""Progress and summary of `espnet-ros evaluate`."""
import pathlib

from espnet_ros.cli.progress import Steps
from espnet_ros.metrics.confusion import pixel_accuracy
from espnet_ros.metrics.instances import mean_score
from espnet_ros.reports.pages import percent
from espnet_ros.reports.report import PAGE, images_in_words


class ProgressBar(Steps):
    """Frames, time and running mIOU; a context manager."""

    def __init__(self):
        super().__init__(None, 'frames')

    def update(self, progress):
        """Show an evaluate.Progress."""
        self.show(progress.frames, progress.total, _miou(progress.statistics))


def summary(card, statistics, folder):
    """Return the results as lines of text. card: ModelCard. statistics: Statistics. folder: of the report."""
    lines = ['{}: {} frames, {} of {} labeled ones scored'.format(
        card.name, statistics.frames, statistics.scored, statistics.labeled)]
    if statistics.scored:
        lines.append('{}, pixel accuracy {}, boundary F1 {} ({} protocol, %)'.format(
            _miou(statistics), percent(pixel_accuracy(statistics.counted)), percent(statistics.boundary_f1),
            statistics.protocol))
    if statistics.objects.frames:
        lines.append('instance-weighted mIOU of categories {}, of classes {}, on {} frames'.format(
            percent(mean_score(statistics.category_iiou)), percent(mean_score(statistics.class_iiou)),
            statistics.objects.frames))
    lines.append('latency: median {:.1f} ms, 95th percentile {:.1f} ms'.format(
        *(1000 * statistics.latency(p) for p in (50, 95))))
    if statistics.ages:
        lines.append('age of the labels when newer ones arrive: median {:.1f} ms, 95th percentile {:.1f} ms'.format(
            *(1000 * statistics.age(p) for p in (50, 95))))
    if statistics.images:
        lines.append(images_in_words(statistics.images))
    lines += map(_scans, statistics.scans)
    return '\n'.join([*lines, 'report: {}'.format(pathlib.Path(folder) / PAGE)])


def _scans(found):
    if 'reason' in found:
        return 'scans of {} not scored: {}'.format(', '.join(found['bag']), found['reason'])
    return 'scans against {}, to 15 m: {}'.format(found['truth'], '; '.join(
        '{scan}: median error {0} %, missed {1} %, phantoms {2} %'.format(
            *(percent(row[key]) for key in ('median', 'missed', 'phantoms')), **row)
        for row in found['rows'] if (row['from'], row['to']) == (0, 15)))


def _miou(statistics):
    classes = ', of classes {}'.format(percent(statistics.class_miou)) if statistics.by_class else ''
    return 'mIOU of categories {}{}'.format(percent(statistics.category_miou), classes)
