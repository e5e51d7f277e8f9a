"""Fixtures that every part of the tests uses."""
import pathlib
import signal

import pytest

import espnet_ros  # noqa: F401  before torch, for the way its threads wait

# Shells start what runs in the background with SIGINT ignored, nohup with SIGHUP, and programs that tests start would
# inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope='session')
def shared():
    """Folder with the authors' weights, real images and reference results; the test is skipped without it."""
    folder = pathlib.Path(__file__).resolve().parents[2] / 'shared'
    if not (folder / 'DATA.md').is_file():
        pytest.skip('needs the reference data folder shared/ beside the checkout')
    return folder
