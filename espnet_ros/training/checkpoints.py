"""Where a training stands, in a file from which it goes on exactly."""
import io
import pathlib
import reprlib
import typing

import torch

from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.files import write_file

FILE = 'checkpoint.pt'


class Checkpoint(typing.NamedTuple):
    """A training between two steps; only tensors and plain data.

    identity: what must be the same for going on. stage: its number. epoch: those that are complete. step: those done of
    the next epoch. losses: of these. network, average, optimizer, scaler: state dicts; average is {} without one. best:
    {} or score and state dict of the best network so far. rows: of the log.
    """

    identity: dict
    stage: int
    epoch: int
    step: int
    losses: list
    network: dict
    average: dict
    optimizer: dict
    scaler: dict
    best: dict
    rows: list


def write(checkpoint, folder):
    """Write the checkpoint to the folder; the one before stays whole until it is complete. Raises ModelError."""
    content = io.BytesIO()
    torch.save(checkpoint._asdict(), content)
    write_file(pathlib.Path(folder, FILE), content.getvalue())


def read(folder, identity):
    """Return the Checkpoint in the folder, None when there is none.

    Raises ParameterError when it is one of another training than `identity` says, ModelError when it is damaged.
    """
    path = pathlib.Path(folder, FILE)
    try:
        found = Checkpoint(**torch.load(path, map_location='cpu', weights_only=True))
        for field, kind in Checkpoint.__annotations__.items():
            if not isinstance(getattr(found, field), kind):
                raise TypeError(field)
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged pickle can fail in any way
        raise ModelError("the checkpoint '{}' cannot be read ({}); --restart begins anew".format(
            path, type(error).__name__))
    for key in identity:
        if found.identity.get(key) != identity[key]:
            raise ParameterError("'{}' holds another training, {}; choose another folder with --out, or --restart to "
                                 'begin anew'.format(folder, _difference(key, found.identity.get(key), identity[key])))
    return found


def _difference(key, old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        for field in new:
            if old.get(field) != new[field]:
                return 'with {} {} instead of {}'.format(field, reprlib.repr(old.get(field)), reprlib.repr(new[field]))
    return 'with another {}'.format(key)
