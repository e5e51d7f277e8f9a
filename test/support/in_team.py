"""One of the processes of a training, for test_team.py: in_team.py JOB FOLDER."""
import os
import pathlib
import signal
import sys

import torch
import training_data
from small_samples import SIZE, camvid_files
from torch import nn
from torch.nn import functional
from training_data import Interrupted, Stopper

from espnet_ros.errors import EspnetError
from espnet_ros.labels import CAMVID
from espnet_ros.training import trainer
from espnet_ros.training.mixture import read_all
from espnet_ros.training.plan import make_plan
from espnet_ros.training.samples import Prepared
from espnet_ros.training.survey import survey
from espnet_ros.training.team import joined
from espnet_ros.training.trainer import Watch, train


class Killer(Stopper):
    """Ends the process, too."""

    def stop(self):
        os.kill(os.getpid(), signal.SIGKILL)


def plan(team, *changes):
    """A plan whose images have different numbers of labeled pixels."""
    data = training_data.shapes()
    for i, (_, labels) in enumerate(data._pairs):
        labels[:7 * i] = 255
    return make_plan(training_data.settings('encoder_epochs=0', 'epochs=2', *changes), [(data, 1.0)],
                     [training_data.shapes(3, seed=1)], team)


def save(network, path):
    torch.save(network.state_dict(), path)


def gradients(folder, team):
    """Some steps in which the weights change by the rate times the gradient, and images do not see each other."""
    trainer._OPTIMIZERS['adam'] = lambda groups, lr, weight_decay: torch.optim.SGD(groups, lr)
    nn.BatchNorm2d.forward = lambda self, x: functional.batch_norm(
        x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
    network, rows = train(plan(team, 'learning_rate=0.05'), folder / 'out-{}'.format(team.size), team)
    save(network, folder / 'after-{}-of-{}.pt'.format(team.rank, team.size))
    if team.is_first:
        (folder / 'losses-{}'.format(team.size)).write_text(' '.join(str(row['loss']) for row in rows))


def machines(folder, team):
    """Each with a disk of its own: interrupted and resumed, and as a whole."""
    settings = plan(team, 'checkpoint_steps=1', 'average=0.9')
    save(train(settings, folder / 'whole-{}'.format(team.rank), team)[0], folder / 'whole-{}.pt'.format(team.rank))
    parts = folder / 'parts-{}'.format(team.rank)
    try:
        train(settings, parts, team, watch=Stopper(3))
    except Interrupted:
        save(train(settings, parts, team)[0], folder / 'parts-{}.pt'.format(team.rank))


def killed(folder, team):
    """The second is, after a step."""
    watch = Watch() if team.is_first else Killer(1)
    train(plan(team, 'epochs=1000'), folder / 'out', team, watch=watch)


def shares(folder, team):
    """Each reads some of the images, that they do not keep; then one is missing."""
    files = camvid_files(folder / str(team.rank), 5)
    read = []

    def reader(prepared, numbers):
        read.extend(numbers)
        return read_all(prepared, numbers)

    found = survey(Prepared(files, CAMVID, SIZE), 11, reader, team)
    (folder / 'found-{}-of-{}'.format(team.rank, team.size)).write_text('{}'.format(found))
    (folder / 'read-{}-of-{}'.format(team.rank, team.size)).write_text('{}'.format(read))
    if team.size > 1:
        files.pairs[3].labels.unlink()
        survey(Prepared(files, CAMVID, SIZE), 11, reader, team)


def broken(folder, team):
    """A label image holds nonsense."""
    files = camvid_files(folder / str(team.rank), 3)
    files.pairs[1].labels.write_bytes(b'nonsense')
    make_plan(training_data.settings('batch=2'), [(files, 1.0)], [], team)


def full(folder, team):
    """There is no place for what the first one writes."""
    (folder / 'file').write_text('')
    train(plan(team), folder / 'file' / 'out', team)


if __name__ == '__main__':
    torch.set_num_threads(1)
    os.environ['ESPNET_ROS_CACHE'] = os.path.join(sys.argv[2], 'cache')
    try:
        with joined('cpu') as of_all:
            globals()[sys.argv[1]](pathlib.Path(sys.argv[2]), of_all)
    except EspnetError as error:
        sys.exit('{}: {}'.format(type(error).__name__, error))
