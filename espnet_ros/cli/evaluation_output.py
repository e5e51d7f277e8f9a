"""Progress and summary of `espnet-ros evaluate`."""
import pathlib

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from espnet_ros.evaluation.report import PAGE, images_in_words, percent
from espnet_ros.metrics.confusion import pixel_accuracy
from espnet_ros.metrics.instances import mean_score


class ProgressBar:
    """Frames, time and running mIOU on a terminal; a context manager. frames: number of evaluated frames."""

    def __init__(self):
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn('frames'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn('elapsed,'),
            TimeRemainingColumn(), TextColumn('left{task.description}'), console=console,
            disable=not console.is_terminal)
        self._task = self._bar.add_task('', total=None)
        self.frames = 0

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def show(self, progress):
        """Show an evaluate.Progress."""
        self.frames = progress.frames
        if not self._bar.disable:
            self._bar.update(self._task, total=progress.total, completed=progress.frames,
                             description=', ' + _miou(progress.statistics))


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
    return '\n'.join([*lines, 'report: {}'.format(pathlib.Path(folder) / PAGE)])


def _miou(statistics):
    classes = ', of classes {}'.format(percent(statistics.class_miou)) if statistics.by_class else ''
    return 'mIOU of categories {}{}'.format(percent(statistics.category_miou), classes)
