"""The jobs of test_process_group.py; as a program, one process that runs all of them: in_process_group.py FOLDER."""
import os
import pathlib
import signal
import sys
from unittest import mock

import torch
import training_data
from small_samples import SIZE, camvid_files
from torch import nn
from torch.nn import functional
from training_data import Interrupted, Stopper

from espnet_ros.deploy.deploy import Deployed
from espnet_ros.errors import EspnetError
from espnet_ros.labels import CAMVID
from espnet_ros.network import build
from espnet_ros.training import optimization
from espnet_ros.training.loading import loader, read_all
from espnet_ros.training.plan import make_plan
from espnet_ros.training.process_group import join_process_group
from espnet_ros.training.samples import PreparedDataset
from espnet_ros.training.survey import survey
from espnet_ros.training.trainer import Callback, train


class Killer(Stopper):
    """Kills the process."""

    def stop(self):
        os.kill(os.getpid(), signal.SIGKILL)


def plan(group, *changes):
    """A plan whose images have different numbers of labeled pixels."""
    data = training_data.shapes()
    for i, (_, labels) in enumerate(data._pairs):
        labels[:7 * i] = 255
    return make_plan(training_data.settings('encoder_epochs=0', 'epochs=2', *changes), [(data, 1.0)],
                     [training_data.shapes(3, seed=1)], group)


def gradients(folder, group):
    """Steps of plain gradient descent, with batch norms that do not depend on the batch."""
    def batch_norm(self, x):
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0,
                                     self.eps)

    with mock.patch.dict(optimization._OPTIMIZERS, adam=lambda groups, lr, weight_decay: torch.optim.SGD(groups, lr)), \
            mock.patch.object(nn.BatchNorm2d, 'forward', batch_norm):
        network, rows = train(plan(group, 'learning_rate=0.05'), folder / 'out', group)
    return {'weights': network.state_dict(), 'losses': [row['loss'] for row in rows]}


def statistics(folder, group):
    """One step, and the mean of the first batch norm over this process's share of its batch."""
    prepared = plan(group, 'batch=8', 'epochs=1')
    torch.manual_seed(prepared.settings.seed + 2)
    first = build(prepared.card.architecture).encoder.level1.conv
    batch = next(loader(prepared.settings, prepared.stages[0], group, 0, 0, 0))
    with torch.no_grad():
        share = first(Deployed(nn.Identity(), prepared.card).normalize(batch.image)).mean((0, 2, 3))
    network, _ = train(prepared, folder / 'out', group)
    return {'share': share, 'found': network.encoder.level1.norm.running_mean}


def machines(folder, group):
    """Each process has its own disk: interrupted and resumed, and without interruption."""
    settings = plan(group, 'checkpoint_steps=1', 'ema=0.9')
    whole = train(settings, folder / 'whole-{}'.format(group.rank), group)[0]
    parts = folder / 'parts-{}'.format(group.rank)
    try:
        train(settings, parts, group, callback=Stopper(3))
    except Interrupted:
        return {'whole': whole.state_dict(), 'parts': train(settings, parts, group)[0].state_dict(),
                'folder': parts.exists()}


def shares(folder, group):
    """Each process reads a share of the images that are not kept."""
    read = []

    def reader(prepared, indices):
        read.extend(indices)
        return read_all(prepared, indices)

    found = survey(PreparedDataset(camvid_files(folder / str(group.rank), 5), CAMVID, SIZE), 11, reader, group)
    return {'found': tuple(found), 'read': read}


def missing(folder, group):
    """An image in the share of the second process is missing."""
    files = camvid_files(folder / str(group.rank), 5)
    files.pairs[3].labels.unlink()
    survey(PreparedDataset(files, CAMVID, SIZE), 11, read_all, group)


def broken(folder, group):
    """A label image is damaged."""
    files = camvid_files(folder / str(group.rank), 3)
    files.pairs[1].labels.write_bytes(b'nonsense')
    make_plan(training_data.settings('batch=2'), [(files, 1.0)], [], group)


def full(folder, group):
    """The folder of the training cannot be created."""
    (folder / 'file').write_text('')
    train(plan(group), folder / 'file' / 'out', group)


def killed(folder, group):
    """The second process is killed after a step."""
    train(plan(group, 'epochs=1000'), folder / 'out', group, callback=Callback() if group.is_first else Killer(1))


JOBS = (gradients, statistics, machines, shares, missing, broken, full, killed)


def run(job, folder, group):
    """Run a job in a folder of its own and save its result, or the error that it raised, for each rank."""
    folder = pathlib.Path(folder) / job.__name__
    folder.mkdir(parents=True, exist_ok=True)
    try:
        result = job(folder, group)
    except EspnetError as error:
        result = {'error': '{}: {}'.format(type(error).__name__, error)}
    torch.save(result, folder / 'result-{}.pt'.format(group.rank))
    return result


if __name__ == '__main__':
    torch.set_num_threads(1)
    os.environ['ESPNET_ROS_CACHE'] = os.path.join(sys.argv[1], 'cache')
    try:
        with join_process_group('cpu') as of_all:
            for each in JOBS:
                run(each, sys.argv[1], of_all)
    except EspnetError as lost:
        sys.exit('{}: {}'.format(type(lost).__name__, lost))
