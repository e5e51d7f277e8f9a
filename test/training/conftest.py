"""A cache folder for each test; threads of PyTorch that a test changed are restored."""
import pytest
import torch


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder for cached surveys, which does not exist yet."""
    folder = tmp_path / 'cache'
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(folder))
    return folder


@pytest.fixture(autouse=True)
def threads():
    """Restores the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
