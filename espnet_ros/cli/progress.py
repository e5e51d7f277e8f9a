"""Progress of a long command on standard error: a bar in a terminal, a line each 10 s elsewhere."""
import contextlib
import sys
import threading
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""


class Steps:
    """Counts steps toward a total and shows where it stands and how long it will take; a context manager."""

    def __init__(self, total, unit, console=None, now=time.monotonic):
        """total: number of steps, None while unknown. unit: their name, in the plural."""
        self._console = console or Console(stderr=True, markup=False)
        self._bar = Progress(
            TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn(),
            TextColumn('elapsed,'), TimeRemainingColumn(), TextColumn('left{task.fields[state]}'),
            console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task('', total=total, state='')
        self._total, self._unit, self._now = total, unit, now
        self.done = self._skipped = 0
        self._began = self._said = now()
        self._description = self._state = ''

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
        self.done += count
        self._skipped += count
        self._bar.update(self._task, completed=self.done)

    def advance(self):
        """Count a step."""
        self.show(self.done + 1, self._total)

    def show(self, done, total, state=''):
        """Say how many steps of how many are done, and in a few words how it stands."""
        self.done, self._total, self._state = done, total, state and ', ' + state
        self._bar.update(self._task, completed=done, total=total, state=self._state)
        if not self._console.is_terminal and self._now() - self._said >= INTERVAL:
            self._said = self._now()
            self._console.print('{}{} of {} {}{}{}'.format(
                self._description and self._description + ': ', done, total, self._unit, self._left(), self._state),
                highlight=False, soft_wrap=True)

    def counted(self, items):
        """Yield the items, each of which is a step."""
        for item in items:
            yield item
            self.advance()

    def _left(self):
        done = self.done - self._skipped
        remaining = (self._now() - self._began) / max(1, done) * (self._total - self.done)
        return ', about {} left'.format(duration(remaining)) if done and remaining > 0 else ''


def duration(seconds):
    """Return seconds in words: 40 s, 3 min, 2.5 h."""
    if seconds < 100:
        return '{:.0f} s'.format(seconds)
    return '{:.0f} min'.format(seconds / 60) if seconds < 6000 else '{:.1f} h'.format(seconds / 3600)


@contextlib.contextmanager
def working(text, stream=None, interval=INTERVAL):
    """Say each 10 s that something whose length nobody knows is still being done.

    text: what, as in 'calibrating'. stream: standard error by default. interval: seconds. It is for commands that print
    nothing else meanwhile, or seldom.
    """
    stream, began, done = stream or sys.stderr, time.monotonic(), threading.Event()

    def say():
        while not done.wait(interval):
            seconds = time.monotonic() - began
            print('espnet-ros: {}, for {} so far'.format(
                text, '{:.0f} s'.format(seconds) if seconds < 600 else duration(seconds)), file=stream, flush=True)

    thread = threading.Thread(target=say, name='working', daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
