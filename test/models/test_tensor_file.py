"""Weights files as data: what is right comes out exactly; what is damaged or hostile comes to nothing."""
import collections
import io
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile

import pytest
import torch
from small_models import network

from espnet_ros.models.checkpoint import MAX_BYTES
from espnet_ros.models.tensor_file import PICKLE_BYTES, read_tensors
from espnet_ros.network import NetworkConfig, build

FORMATS = {'zip': True, 'legacy': False}


def saved(value, zipped=True, **options):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=zipped, **options)
    return stream.getvalue()


def with_record(content, ending, change, compression=zipfile.ZIP_STORED):
    """The zip file `content` with `change` applied to the records whose name ends so."""
    source, stream = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(stream, 'w', compression) as target:
        for name in source.namelist():
            record = source.read(name)
            target.writestr(name, change(record) if name.endswith(ending) else record)
    return stream.getvalue()


def with_pickle(data):
    """A zip file of PyTorch whose pickle is `data`."""
    return with_record(saved({'a': torch.ones(4, 4)}), 'data.pkl', lambda record: data)


def legacy(data, keys=(), storages=b''):
    """A file in the format before PyTorch 1.6 whose pickle is `data`."""
    head = (pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2)
            + pickle.dumps({'protocol_version': 1001, 'little_endian': True, 'type_sizes': {}}, 2))
    return head + data + pickle.dumps(list(keys), 2) + storages


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
def test_tensors_come_out_as_they_went_in(zipped):
    base = torch.arange(24, dtype=torch.float32)
    state = collections.OrderedDict([
        ('float', torch.randn(3, 4, 5)), ('double', torch.randn(2).double()), ('half', torch.randn(7).half()),
        ('bfloat', torch.randn(5).bfloat16()), ('count', torch.tensor(12345678901)), ('scalar', torch.tensor(2.5)),
        ('turned', base.view(4, 6).t()), ('part', base[3:7]), ('every second', base[1::2]),
        ('channels last', torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)),
        ('parameter', torch.nn.Parameter(torch.randn(2, 2)))])
    result = read_tensors(saved(state, zipped))
    assert list(result) == list(state)
    for name, value in state.items():
        assert result[name].dtype == value.dtype and torch.equal(result[name], value.detach()), name
        assert not result[name].requires_grad
    result['part'].fill_(0)  # each tensor has memory of its own
    assert result['turned'].sum() == base.sum()


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize('protocol', [2, 3, 4])
def test_a_networks_state_dict(zipped, protocol):
    state = network().state_dict()
    result = read_tensors(saved(state, zipped, pickle_protocol=protocol))
    assert all(torch.equal(result[k], v) for k, v in state.items()) and len(result) == len(state)


def test_equals_pytorch_on_the_authors_files(shared):
    files = sorted((shared / 'weights').glob('*/*.pth'))
    assert len(files) == 7
    for path in files:
        ours, theirs = read_tensors(path.read_bytes()), torch.load(str(path), map_location='cpu')
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[k], v) and ours[k].dtype == v.dtype for k, v in theirs.items())


def test_the_largest_network_fits_the_limits():
    largest = build(NetworkConfig(classes=255, alpha2=64, alpha3=64, width_divider=2, reduce_kernel=3))
    assert 4 * sum(p.numel() for p in largest.parameters()) < 0.9 * MAX_BYTES
    with torch.no_grad():
        deepest = build(NetworkConfig(classes=255, alpha2=64, alpha3=64, width_divider=8)).state_dict()
    content = saved(collections.OrderedDict((k, v[:0].clone()) if v.dim() else (k, v) for k, v in deepest.items()))
    assert zipfile.ZipFile(io.BytesIO(content)).getinfo('archive/data.pkl').file_size < PICKLE_BYTES / 2


class Runs:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def mark(tmp_path):
    """A shell command that leaves a trace."""
    return 'touch {}'.format(tmp_path / 'ran')


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize('nest', [
    lambda x: x, lambda x: {'a': x}, lambda x: {'a': torch.ones(2), 'b': [x]}, lambda x: collections.OrderedDict(a=x),
    lambda x: {x: 1}, lambda x: (x, x)])
def test_nothing_in_a_file_runs(tmp_path, zipped, nest):
    for call in (Runs(os.system, mark(tmp_path)), Runs(eval, '__import__("os").system({!r})'.format(mark(tmp_path))),
                 Runs(subprocess.Popen, ['touch', str(tmp_path / 'ran')])):
        try:
            content = saved(nest(call), zipped)
        except TypeError:  # not hashable
            continue
        with pytest.raises(pickle.UnpicklingError, match='it asks for '):
            read_tensors(content)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('wrap', [with_pickle, legacy], ids=['zip', 'legacy'])
