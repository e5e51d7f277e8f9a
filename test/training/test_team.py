"""Several processes that train together."""
import csv
import os
import socket
import subprocess
import sys

import pytest
import torch

from espnet_ros.errors import EngineError
from espnet_ros.network.checkpoint import read_weights
from espnet_ros.training.team import joined


def test_alone(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with joined('cpu') as team:
        assert team == (0, 1, torch.device('cpu'), 1) and team.is_first
        assert team.total(torch.ones(2)).tolist() == [1, 1]
        team.wait()


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


def losses(folder):
    with open(folder / 'log.csv', newline='') as stream:
        return [float(row['loss']) for row in csv.DictReader(stream)]


def run(folder, processes, *changes):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    launcher = ['-m', 'torch.distributed.run', '--nproc_per_node', str(processes), '--master_addr', '127.0.0.1',
                '--master_port', str(port)] if processes > 1 else []
    subprocess.run(
        [sys.executable, *launcher, '-m', 'espnet_ros.cli', 'train', '--data', 'street:16:64x64', '--out', str(folder),
         '--val', 'street:6:64x64:50', '--workers', '0', '--threads', '1', '--name', 'small', '--set', 'alpha2=1',
         'alpha3=1', 'size=[64, 64]', 'encoder_crop=[64, 64]', 'crop=[64, 64]', 'labels=categories', 'batch=8',
         'encoder_epochs=3', 'epochs=5', 'learning_rate=0.003', *changes],
        env=dict(os.environ, GLOO_SOCKET_IFNAME='lo', OMP_NUM_THREADS='1'), check=True, timeout=400)


@pytest.mark.timeout(900)
def test_two_processes_learn_as_one_with_the_double_batch_does(tmp_path):
    run(tmp_path / 'one', 1)
    run(tmp_path / 'two', 2)
    one, two = losses(tmp_path / 'one'), losses(tmp_path / 'two')
    assert len(one) == len(two) == 8
    # Not equal: each process normalises with the statistics of its own half of a batch.
    assert two == pytest.approx(one, rel=0.15)
    assert two[2] < 0.9 * two[0]
    first, second = (read_weights(tmp_path / name / 'small.pth') for name in ('one', 'two'))
    assert list(first) == list(second)
    assert (tmp_path / 'two' / 'report').is_dir()
