"""The processes that train together, and the device of each."""
import contextlib
import datetime
import os
import typing

import torch
from torch import distributed

from espnet_ros.errors import EngineError, EspnetError

_PATIENCE = datetime.timedelta(hours=1)
"""How long a process waits for the others: some have slower disks, and the first one draws and writes alone."""


class Team(typing.NamedTuple):
    """This process among those of one training: number `rank` of `size`, with its torch.device.

    neighbors: how many of them are on this machine.
    """

    rank: int
    size: int
    device: torch.device
    neighbors: int = 1

    @property
    def is_first(self):
        """Whether this is the process that writes."""
        return self.rank == 0

    def total(self, tensor):
        """Return the sum of the tensors of all processes; it takes the place of `tensor`."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def share(self, tensors):
        """Give all processes the first one's tensors; they are changed in place."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def gather(self, value):
        """Return the values of all processes, plain data, in their order."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def together(self, action):
        """Call action() in every process and return what it gives; the EspnetError of any is raised in all.

        Otherwise the others would wait for one that has gone.
        """
        if self.size == 1:
            return action()
        value = error = None
        try:
            value = action()
        except EspnetError as caught:
            error = caught
        if self.total(torch.tensor(float(error is not None), device=self.device)) > 0:
            raise next(found for found in [error, *self.gather(error)] if found is not None)
        return value

    def first(self, action):
        """Return in every process what action() gives in the first, plain data or tensors on the CPU.

        The others do not call it. An EspnetError of it is raised in all.
        """
        found = [self.together(action if self.is_first else lambda: None)]
        if self.size > 1:
            distributed.broadcast_object_list(found, 0, device=self.device)
        return found[0]


@contextlib.contextmanager
def joined(device='auto'):
    """Yield the Team of this process: what torchrun says in the environment, else this process alone.

    device: auto, cpu, cuda or cuda:N; with torchrun, every process of a machine takes a GPU of its own. Raises
    EngineError.
    """
    count = _number('WORLD_SIZE', 1)
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cuda' and count > 1:
        device = 'cuda:{}'.format(_number('LOCAL_RANK', 0))
    try:
        found = torch.device(device)
        if found.type not in ('cpu', 'cuda'):
            raise RuntimeError('it is neither cpu nor cuda')
        torch.zeros(1, device=found)
        if found.type == 'cuda':
            torch.cuda.set_device(found)
    except (RuntimeError, AssertionError) as error:  # the latter from a PyTorch without CUDA
        raise EngineError("cannot train on device '{}': {}".format(device, str(error).splitlines()[0]))
    if count == 1:
        yield Team(0, 1, found)
        return
    try:
        distributed.init_process_group('nccl' if found.type == 'cuda' else 'gloo', timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise EngineError('cannot find the other processes of this training: {}; start it with torchrun'.format(
            str(error).splitlines()[0]))
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size(), found, _number('LOCAL_WORLD_SIZE', 1))
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and 'gloo' not in str(error):
            raise
        raise EngineError('another process of this training has ended, or is out of reach: {}'.format(
            str(error).splitlines()[0]))
    finally:
        distributed.destroy_process_group()


def _number(variable, default):
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise EngineError("the environment variable {} is '{}', not a number; start the training with torchrun".format(
            variable, text))
    return int(text)