@pytest.mark.parametrize('opcodes', [
    b'cos\nsystem\n(X\x08\x00\x00\x00touch %stR.', b"(S'touch %s'\nios\nsystem\n.", b"(cos\nsystem\nS'touch %s'\no.",
    b'\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.', b'\x80\x02cbuiltins\nexec\nX\x01\x00\x00\x001\x85R.',
    b'\x80\x02ctorch\nload\nX\x01\x00\x00\x00x\x85R.', b'\x80\x02ctorch.storage\n_load_from_bytes\nC\x01x\x85R.',
    b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n.', b'\x80\x02c__main__\nx\n.', b'\x80\x02\x82\x01.',
    b'\x80\x02ctorch\nFloatStorage.__class__\n.', b'\x80\x04\x8c\x05torch\x8c\x07Storage\x93.',
    b'\x80\x02ccollections\nOrderedDict.fromkeys\n.', b'\x80\x02ccollections\nnamedtuple\n.',
    b'\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.',
    b'\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n.', b'\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.',
    b'\x80\x02ccollections\nOrderedDict\n)\x81}b.'])
def test_opcodes_that_call_or_reach_for_anything_else_are_refused(wrap, opcodes):
    with pytest.raises((pickle.UnpicklingError, KeyError, EOFError, ValueError, IndexError)):
        read_tensors(wrap(opcodes))


def test_state_of_objects_is_ignored():
    # BUILD with a hostile __dict__: an ordered dict may carry _metadata, nothing uses it.
    data = (b'\x80\x02ccollections\nOrderedDict\n)R}X\x0c\x00\x00\x00__setstate__ccollections\nOrderedDict\nsb}b.')
    with pytest.raises(ValueError, match='no state dict, but nothing'):
        read_tensors(with_pickle(data))


# The pickle of a state dict of one tensor, with holes for its storage's type and count, its offset, size and stride.
TENSOR = (b'\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n%s\n'
          b'X\x01\x00\x00\x000X\x03\x00\x00\x00cpu%stQ%s%s%s\x89}tRs.')


def number(value):
    return b'\x8a\x08' + struct.pack('<q', value)


def tensor(kind=b'FloatStorage', count=16, offset=0, size=(4, 4), stride=(4, 1)):
    def sequence(values):
        return b'(' + b''.join(map(number, values)) + b't'
    return TENSOR % (kind, number(count), number(offset), sequence(size), sequence(stride))


@pytest.mark.parametrize('wrap', [
    with_pickle, lambda data: legacy(data, ['0'], struct.pack('<q', 16) + struct.pack('<16f', *[1.0] * 16))],
    ids=['zip', 'legacy'])
@pytest.mark.parametrize('settings', [
    {'size': (4, 4096), 'stride': (4096, 1)}, {'offset': 1}, {'offset': 2 ** 60}, {'stride': (4, 2)},
    {'size': (17,), 'stride': (1,)},
    {'size': (2 ** 40,), 'stride': (0,)}, {'size': (2 ** 62, 4), 'stride': (0, 0)}, {'size': (-1, 4)}, {'offset': -1},
    {'stride': (-4, 1), 'offset': 12}, {'size': (4,)}, {'size': (1,) * 9, 'stride': (1,) * 9}, {'count': -16},
    {'count': 16384}, {'count': 2 ** 40}, {'count': 2 ** 40, 'size': (2 ** 40,), 'stride': (1,)}, {'kind': b'Tensor'},
    {'count': 15, 'size': (15,), 'stride': (1,)}, {'kind': b'DoubleStorage'}, {'kind': b'QInt8Storage'},
    {'kind': b'ComplexFloatStorage'}])
def test_tensors_beyond_their_storage_are_refused(wrap, settings):
    assert torch.equal(read_tensors(wrap(tensor()))['a'], torch.ones(4, 4))
    with pytest.raises((ValueError, pickle.UnpicklingError, zipfile.BadZipFile)):
        read_tensors(wrap(tensor(**settings)))


def test_many_tensors_of_one_storage_are_refused():
    base = torch.ones(10, 100)
    assert len(read_tensors(saved({'a': base}))) == 1
    with pytest.raises(ValueError, match='its tensors claim 80000 bytes, the file has '):
        read_tensors(saved({str(i): base.view(1000) for i in range(20)}))


@pytest.mark.parametrize('value, words', [
    ([torch.ones(2)], 'no state dict, but a list'), ({}, 'no state dict, but nothing'),
    (torch.ones(2), 'no state dict, but a tensor'), ({'epoch': 3, 'state_dict': {}}, 'it holds a int under a str'),
    ({3: torch.ones(2)}, 'it holds a tensor under a int'), ({'a': [1.0]}, 'a list under a str'),
    ({'a': None}, 'nothing under a str')])
@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
def test_what_is_no_state_dict(value, words, zipped):
    with pytest.raises(ValueError, match=words):
        read_tensors(saved(value, zipped))


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
@pytest.mark.filterwarnings('ignore:torch.quantize')
def test_whole_models_and_other_tensors_are_refused(zipped):
    for value in (torch.nn.ReLU(), {'a': torch.ones(2).to_sparse()}, {'a': torch.ones(2, dtype=torch.complex64)},
                  {'a': torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)}):
        with pytest.raises(pickle.UnpicklingError, match='it asks for '):
            read_tensors(saved(value, zipped))


