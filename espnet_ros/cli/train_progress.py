"""Progress of a training in the terminal or as lines in a log."""
import datetime
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from espnet_ros.training.loading import steps_of
from espnet_ros.training.trainer import Callback

LINE_SECONDS = 10
"""Interval of the lines where the output is not a terminal."""


class TrainingProgress(Callback):
    """Shows epoch, step, loss and the remaining time of the whole training, and prints a line for each epoch.

    stages: those of the plan. batch_of: function from a stage to the images of a step. stream: for the progress. clock:
    returns seconds.
    """

    def __init__(self, stages, batch_of, stream=sys.stderr, clock=time.monotonic):
        self._steps = {stage.number: stage.epochs * steps_of(stage, batch_of(stage)) for stage in stages}
        self._total, self._done = sum(self._steps.values()), 0
        self._console, self._clock = Console(file=stream, highlight=False), clock
        self._step_seconds = None
        self._bar = self._task = None

    def __enter__(self):
        self._line_due = self._clock() + LINE_SECONDS
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('{task.fields[state]}'),
                console=self._console, redirect_stdout=sys.stdout.isatty())
            self._task = self._bar.add_task('', total=self._total, state='')
            self._bar.start()
        return self

    def __exit__(self, kind, *_):
        if self._bar is not None:
            self._bar.stop()
        if kind is KeyboardInterrupt:
            print('espnet-ros: the training up to the last checkpoint is kept; run the same command again to resume',
                  file=sys.stderr)

    def begin(self, stage, done, steps, note):
        print('stage {}, {}: {} epochs, initialized with {}'.format(stage.number, stage.name, stage.epochs, note),
              flush=True)
        self._stage, self._stage_steps, self._stage_done, self._resumed = stage, steps, done, done
        self._done = done + sum(count for number, count in self._steps.items() if number < stage.number)
        self._began = self._clock()

    def step(self, loss):
        self._stage_done += 1
        self._done += 1
        # The mean of this stage, validation included: the steps of the encoder are faster than those of the whole.
        self._step_seconds = (self._clock() - self._began) / (self._stage_done - self._resumed)
        epoch = 1 + (self._stage_done - 1) * self._stage.epochs // self._stage_steps
        what = '{}, epoch {} of {}'.format(self._stage.name, epoch, self._stage.epochs)
        state = 'loss {:.4f}, {} left'.format(loss, self.remaining)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, description=what, state=state)
        elif self._clock() >= self._line_due:
            self._line_due = self._clock() + LINE_SECONDS
            self._console.print('{}, step {} of {}, {}'.format(what, self._done, self._total, state), soft_wrap=True)

    @property
    def remaining(self):
        """The estimated time until the end of the last stage, a datetime.timedelta."""
        return datetime.timedelta(seconds=round(self._step_seconds * (self._total - self._done)))

    def epoch(self, row):
        scores = ', '.join('{} {:.2f}'.format(key, value) for key, value in row.items() if key.endswith('mIOU'))
        print('stage {stage}, epoch {epoch}: loss {loss:.4f}, {images per second:.1f} images per second, {0:.1f}% of '
              'the time waiting for images{1}'.format(100 * row['waiting'], scores and '; ' + scores, **row),
              flush=True)
