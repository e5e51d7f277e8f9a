"""Progress of a long command on standard error: a bar in a terminal, a line each 10 s elsewhere."""
import datetime
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""


class Steps:
    """Counts steps toward a total and shows where it stands; a context manager."""

    def __init__(self, total, unit, console=None, now=time.monotonic):
        """total: number of steps. unit: their name, in the plural."""
        self._console = console or Console(stderr=True, markup=False)
        self._bar = Progress(
            TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn(),
            TextColumn('elapsed,'), TimeRemainingColumn(), TextColumn('left'), console=self._console, transient=True,
            disable=not self._console.is_terminal)
        self._task = self._bar.add_task('', total=total)
        self._total, self._unit, self._now = total, unit, now
        self._done, self._said = 0, now()
        self._began, self._skipped = now(), 0
        self._description = ''

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def describe(self, text):
        """Say what is being done."""
        self._description = text
        self._bar.update(self._task, description=text)

    def extend(self, count):
        """Add to the total; nothing is added for a negative count."""
        self._total += max(0, count)
        self._bar.update(self._task, total=self._total)

    def skip(self, count):
        """Count steps that were done before; they say nothing of the time that is left."""
        self._done += count
        self._skipped += count
        self._bar.update(self._task, completed=self._done)

    def advance(self):
        """Count a step."""
        self._done += 1
        self._bar.advance(self._task)
        if not self._console.is_terminal and self._now() - self._said >= INTERVAL:
            self._said = self._now()
            left = (self._said - self._began) / (self._done - self._skipped) * (self._total - self._done)
            self._console.print('{}: {} of {} {}, about {} left'.format(
                self._description, self._done, self._total, self._unit, datetime.timedelta(seconds=round(left))),
                highlight=False, soft_wrap=True)
