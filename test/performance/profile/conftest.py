"""A stand-in for the files of a Jetson's GPU clock."""
import pytest

FREQUENCIES = (114750000, 216750000, 624750000, 1134750000, 1300500000)


@pytest.fixture
def devfreq(tmp_path):
    """Folder with the clock of a Jetson TX2's GPU below tmp_path / 'sys'."""
    folder = tmp_path / 'sys' / 'devices' / 'gpu.0' / 'devfreq' / '17000000.gp10b'
    folder.mkdir(parents=True)
    for name, text in (('available_frequencies', ' '.join(map(str, FREQUENCIES)) + '\n'), ('cur_freq', '114750000\n'),
                       ('min_freq', '114750000\n'), ('max_freq', '1134750000\n')):
        (folder / name).write_text(text)
    return folder
