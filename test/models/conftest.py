"""Folders of their own for the tests of models."""
import pytest

from espnet_ros.models import catalog


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for fetched models, which does not exist yet."""
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A folder of models that stands for the package's own."""
    folder = tmp_path / 'known'
    folder.mkdir()
    monkeypatch.setattr(catalog, 'models_directory', lambda: str(folder))
    return folder
