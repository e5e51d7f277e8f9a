"""A safe reader of PyTorch's weights files, which executes nothing."""
import collections
import io
import pickle
import typing
import zipfile

import numpy as np
import torch

PICKLE_BYTES = 1 << 20
"""A longer pickle is refused: the largest network's names and shapes take a third of it."""

_ZIP_START = b'PK\x03\x04'
_MAGIC, _PROTOCOL = 0x1950a86a20f9469cfc6c, 1001  # of files from before PyTorch 1.6

# NumPy knows no bfloat16: its bytes are read as integers and seen as what they are afterwards.
_TYPES = {
    'FloatStorage': ('<f4', torch.float32), 'DoubleStorage': ('<f8', torch.float64),
    'HalfStorage': ('<f2', torch.float16), 'BFloat16Storage': ('<i2', torch.bfloat16),
    'LongStorage': ('<i8', torch.int64)}


class _Storage(typing.NamedTuple):
    """A run of `length` values of one type, kept in the file under `key`."""

    kind: str
    key: str
    length: int

    @property
    def itemsize(self):
        return np.dtype(_TYPES[self.kind][0]).itemsize


class _View(typing.NamedTuple):
    """A tensor's place in a storage; offset and stride count values."""

    storage: _Storage
    offset: int
    size: typing.Tuple[int, ...]
    stride: typing.Tuple[int, ...]


def read_tensors(content):
    """Return the tensors of a state dict, in the file's order: an ordered dict from name to CPU tensor.

    content: a file as torch.save writes it, in bytes, either of the zip format or of that before PyTorch 1.6.

    Raises ValueError, or whatever a damaged pickle or zip archive leads to. Nothing in a file runs, and memory stays
    within the file's size and PICKLE_BYTES. torch.load promises neither in all versions that this package supports:
    1.9 reads past the end of a storage and runs TorchScript, and today's unpacks a compressed record of any size.
    """
    views, read_storage = (_open_zip if content.startswith(_ZIP_START) else _open_legacy)(content)
    if not isinstance(views, dict) or not views:
        raise ValueError('it is no state dict, but {}'.format(_kind(views)))
    for name, view in views.items():
        if not isinstance(name, str) or not isinstance(view, _View):
            raise ValueError('it is no state dict: it holds {} under {}'.format(_kind(view), _kind(name)))
        _check_bounds(name, view)
    # Before anything is copied: many tensors may share a storage, and entries of an archive may overlap.
    storages = {view.storage for view in views.values()}
    wanted = max(sum(_count(v.size) * v.storage.itemsize for v in views.values()),
                 sum(s.length * s.itemsize for s in storages))
    if wanted > len(content):
        raise ValueError('its tensors claim {} bytes, the file has {}'.format(wanted, len(content)))
    flat = {s: np.frombuffer(read_storage(s), _TYPES[s.kind][0], s.length) for s in storages}
    return collections.OrderedDict((name, _tensor(view, flat[view.storage])) for name, view in views.items())


def _kind(value):
    return 'nothing' if not value else 'a tensor' if isinstance(value, _View) else 'a ' + type(value).__name__


def _count(size):
    product = 1
    for side in size:
        product *= side
    return product


def _check_bounds(name, view):
    numbers = (view.offset, view.storage.length) + view.size + view.stride
    if any(type(n) is not int or n < 0 for n in numbers) or len(view.size) != len(view.stride) or len(view.size) > 8:
        raise ValueError('the shape of {} makes no sense'.format(name))
    last = view.offset + sum((side - 1) * step for side, step in zip(view.size, view.stride))
    if _count(view.size) > 0 and last >= view.storage.length:
        raise ValueError('{} reaches beyond its storage'.format(name))


def _tensor(view, flat):
    steps = tuple(step * flat.itemsize for step in view.stride)
    values = np.lib.stride_tricks.as_strided(flat[view.offset:], view.size, steps)
    # In native byte order, which is all that PyTorch takes.
    return torch.from_numpy(np.array(values, values.dtype.newbyteorder('='))).view(_TYPES[view.storage.kind][1])


