"""Adding and removing models of the user's own."""
import hashlib
import os

from espnet_ros.errors import ModelError
from espnet_ros.files import read_bytes, write_file
from espnet_ros.models.card import card_from_dict, card_to_dict, write_card
from espnet_ros.models.catalog import ADDED, Model, added_directory, available, find
from espnet_ros.models.onnx_file import FAMILY, MAX_BYTES, read_joined

_WEIGHTS, _ONNX, _INT8 = '.pth', '.onnx', '.int8'


def add(path, replace=False, name=''):
    """Copy a model card (.yaml) and its weights to `added_directory`, and return the Model there.

    From then on the model is known by the name in its card, or by `name`, which the copy then has. An ONNX file and the
    weights that it keeps in files beside it become one file. replace: whether it may take the place of another one that
    was added with this name. Raises ModelError.
    """
    model = find(path)
    card, content = model.card, None
    if card.architecture.family == FAMILY:
        content = read_joined(model.weights_path)
        card = card._replace(sha256=hashlib.sha256(content).hexdigest())
    if name:
        card = card_from_dict(dict(card_to_dict(card), name=name), "'{}'".format(name))._replace(int8=card.int8)
    known = {e.card.name: e for e in available()}.get(card.name)
    if known is not None and known.state != ADDED:
        raise ModelError("a model that comes with this package is called '{}'; add it by another name (--name)".format(
            card.name))
    if known is not None and known.card.sha256 != card.sha256 and not replace:
        raise ModelError("another model called '{}' was added already; remove or replace it".format(card.name))
    folder = added_directory()
    try:
        os.makedirs(folder, exist_ok=True)
        content = content or read_bytes(model.weights_path, MAX_BYTES)
        int8 = card.int8 and read_bytes(os.path.join(card.int8.folder, card.int8.file), MAX_BYTES)
    except OSError as error:
        raise ModelError("cannot add the model '{}' to '{}': {}".format(card.name, folder, error.strerror or error))
    card = card._replace(weights=card.name + (_ONNX if card.architecture.family == FAMILY else _WEIGHTS))
    card_path, weights_path = (os.path.join(folder, each) for each in (card.name + '.yaml', card.weights))
    if card.int8:
        card = card._replace(int8=card.int8._replace(file=card.name + _INT8, folder=folder))
        write_file(os.path.join(folder, card.name + _INT8), int8)
    write_file(weights_path, content)
    write_card(card, card_path)
    return Model(card, weights_path)


def remove(name):
    """Delete a model that was added. Raises ModelError when there is none of that name."""
    paths = _paths(name)
    if os.path.basename(name) != name or not any(map(os.path.isfile, paths)):
        raise ModelError("no model called '{}' was added by this user; `espnet-ros models list` says which were".format(
            name))
    try:
        for path in paths:
            if os.path.isfile(path):
                os.unlink(path)
    except OSError as error:
        raise ModelError("cannot remove the model '{}': {}".format(name, error.strerror or error))


def _paths(name):
    """Where the card, the weights and the int8 companion of an added model may be."""
    return tuple(os.path.join(added_directory(), name + suffix) for suffix in ('.yaml', _WEIGHTS, _ONNX, _INT8))
