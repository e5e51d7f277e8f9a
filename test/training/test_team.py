"""Several processes that train together."""
import csv
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import torch

from espnet_ros.errors import EngineError
from espnet_ros.models.checkpoint import read_weights
from espnet_ros.training.team import joined

pytestmark = pytest.mark.slow

SUPPORT = pathlib.Path(__file__).resolve().parents[1] / 'support'


def test_alone(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with joined('cpu') as team:
        assert team == (0, 1, torch.device('cpu'), 1) and team.is_first
        assert team.total(torch.ones(2)).tolist() == [1, 1]
        assert team.gather(7) == [7] and team.first(lambda: 8) == team.together(lambda: 8) == 8


@pytest.mark.parametrize('device', ['tpu', 'meta', 'cuda:99', 'cpu:x'])
def test_devices_that_cannot_be_used(device):
    with pytest.raises(EngineError, match="cannot train on device '{}': ".format(device)), joined(device):
        pass


def test_an_environment_that_is_not_from_torchrun(monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', 'many')
    with pytest.raises(EngineError, match="WORLD_SIZE is 'many', not a number; start the training with torchrun"), \
            joined('cpu'):
        pass
    monkeypatch.setenv('WORLD_SIZE', '2')
    for name in ('RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineError, match='cannot find the other processes of this training: .*; start it with'), \
            joined('cpu'):
        pass


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def together(job, folder, count=2):
    """Run a job of in_team.py in so many processes; return their (exit code, what they say)."""
    environment = dict(os.environ, GLOO_SOCKET_IFNAME='lo', OMP_NUM_THREADS='1', MASTER_ADDR='127.0.0.1',
                       MASTER_PORT=free_port(), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count),
                       PYTHONPATH=os.pathsep.join([*map(str, (SUPPORT, SUPPORT.parents[1])),
                                                   os.environ.get('PYTHONPATH', '')]))
    processes = [subprocess.Popen([sys.executable, str(SUPPORT / 'in_team.py'), job, str(folder)],
                                  stderr=subprocess.PIPE, text=True,
                                  env=dict(environment, RANK=str(rank), LOCAL_RANK=str(rank)))
                 for rank in range(count)]
    try:
        said = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, said)]


def weights(path):
    return torch.load(path, weights_only=True)


@pytest.mark.timeout(900)
def test_two_processes_take_the_steps_of_one(tmp_path):
    """Uneven shares of labeled pixels, plain gradient descent: nothing hides a wrong mean of the gradients."""
    for count in (1, 2):
        assert together('gradients', tmp_path, count) == count * [(0, '')]
    one, first, second = (weights(tmp_path / 'after-{}.pt'.format(name)) for name in ('0-of-1', '0-of-2', '1-of-2'))
    for name, value in one.items():
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5, msg=name)
        assert torch.equal(first[name], second[name]), name
    before, after = ([float(text) for text in (tmp_path / 'losses-{}'.format(count)).read_text().split()]
                     for count in (1, 2))
    assert after == pytest.approx(before, rel=1e-4) and before[-1] < 0.95 * before[0]


@pytest.mark.timeout(900)
def test_machines_without_a_common_disk_go_on_together(tmp_path):
    assert together('machines', tmp_path) == [(0, ''), (0, '')]
    whole, *others = (weights(tmp_path / '{}.pt'.format(name)) for name in ('whole-0', 'whole-1', 'parts-0', 'parts-1'))
    for other in others:
        assert all(torch.equal(other[name], value) for name, value in whole.items())
    assert not (tmp_path / 'parts-1').exists()


@pytest.mark.timeout(900)
def test_images_that_are_not_kept_are_read_in_shares(tmp_path):
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        ends = together('shares', tmp_path / str(count), count)
        assert ends == [(0, '')] if count == 1 else all(
            code == 1 and text.startswith('LabelError: 1 of 5 images of camvid train cannot be used:\n')
            and '003.png' in text for code, text in ends)

    def left(what, rank, size):
        return (tmp_path / str(size) / '{}-{}-of-{}'.format(what, rank, size)).read_text()

    assert left('found', 0, 1) == left('found', 0, 2) == left('found', 1, 2)
    assert left('read', 0, 1) == '[0, 1, 2, 3, 4]'
    assert (left('read', 0, 2), left('read', 1, 2)) == ('[0, 2, 4]', '[1, 3]')


@pytest.mark.timeout(900)
@pytest.mark.parametrize('job, message', [
    ('broken', 'LabelError: 1 of 3 images of camvid train cannot be used:\n.*001.png'),
    ('full', "ParameterError: cannot write '.*file/out'")])
def test_what_stops_one_stops_all_with_its_sentence(tmp_path, job, message):
    for code, text in together(job, tmp_path):
        assert code == 1 and re.match(message, text) and 'Traceback' not in text


@pytest.mark.timeout(900)
def test_a_process_that_was_killed_is_noticed(tmp_path):
    (code, text), (killed, _) = together('killed', tmp_path)
    assert killed == -9 and code == 1
    assert text.startswith('EngineError: another process of this training has ended, or is out of reach: ')
    assert 'Traceback' not in text


def torchrun(folder, processes, *arguments):
    launcher = ['-m', 'torch.distributed.run', '--nproc_per_node', str(processes), '--master_addr', '127.0.0.1',
                '--master_port', free_port()] if processes > 1 else []
    return subprocess.run(
        [sys.executable, *launcher, '-m', 'espnet_ros.cli', 'train', '--out', str(folder), '--workers', '0',
         '--threads', '1', *arguments],
        env=dict(os.environ, GLOO_SOCKET_IFNAME='lo', OMP_NUM_THREADS='1'), timeout=400, capture_output=True, text=True)


def losses(folder):
    with open(folder / 'log.csv', newline='') as stream:
        return [float(row['loss']) for row in csv.DictReader(stream)]


@pytest.mark.timeout(900)
def test_two_processes_learn_as_one_with_the_double_batch_does(tmp_path):
    for name, processes in (('one', 1), ('two', 2)):
        assert torchrun(
            tmp_path / name, processes, '--data', 'street:16:64x64', '--val', 'street:6:64x64:50', '--name', 'small',
            '--set', 'alpha2=1', 'alpha3=1', 'size=[64, 64]', 'encoder_crop=[64, 64]', 'crop=[64, 64]',
            'labels=categories', 'batch=8', 'encoder_epochs=3', 'epochs=5', 'learning_rate=0.003').returncode == 0
    one, two = losses(tmp_path / 'one'), losses(tmp_path / 'two')
    assert len(one) == len(two) == 8
    # Not equal: each process normalizes with the statistics of its own half of a batch.
    assert two == pytest.approx(one, rel=0.15)
    assert two[2] < 0.9 * two[0]
    first, second = (read_weights(tmp_path / name / 'small.pth') for name in ('one', 'two'))
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in second.items()}
    assert (tmp_path / 'two' / 'report').is_dir()


@pytest.mark.timeout(900)
def test_a_mistake_is_told_once(tmp_path):
    result = torchrun(tmp_path, 2, '--data', 'street:4:64x64', '--set', 'batch=5', 'size=[64, 64]')
    assert result.returncode == 1
    assert result.stderr.count('an epoch has 4 images, too few for a batch of 5') == 1
    assert 'espnet_ros/cli' not in result.stderr  # no traceback of this package; torchrun's own tells who failed
