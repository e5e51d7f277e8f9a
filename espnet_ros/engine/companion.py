"""The int8 companion of a model: OpenVINO's graph with int8 weights and the ranges of its layers, in one file."""
import hashlib
import io
import os
import zipfile

from espnet_ros.errors import EngineError
from espnet_ros.files import read_bytes

MAX_BYTES = 256 * 1024 * 1024
"""Larger files are refused, packed and unpacked: a quarter of the largest ONNX file. The default model's has 0.5 MB."""

_GRAPH, _WEIGHTS = 'model.xml', 'model.bin'


def pack(graph, weights):
    """Return the bytes of a companion: the same for the same graph (OpenVINO's XML) and weights, both bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as archive:
        for name, data in ((_GRAPH, graph), (_WEIGHTS, weights)):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return content.getvalue()


def read_companion(card):
    """Return (graph, weights), bytes, of the companion that a ModelCard names. Raises EngineError."""
    companion = card.int8
    if companion is None:
        raise EngineError('{0} has no int8 companion; make one on a PC: espnet-ros quantize --model {0} --data ...'
                          .format(card.name))
    path = os.path.join(companion.folder, companion.file)
    try:
        content = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise EngineError("the int8 companion '{}' of {} cannot be read: {}".format(
            path, card.name, error.strerror or error))
    actual = hashlib.sha256(content).hexdigest()
    if actual != companion.sha256:
        raise EngineError("the int8 companion '{}' is damaged or another model's: its SHA-256 is {}, the card of {} "
                          'says {}'.format(path, actual, card.name, companion.sha256))
    return unpack(content)


def unpack(content):
    """Return (graph, weights) of a companion's bytes. Raises EngineError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [archive.getinfo(name) for name in (_GRAPH, _WEIGHTS)]
            if sum(info.file_size for info in infos) > MAX_BYTES:
                raise ValueError('it unpacks to more than {} MB'.format(MAX_BYTES >> 20))
            return tuple(archive.read(info) for info in infos)
    except Exception as error:  # zipfile raises errors of many kinds for damaged archives
        raise EngineError('an int8 companion cannot be unpacked: {}'.format(error))
