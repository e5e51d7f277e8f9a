"""Distributed training: the gradient of the whole batch, errors in all processes, batch statistics."""
import csv
import os
import pathlib
import re
import socket
import subprocess
import sys

import in_process_group
import pytest
import torch
from small_models import network
from small_samples import ALONE

from espnet_ros.cli import main
from espnet_ros.errors import EngineError
from espnet_ros.models.checkpoint import read_weights
from espnet_ros.training import trainer
from espnet_ros.training.process_group import ProcessGroup, join_process_group
from espnet_ros.training.settings import read_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SUPPORT = pathlib.Path(in_process_group.__file__).parent


def test_alone(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with join_process_group('cpu') as group:
        assert group == (0, 1, torch.device('cpu'), 1) and group.is_first
        assert group.all_reduce(torch.ones(2)).tolist() == [1, 1]
        assert group.all_gather(7) == [7] and group.on_first(lambda: 8) == group.on_all(lambda: 8) == 8


@pytest.mark.parametrize('device', ['tpu', 'meta', 'cuda:99', 'cpu:x'])
def test_devices_that_cannot_be_used(device):
    with pytest.raises(EngineError, match="cannot train on device '{}': ".format(device)), join_process_group(device):
        pass


def test_an_environment_that_is_not_from_torchrun(monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', 'many')
    with pytest.raises(EngineError, match="WORLD_SIZE is 'many', not a number; start the training with torchrun"), \
            join_process_group('cpu'):
        pass
    monkeypatch.setenv('WORLD_SIZE', '2')
    for name in ('RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineError, match='cannot connect to the other processes of this training: .*; start it'), \
            join_process_group('cpu'):
        pass


@pytest.mark.parametrize('device, changes, synchronized', [
    ('cuda', (), True), ('cuda', ('sync_batch_norm=false',), False), ('cpu', (), False)])
def test_batch_norm_is_synchronized_on_gpus(monkeypatch, device, changes, synchronized):
    monkeypatch.setattr(torch.nn.parallel, 'DistributedDataParallel', lambda wrapped, devices: wrapped)
    plain = network()
    keys, parameters = list(plain.state_dict()), list(map(id, plain.parameters()))
    wrapped = trainer.parallel(plain, read_recipe('paper', changes), ProcessGroup(0, 2, torch.device(device)))
    norms = [type(m) for m in wrapped.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert set(norms) == {torch.nn.SyncBatchNorm if synchronized else torch.nn.BatchNorm2d}
    assert (list(plain.state_dict()), list(map(id, plain.parameters()))) == (keys, parameters) and wrapped is plain


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def together(*command):
    """Run a Python program in two processes that find each other; return (exit code, standard error) of each."""
    environment = dict(os.environ, GLOO_SOCKET_IFNAME='lo', OMP_NUM_THREADS='1', MASTER_ADDR='127.0.0.1',
                       MASTER_PORT=free_port(), WORLD_SIZE='2', LOCAL_WORLD_SIZE='2',
                       PYTHONPATH=os.pathsep.join([*map(str, (SUPPORT, SUPPORT.parents[1])),
                                                   os.environ.get('PYTHONPATH', '')]))
    processes = [subprocess.Popen([sys.executable, *map(str, command)], stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, text=True,
                                  env=dict(environment, RANK=str(rank), LOCAL_RANK=str(rank))) for rank in range(2)]
    try:
        errors = [process.communicate(timeout=800)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, errors)]


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    """The folder of two processes that ran all jobs, and their (exit code, standard error)."""
    folder = tmp_path_factory.mktemp('pair')
    return folder, together(SUPPORT / 'in_process_group.py', folder)


@pytest.fixture
def results(pair):
    """A function that returns what a job gave in both processes."""
    return lambda name: [torch.load(pair[0] / name / 'result-{}.pt'.format(rank), weights_only=True)
                         for rank in range(2)]


def test_two_processes_take_the_steps_of_one(tmp_path, results):
    """Uneven shares of labeled pixels, plain gradient descent: nothing hides a wrong mean of the gradients."""
    one, (first, second) = in_process_group.run(in_process_group.gradients, tmp_path, ALONE), results('gradients')
    for name, value in one['weights'].items():
        torch.testing.assert_close(first['weights'][name], value, rtol=1e-4, atol=1e-5, msg=name)
        assert torch.equal(first['weights'][name], second['weights'][name]), name
    assert first['losses'] == pytest.approx(one['losses'], rel=1e-4)
    assert one['losses'][-1] < 0.95 * one['losses'][0]


def test_batch_statistics_on_cpus_are_those_of_each_process_and_rank_0_is_kept(tmp_path, results):
    first, second = results('statistics')
    assert (first['share'] - second['share']).abs().max() > 1e-2
    for found in (first, second):
        torch.testing.assert_close(found['found'], 0.1 * first['share'], rtol=1e-4, atol=1e-6)  # momentum 0.1, from 0
    alone = in_process_group.run(in_process_group.statistics, tmp_path, ALONE)
    torch.testing.assert_close(alone['share'], (first['share'] + second['share']) / 2, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone['found'], 0.1 * alone['share'], rtol=1e-4, atol=1e-6)


def test_machines_without_a_common_disk_resume_together(results):
    first, second = results('machines')
    for other in (first['parts'], second['whole'], second['parts']):
        assert all(torch.equal(other[name], value) for name, value in first['whole'].items())
    assert (first['folder'], second['folder']) == (True, False)


def test_images_that_are_not_kept_are_read_in_shares(tmp_path, results):
    alone = in_process_group.run(in_process_group.shares, tmp_path, ALONE)
    first, second = results('shares')
    assert alone['found'] == first['found'] == second['found'] and alone['read'] == [0, 1, 2, 3, 4]
    assert (first['read'], second['read']) == ([0, 2, 4], [1, 3])


@pytest.mark.parametrize('job, message', [
    ('missing', 'LabelError: 1 of 5 images of camvid train cannot be used:\n.*003.png'),
    ('broken', 'LabelError: 1 of 3 images of camvid train cannot be used:\n.*001.png'),
    ('full', "ParameterError: cannot write '.*file/out'")])
def test_an_error_in_one_process_is_raised_in_all(results, job, message):
    assert [bool(re.match(message, found['error'])) for found in results(job)] == [True, True]


def test_a_process_that_was_killed_is_noticed(pair):
    _, ((code, text), (killed, _)) = pair
    assert (code, killed) == (1, -9) and 'Traceback' not in text
    assert text.startswith('EngineError: another process of this training has ended or is unreachable: ')


SMALL = ('--workers', '0', '--threads', '1', '--name', 'small', '--data', 'drive:16:64x64', '--set', 'alpha2=1',
         'alpha3=1', 'size=[64, 64]', 'encoder_crop=[64, 64]', 'crop=[64, 64]',
         'labels=categories', 'batch=8', 'encoder_batch=0', 'encoder_epochs=3', 'epochs=2', 'learning_rate=0.003')


def losses(folder):
    with open(folder / 'log.csv', newline='') as stream:
        return [float(row['loss']) for row in csv.DictReader(stream)]


def test_torchrun(tmp_path):
    """Two processes learn almost as one with the whole batch does, from the command line."""
    assert main(['train', '--out', str(tmp_path / 'one'), *SMALL]) == 0
    result = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_addr', '127.0.0.1',
         '--master_port', free_port(), '-m', 'espnet_ros.cli', 'train', '--out', str(tmp_path / 'two'),
         '--val', 'drive:2:64x64:50', *SMALL],
        env=dict(os.environ, GLOO_SOCKET_IFNAME='lo', OMP_NUM_THREADS='1'), timeout=800, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('batch statistics of its own 4 images; PyTorch synchronizes batch normalization') == 1
    one, two = losses(tmp_path / 'one'), losses(tmp_path / 'two')
    assert len(one) == len(two) == 5
    assert two == pytest.approx(one, rel=0.15)  # not equal, because batch statistics are per process
    assert two[2] < 0.9 * two[0]
    first, second = (read_weights(tmp_path / name / 'small.pth') for name in ('one', 'two'))
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in second.items()}
    assert (tmp_path / 'two' / 'report').is_dir()


def test_a_mistake_is_printed_once(tmp_path):
    ends = together('-m', 'espnet_ros.cli', 'train', '--out', tmp_path, '--data', 'drive:4:64x64', '--set', 'batch=5',
                    'encoder_batch=5', 'size=[64, 64]')
    assert [code for code, _ in ends] == [1, 1]
    text = ''.join(text for _, text in ends)
    assert text.count('an epoch has 4 images, too few for a batch of 5') == 1 and 'Traceback' not in text
