"""The checkpoint file from which an interrupted training is resumed."""
import io
import pathlib
import reprlib
import typing

import torch

from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.files import write_file

FILE = 'checkpoint.pt'


class Checkpoint(typing.NamedTuple):
    """The state of a training between two steps; only tensors and plain data.

    identity: what must be equal to resume. stage: its number. epoch: completed epochs. step: completed steps of the
    next epoch. losses: of these steps. network, ema, optimizer, scaler: state dicts, {} where there is none. best: {}
    or score and state dict of the best network so far. rows: of the log.
    """

    identity: dict
    stage: int
    epoch: int
    step: int
    losses: list
    network: dict
    ema: dict
    optimizer: dict
    scaler: dict
    best: dict
    rows: list


def write(checkpoint, folder):
    """Write the checkpoint to the folder; the previous one stays valid until it is complete. Raises ModelError."""
    content = io.BytesIO()
    torch.save(checkpoint._asdict(), content)
    write_file(pathlib.Path(folder, FILE), content.getvalue())


def read(folder, identity):
    """Return the Checkpoint in the folder, None when there is none.

    Raises ParameterError when its identity differs, ModelError when it is damaged.
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
        raise ModelError("the checkpoint '{}' cannot be read ({}); --restart starts over".format(
            path, type(error).__name__))
    for key in identity:
        if found.identity.get(key) != identity[key]:
            raise ParameterError("'{}' holds another training, {}; choose another folder with --out, or start over "
                                 'with --restart'.format(
                                     folder, _difference(key, found.identity.get(key), identity[key])))
    return found


def _difference(key, old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        for field in new:
            if old.get(field) != new[field]:
                return 'with {} {} instead of {}'.format(field, reprlib.repr(old.get(field)), reprlib.repr(new[field]))
    return 'with another {}'.format(key)