def _open_zip(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    pickles = [name for name in archive.namelist() if name.endswith('/data.pkl')]
    if len(pickles) != 1:
        raise ValueError('it is a zip archive, but not of PyTorch')
    folder = pickles[0][:-len('data.pkl')]

    def read(name, limit):
        info = archive.getinfo(folder + name)
        # PyTorch stores records as they are; packed ones could unpack to any size.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
            raise ValueError('its record {} is compressed, or larger than it can be'.format(name))
        return archive.read(info)

    if folder + 'byteorder' in archive.namelist() and read('byteorder', 16) != b'little':
        raise ValueError('it was written on a big-endian machine')
    views = _Unpickler(io.BytesIO(read('data.pkl', PICKLE_BYTES))).load()
    return views, lambda storage: read('data/' + storage.key, storage.length * storage.itemsize)


def _open_legacy(content):
    stream = io.BytesIO(content[:PICKLE_BYTES])
    if _Unpickler(stream).load() != _MAGIC or _Unpickler(stream).load() != _PROTOCOL:
        raise ValueError('it is no file of PyTorch')
    if not _Unpickler(stream).load()['little_endian']:
        raise ValueError('it was written on a big-endian machine')
    unpickler = _Unpickler(stream)
    views = unpickler.load()
    kept = unpickler.storages
    keys = _Unpickler(stream).load()
    position = stream.tell()
    places = {}
    for key in keys:
        count = int.from_bytes(content[position:position + 8], 'little')
        if count != kept[key].length:
            raise ValueError('storage {} has {} values instead of {}'.format(key, count, kept[key].length))
        places[key] = position + 8
        position += 8 + count * kept[key].itemsize

    def read(storage):
        return content[places[storage.key]:places[storage.key] + storage.length * storage.itemsize]

    return views, read


def _rebuild_tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError('a tensor without a storage')
    return _View(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data, requires_grad, hooks):
    return data


_GLOBALS = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('torch._utils', '_rebuild_tensor'): _rebuild_tensor,
    ('torch._utils', '_rebuild_tensor_v2'): _rebuild_tensor,
    ('torch._utils', '_rebuild_parameter'): _rebuild_parameter}

_OPCODES = (
    'PROTO', 'FRAME', 'STOP', 'MARK', 'GLOBAL', 'STACK_GLOBAL', 'REDUCE', 'BINPERSID',
    'EMPTY_DICT', 'SETITEM', 'SETITEMS', 'EMPTY_LIST', 'APPEND', 'APPENDS', 'EMPTY_TUPLE', 'TUPLE', 'TUPLE1', 'TUPLE2',
    'TUPLE3', 'NONE', 'NEWTRUE', 'NEWFALSE', 'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT', 'BINUNICODE',
    'SHORT_BINUNICODE', 'BINPUT', 'LONG_BINPUT', 'BINGET', 'LONG_BINGET', 'MEMOIZE')


# The unpickler in Python, since the one in C reserves memory for whatever place in its memo a file names.
class _Unpickler(pickle._Unpickler):  # type: ignore[name-defined]
    """Makes dicts, lists, tuples, numbers, strings and views; refuses all else before anything runs."""

    dispatch = {getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]  # type: ignore
                for name in _OPCODES}

    # Objects get no state: a state dict's, its _metadata, holds no weights.
    dispatch[pickle.BUILD[0]] = pickle._Unpickler.dispatch[pickle.POP[0]]  # type: ignore

    def __init__(self, stream):
        super().__init__(stream)
        self.storages = {}

    def find_class(self, module, name):
        if module == 'torch' and name in _TYPES:
            return name
        if (module, name) not in _GLOBALS:
            raise pickle.UnpicklingError('it asks for {}.{}'.format(module, name))
        return _GLOBALS[module, name]

    def persistent_load(self, pid):
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError('a storage that is a part of another')
        kind, key, count = pid[1], pid[2], pid[4]
        if pid[0] != 'storage' or kind not in _TYPES or not isinstance(key, str) or type(count) is not int:
            raise pickle.UnpicklingError('a storage that makes no sense')
        return self.storages.setdefault(key, _Storage(kind, key, count))
