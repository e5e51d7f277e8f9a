"""The log of a training: table, curves, pictures and TensorBoard events."""
import contextlib
import csv
import io
import os
import pathlib
import re
import socket
import time

import cv2

from espnet_ros.errors import ModelError
from espnet_ros.files import write_file

TABLE, CURVES, PICTURES, TENSORBOARD = 'log.csv', 'curves.png', 'pictures', 'tensorboard'


class Logbook:
    """Writes log.csv with a row for each epoch, pictures/, curves.png and tensorboard/ to a folder.

    The last two only where matplotlib and tensorboard are installed. rows: dicts of plain data, one for each completed
    epoch. Raises ModelError when a file cannot be written.
    """

    def __init__(self, folder, rows):
        self._folder = pathlib.Path(folder)
        self.rows = list(rows)
        self._board = None
        with self._writing(), contextlib.suppress(ImportError):
            (self._folder / PICTURES).mkdir(exist_ok=True)
            self._board = _EventFile(self._folder / TENSORBOARD, len(self.rows) + 1)

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            raise ModelError("cannot write '{}': {}".format(error.filename or self._folder, error.strerror or error))

    def add(self, row):
        """Add the row of an epoch."""
        self.rows.append(row)
        columns = list(dict.fromkeys(key for r in self.rows for key in r))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(self.rows)
        write_file(self._folder / TABLE, text.getvalue().encode())
        if self._board is not None:
            with self._writing():
                for key, value in row.items():
                    if key not in ('stage', 'epoch'):
                        self._board.add_scalar(key.replace(' ', '_'), value, len(self.rows))

    def draw(self, pictures):
        """Plot the curves and write pictures, pairs (name, BGR uint8 [H, W, 3]), of the last epoch."""
        for name, picture in pictures:
            stem = re.sub(r'\W+', '_', name)[-50:].strip('_')
            _, content = cv2.imencode('.jpg', picture)
            write_file(self._folder / PICTURES / '{}_stage{stage}_epoch{epoch:04d}.jpg'.format(
                stem, **self.rows[-1]), content.tobytes())
            if self._board is not None:
                with self._writing():
                    self._board.add_image(stem, picture[:, :, ::-1], len(self.rows))
        try:
            content = curves(self.rows)
        except ImportError:
            return
        write_file(self._folder / CURVES, content)

    def close(self):
        """Close TensorBoard's event file."""
        if self._board is not None:
            with contextlib.suppress(OSError):  # the table has the same values
                self._board.close()


class _EventFile:
    """A file of TensorBoard's events.

    Written by the thread that calls: that of SummaryWriter prints a traceback where the disk is full. Raises OSError,
    ImportError without tensorboard.
    """

    def __init__(self, folder, step):
        """step: the first one; what earlier files of the folder have from it on is not shown."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from torch.utils.tensorboard import RecordWriter, summary
        self._event, self._summary = Event, summary
        folder.mkdir(exist_ok=True)
        now = time.time()  # first in the name, because TensorBoard reads files by their names' order
        name = 'events.out.tfevents.{:017.6f}.{}.{}'.format(now, socket.gethostname(), os.getpid())
        self._stream = open(folder / name, 'wb')
        self._writer = RecordWriter(self._stream)
        self._add(step=step, file_version='brain.Event:2')
        self._add(step=step, session_log=SessionLog(status=SessionLog.START))

    def _add(self, **content):
        self._writer.write(self._event(wall_time=time.time(), **content).SerializeToString())
        self._writer.flush()

    def add_scalar(self, tag, value, step):
        self._add(summary=self._summary.scalar(tag, value), step=step)

    def add_image(self, tag, picture, step):
        """Add an RGB uint8 [H, W, 3]."""
        self._add(summary=self._summary.image(tag, picture, dataformats='HWC'), step=step)

    def close(self):
        self._stream.close()


def curves(rows):
    """Return a plot of loss and mIOU over the epochs as PNG bytes. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator
    figure = Figure(figsize=(8, 6), layout='constrained')
    loss, score = figure.subplots(2, sharex=True)
    numbers = range(1, len(rows) + 1)
    loss.plot(numbers, [row['loss'] for row in rows], color='#4477aa')
    loss.set_ylabel('loss')
    loss.set_yscale('log')
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6)))
    loss.yaxis.set_major_formatter('{x:g}')
    loss.yaxis.set_minor_formatter('')
    names = list(dict.fromkeys(key for row in rows for key in row if key.endswith('mIOU')))
    for name in names:
        points = [(number, row[name]) for number, row in zip(numbers, rows) if name in row]
        score.plot(*zip(*points), marker='.', label='{}: {:.2f}'.format(name, points[-1][1]).replace('$', r'\$'))
    score.set_ylabel('mIOU in %')
    score.set_xlabel('epoch')
    if names:
        figure.legend(loc='outside lower center', ncols=2, fontsize='small')  # inside, it would cover a curve
    for i, (before, row) in enumerate(zip(rows, rows[1:]), 1):
        if before['stage'] != row['stage']:
            for axes in (loss, score):
                axes.axvline(i + 0.5, color='gray', linestyle=':')
    for axes in (loss, score):
        axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=100)
    return content.getvalue()
