"""The processes of a distributed training and the device of each."""
import contextlib
import datetime
import os
import typing

import torch
from torch import distributed

from espnet_ros.errors import EngineError, EspnetError

_TIMEOUT = datetime.timedelta(hours=1)
"""Of each collective operation: disks differ in speed, and only rank 0 writes files."""


class ProcessGroup(typing.NamedTuple):
    """This process's `rank` among `size` processes, its torch.device, and how many of them run on this machine."""

    rank: int
    size: int
    device: torch.device
    local_size: int = 1

    @property
    def is_first(self):
        """Whether this is rank 0, the process that writes files."""
        return self.rank == 0

    @property
    def can_sync_batch_norm(self):
        """Whether PyTorch can compute batch statistics over all processes, which it does on GPUs only."""
        return self.device.type == 'cuda'

    def all_reduce(self, tensor):
        """Replace the tensor by its sum over all processes, in place, and return it."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def broadcast(self, tensors):
        """Replace tensors by those of rank 0, in place."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def all_gather(self, value):
        """Return the values (plain data) of all processes, ordered by rank."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def on_all(self, action):
        """Return action(), called in every process; an EspnetError of any process is raised in all.

        Otherwise the remaining processes would wait for the one that failed.
        """
        if self.size == 1:
            return action()
        value = error = None
        try:
            value = action()
        except EspnetError as caught:
            error = caught
        if self.all_reduce(torch.tensor(float(error is not None), device=self.device)) > 0:
            raise next(found for found in [error, *self.all_gather(error)] if found is not None)
        return value

    def on_first(self, action):
        """Call action() in rank 0 only; return its result (plain data or CPU tensors) in every process.

        An EspnetError is raised in all processes.
        """
        found = [self.on_all(action if self.is_first else lambda: None)]
        if self.size > 1:
            distributed.broadcast_object_list(found, 0, device=self.device)
        return found[0]


@contextlib.contextmanager
def join_process_group(device='auto'):
    """Yield the ProcessGroup that torchrun describes in the environment; without torchrun, this process alone.

    device: auto, cpu, cuda or cuda:N; under torchrun, each process of a machine uses its own GPU. Raises EngineError.
    """
    count = _number('WORLD_SIZE', 1)
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cuda' and count > 1:
        device = 'cuda:{}'.format(_number('LOCAL_RANK', 0))
    try:
        found = torch.device(device)
        if found.type not in ('cpu', 'cuda'):
            raise RuntimeError('only cpu and cuda are supported')
        torch.zeros(1, device=found)
        if found.type == 'cuda':
            torch.cuda.set_device(found)
    except (RuntimeError, AssertionError) as error:  # the latter from PyTorch builds without CUDA
        raise EngineError("cannot train on device '{}': {}".format(device, str(error).splitlines()[0]))
    if count == 1:
        yield ProcessGroup(0, 1, found)
        return
    try:
        distributed.init_process_group('nccl' if found.type == 'cuda' else 'gloo', timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise EngineError('cannot connect to the other processes of this training: {}; start it with torchrun'.format(
            str(error).splitlines()[0]))
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), found, _number('LOCAL_WORLD_SIZE', 1))
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and 'gloo' not in str(error):
            raise
        raise EngineError('another process of this training has ended or is unreachable: {}'.format(
            str(error).splitlines()[0]))
    finally:
        distributed.destroy_process_group()


def _number(variable, default):
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise EngineError("the environment variable {} is '{}', not a number; start the training with torchrun".format(
            variable, text))
    return int(text)
