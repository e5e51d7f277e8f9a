"""Progress of a long command: a bar in a terminal, lines elsewhere."""
import io

import pytest
from rich.console import Console

from espnet_ros.cli.progress import Steps


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
    assert stream.getvalue() == 'small torch [1] 96x64: 3 of 5 turns, about 0:00:08 left\n'


def test_what_was_done_before_took_no_time(clock):
    stream = io.StringIO()
    with Steps(100, 'tiles', Console(file=stream, markup=False), clock) as steps:
        steps.describe('slide')
        steps.skip(90)
        clock.time += 12
        steps.advance()
    assert stream.getvalue() == 'slide: 91 of 100 tiles, about 0:01:48 left\n'


def test_a_bar_in_a_terminal(clock):
    stream = io.StringIO()
    with Steps(5, 'turns', Console(file=stream, force_terminal=True, width=100), clock) as steps:
        steps.describe('small')
        steps.advance()
    assert '1/5' in stream.getvalue() and 'small' in stream.getvalue()
