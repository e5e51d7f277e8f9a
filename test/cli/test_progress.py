"""Progress of a long command: a bar in a terminal, lines elsewhere."""
import contextlib
import io
import time

import pytest
from rich.console import Console

from espnet_ros.cli import main, progress, reproduce
from espnet_ros.cli.progress import Steps, duration, working


class Clock:
    """A clock that the test moves."""

    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


def test_elsewhere_a_line_each_10_s(clock):
    stream = io.StringIO()
    with Steps(5, 'turns', Console(file=stream, markup=False), clock) as steps:
        steps.describe('small torch [1] 96x64')
        for _ in range(5):
            clock.time += 4
            steps.advance()
    assert stream.getvalue() == 'small torch [1] 96x64: 3 of 5 turns, about 8 s left\n'


def test_what_was_done_before_took_no_time(clock):
    stream = io.StringIO()
    with Steps(100, 'tiles', Console(file=stream, markup=False), clock) as steps:
        steps.describe('slide')
        steps.skip(90)
        clock.time += 12
        steps.advance()
    assert stream.getvalue() == 'slide: 91 of 100 tiles, about 2 min left\n'


def test_a_state_and_counted_items(clock):
    stream = io.StringIO()
    with Steps(None, 'frames', Console(file=stream, markup=False), clock) as steps:
        clock.time += 10
        steps.show(1, 31, 'mIOU 60.00')
        assert list(steps.counted('ab')) == ['a', 'b'] and steps.done == 3
    assert stream.getvalue() == '1 of 31 frames, about 5 min left, mIOU 60.00\n'


def test_work_of_unknown_length_says_that_it_goes_on():
    stream = io.StringIO()
    with working('building', stream, 0.01):
        deadline = time.monotonic() + 60
        while stream.getvalue().count('\n') < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    said = stream.getvalue()
    assert said.startswith('espnet-ros: building, for 0 s so far\n') and said.count('\n') >= 2
    time.sleep(0.05)
    assert stream.getvalue() == said  # it ended with the work


@pytest.mark.parametrize('seconds, words', [(40, '40 s'), (170, '3 min'), (9000, '2.5 h')])
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_a_bar_in_a_terminal(clock):
    stream = io.StringIO()
    with Steps(5, 'turns', Console(file=stream, force_terminal=True, width=100), clock) as steps:
        steps.describe('small')
        steps.advance()
    assert '1/5' in stream.getvalue() and 'small' in stream.getvalue()


@pytest.mark.parametrize('line, work', [
    ('bag info nowhere', 'reading nowhere'), ('models add nowhere.yaml', 'adding nowhere.yaml'),
    ('reproduce table-2c', 'counting parameters, operations and receptive fields'),
    ('ground --bag nowhere --camera-height 1', 'scoring nowhere')])
def test_commands_of_unknown_length_say_that_they_go_on(line, work, monkeypatch):
    said = []

    @contextlib.contextmanager
    def recorded(text):
        said.append(text)
        yield
    monkeypatch.setattr(reproduce, 'environment', list)
    for module in (progress, reproduce):
        monkeypatch.setattr(module, 'working', recorded)
    main(line.split())
    assert said == [work]