@pytest.mark.filterwarnings('ignore:.torch.jit')
def test_torchscript_archives_are_refused():
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), stream)
    with pytest.raises(pickle.UnpicklingError, match='it asks for __torch__'):
        read_tensors(stream.getvalue())


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
def test_files_cut_off_anywhere_are_refused(zipped):
    content = saved(collections.OrderedDict(
        (k, v) for k, v in network().state_dict().items() if k.startswith('encoder.level1')), zipped)
    lengths = set(range(400)) | set(range(len(content) - 300, len(content))) | set(range(0, len(content), 37))
    for length in sorted(lengths):
        with pytest.raises(Exception):  # noqa: B017 - of whatever kind; checkpoint.read_weights makes one of them
            read_tensors(content[:length])


@pytest.mark.parametrize('zipped', FORMATS.values(), ids=FORMATS)
def test_files_with_wrong_bytes_give_tensors_or_an_exception(zipped):
    content, dice = saved({'a': torch.ones(4, 4), 'b': torch.zeros(3)}, zipped), random.Random(1)
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(dice.choice((1, 1, 2, 8))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            result = read_tensors(bytes(damaged))
        except Exception:
            continue
        assert all(isinstance(k, str) and v.numel() * v.element_size() <= len(content) for k, v in result.items())


@pytest.mark.parametrize('content', [b'', b'\0' * 1000, b'PK\x03\x04', b'PK\x03\x04' + b'\xff' * 500, b'hello\n' * 99,
                                     bytes(range(256)) * 4, b'\x89PNG\r\n\x1a\n' + b'\0' * 99, b'.', b'N.'])
def test_other_files_are_refused(content):
    with pytest.raises(Exception):  # noqa: B017
        read_tensors(content)


def test_other_zip_archives_are_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('a/readme.txt', 'x')
    with pytest.raises(ValueError, match='not of PyTorch'):
        read_tensors(stream.getvalue())
    content = saved({'a': torch.ones(2)})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if 'archive/byteorder' in archive.namelist():  # since PyTorch 2.0
            with pytest.raises(ValueError, match='big-endian'):
                read_tensors(with_record(content, 'byteorder', lambda record: b'big'))
    with pytest.raises(zipfile.BadZipFile):  # the archive's own check sum
        read_tensors(content.replace(torch.ones(2).numpy().tobytes(), torch.zeros(2).numpy().tobytes()))


HOSTILE_SIZES = {
    'compressed record': lambda: with_record(saved({'a': torch.ones(4, 4)}), 'data/0', lambda r: b'\0' * (1 << 28),
                                             zipfile.ZIP_DEFLATED),
    'compressed pickle': lambda: with_record(saved({'a': torch.ones(4, 4)}), 'data.pkl', lambda r: b'}' * (1 << 28),
                                             zipfile.ZIP_DEFLATED),
    'memo': lambda: with_pickle(b'\x80\x02}r\xff\xff\xff\x0f.'),
    'long string': lambda: with_pickle(b'\x80\x02X\xff\xff\xff\x7fa.'),
    'byte array': lambda: with_pickle(b'\x80\x05\x96\xff\xff\xff\xff\x01\x00\x00\x00.'),
    'frame': lambda: with_pickle(b'\x80\x04\x95\xff\xff\xff\xff\xff\x00\x00\x00.'),
    'storage': lambda: legacy(tensor(count=1 << 33), ['0'], struct.pack('<q', 1 << 33)),
    'expanded': lambda: with_pickle(tensor(size=(1 << 33,), stride=(0,))),
    'pickle of a million dicts': lambda: with_pickle(b'\x80\x02' + b'}' * (1 << 22)),
}


@pytest.mark.slow
def test_no_file_takes_more_memory_than_it_has_bytes(tmp_path):
    for name, make in HOSTILE_SIZES.items():
        (tmp_path / name).write_bytes(make())
    # In a process of its own, which says how much more memory it took than before it read.
    program = (
        'import resource, sys\n'
        'from espnet_ros.models.tensor_file import read_tensors\n'
        'contents = [open(path, "rb").read() for path in sys.argv[1:]]\n'
        'before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n'
        'for content in contents:\n'
        '    try: read_tensors(content)\n'
        '    except Exception as error: print(type(error).__name__)\n'
        '    else: print("was read")\n'
        'print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n')
    result = subprocess.run([sys.executable, '-c', program, *(str(tmp_path / name) for name in HOSTILE_SIZES)],
                            stdout=subprocess.PIPE, universal_newlines=True, check=True, timeout=60)
    *outcomes, kilobytes = result.stdout.split('\n')[:-1]
    assert len(outcomes) == len(HOSTILE_SIZES) and 'was read' not in outcomes
    assert int(kilobytes) < 64 * 1024
