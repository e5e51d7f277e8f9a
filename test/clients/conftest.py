"""Fixtures of the tests that talk to nodes."""
import contextlib

import pytest
from segmentation_rig import small_model, start_rig  # noqa: F401


@pytest.fixture
def play(ros_domain):
    """Function play(target, check) -> Player that spins until the test ends."""
    from espnet_ros.clients.background import spinning
    from espnet_ros.clients.replay import Player
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(spinning(lambda: Player(*arguments)))
