"""Progress of a training: a line every 10 s without a terminal, and the remaining time of the whole training."""
import io
import types

import pytest

from espnet_ros.cli import train_progress
from espnet_ros.cli.train_progress import TrainingProgress

STAGES = tuple(types.SimpleNamespace(number=number, name=name, epochs=epochs) for number, name, epochs in (
    (1, 'encoder', 2), (2, 'espnet', 4)))
ROW = {'stage': 2, 'epoch': 1, 'loss': 0.12345, 'images per second': 7.25, 'waiting': 0.015, 'rate': 0.1,
       'seconds': 3.0, 'camvid val class mIOU': 61.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    """A clock that stands until its `now` is changed, in seconds."""
    def read():
        return read.now
    read.now = 1000.0
    return read


@pytest.fixture(autouse=True)
def ten_steps(monkeypatch):
    monkeypatch.setattr(train_progress, 'steps_of', lambda stage, batch: 10)


def test_lines_without_a_terminal(clock, capsys):
    stream = io.StringIO()
    with TrainingProgress(STAGES, lambda stage: 4, stream, clock) as progress:
        progress.begin(STAGES[0], 0, 20, 'random weights')
        for _ in range(20):
            clock.now += 4
            progress.step(0.5)
        progress.begin(STAGES[1], 0, 40, 'the encoder of the first stage')
        for _ in range(2):
            clock.now += 60
            progress.step(0.25)
        progress.epoch(ROW)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ['encoder, epoch 1 of 2, step 3 of 60, loss 0.5000, 0:03:48 left',
                         'encoder, epoch 1 of 2, step 6 of 60, loss 0.5000, 0:03:36 left']
    assert lines[4] == 'encoder, epoch 2 of 2, step 15 of 60, loss 0.5000, 0:03:00 left'
    # The second stage is slower, so its own mean counts.
    assert lines[6:] == ['espnet, epoch 1 of 4, step 21 of 60, loss 0.2500, 0:39:00 left',
                         'espnet, epoch 1 of 4, step 22 of 60, loss 0.2500, 0:38:00 left']
    assert capsys.readouterr().out.splitlines() == [
        'stage 1, encoder: 2 epochs, initialized with random weights',
        'stage 2, espnet: 4 epochs, initialized with the encoder of the first stage',
        'stage 2, epoch 1: loss 0.1235, 7.2 images per second, 1.5% of the time waiting for images; '
        'camvid val class mIOU 61.50']


def test_a_resumed_training_estimates_from_its_own_steps(clock):
    stream = io.StringIO()
    with TrainingProgress(STAGES, lambda stage: 4, stream, clock) as progress:
        progress.begin(STAGES[1], 35, 40, 'the checkpoint after epoch 3 and 5 steps')
        clock.now += 20
        progress.step(0.5)
    assert stream.getvalue() == 'espnet, epoch 4 of 4, step 56 of 60, loss 0.5000, 0:01:20 left\n'


def test_a_bar_in_a_terminal(clock, monkeypatch, capsys):
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    with TrainingProgress(STAGES, lambda stage: 4, stream, clock) as progress:
        progress.begin(STAGES[0], 0, 20, 'random weights')
        clock.now += 30
        progress.step(0.5)
    assert 'encoder, epoch 1 of 2' in stream.getvalue() and '1/60' in stream.getvalue()
    assert 'loss 0.5000, 0:29:30 left' in stream.getvalue()
    assert capsys.readouterr().out.startswith('stage 1, encoder')  # not into the stream of the bar


def test_an_interruption_says_how_to_resume(clock, capsys):
    with pytest.raises(KeyboardInterrupt), TrainingProgress(STAGES, lambda stage: 4, io.StringIO(), clock):
        raise KeyboardInterrupt
    assert 'up to the last checkpoint is kept; run the same command again to resume' in capsys.readouterr().err
