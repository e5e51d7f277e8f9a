"""A cache folder of its own for each test."""
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for cached surveys, which does not exist yet."""
    folder = tmp_path / 'cache'
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(folder))
    return folder
