"""Checkpoints are read back exactly; damaged, hostile and foreign ones are refused."""
import collections
import io
import os
import pickle
import zipfile

import pytest
import torch
from small_models import network

from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.training import checkpoints
from espnet_ros.training.checkpoints import FILE, Checkpoint

IDENTITY = {
    'settings': {'epochs': 30, 'scale': [0.5, 1.5], 'learning_rate': 5e-4}, 'data': [['camvid train', 367, 1.0]],
    'label set': {'name': 'shapes', 'classes': [{'id': i} for i in range(50)]}, 'beginning': [], 'name': 'mine'}


def checkpoint(**changes):
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.rand(1, 3, 64, 64)).sum().backward()
    optimizer.step()
    return Checkpoint(
        IDENTITY, 2, 7, 3, [0.5, 0.25, 1e-30], model.state_dict(), {}, optimizer.state_dict(), {},
        {'score': 55.5, 'network': model.state_dict()}, [{'stage': 1, 'epoch': 1, 'loss': 0.5}])._replace(**changes)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_it_reads_back(tmp_path):
    written = checkpoint()
    checkpoints.write(written, tmp_path)
    assert os.listdir(tmp_path) == [FILE]
    found = checkpoints.read(tmp_path, IDENTITY)
    assert same(found, written) and isinstance(found.network, collections.OrderedDict)
    other = written._replace(epoch=8, best={}, ema=network(seed=4).state_dict())
    checkpoints.write(other, tmp_path)
    assert same(checkpoints.read(tmp_path, IDENTITY), other)


def test_nothing_there(tmp_path):
    assert checkpoints.read(tmp_path, IDENTITY) is None
    assert checkpoints.read(tmp_path / 'none', IDENTITY) is None


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(ModelError, match="cannot write '.*none/checkpoint.pt': No such file"):
        checkpoints.write(checkpoint(), tmp_path / 'none')


def test_an_interrupted_writing_leaves_the_one_before(tmp_path, monkeypatch):
    written = checkpoint()
    checkpoints.write(written, tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(os, 'replace', interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.write(written._replace(epoch=8), tmp_path)
    assert os.listdir(tmp_path) == [FILE] and same(checkpoints.read(tmp_path, IDENTITY), written)


def saved(value):
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def cut_off():
    return saved(checkpoint()._asdict())[:-500]


def one_byte_wrong():
    """Damages the pickle in the archive; its checksum is adjusted."""
    content, result = io.BytesIO(saved(checkpoint()._asdict())), io.BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(result, 'w') as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, b'\xff' + data[1:] if name.endswith('data.pkl') else data)
    return result.getvalue()


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (self._path,)


@pytest.mark.parametrize('content', [
    b'', b'nothing', cut_off(), one_byte_wrong(), saved({}), saved([1, 2]), saved(None),
    saved({**checkpoint()._asdict(), 'more': 1}), saved({**checkpoint()._asdict(), 'identity': [1]}),
    saved({**checkpoint()._asdict(), 'epoch': 'seven'}), saved({**checkpoint()._asdict(), 'rows': None}),
    saved({k: v for k, v in checkpoint()._asdict().items() if k != 'step'})])
def test_a_damaged_one_is_named(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ModelError, match="^the checkpoint '.*checkpoint.pt' cannot be read .*; --restart starts over$"):
        checkpoints.read(tmp_path, IDENTITY)


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(ModelError, match=r'cannot be read \(IsADirectoryError\)'):
        checkpoints.read(tmp_path, IDENTITY)


def pickled(value):
    return pickle.dumps(value, 2)


@pytest.mark.parametrize('save', [saved, pickled])
def test_code_in_it_does_not_run(tmp_path, save):
    trap = tmp_path / 'trap'
    (tmp_path / FILE).write_bytes(save({**checkpoint()._asdict(), 'rows': Code(str(trap))}))
    with pytest.raises(ModelError, match=r'cannot be read \(UnpicklingError\)'):
        checkpoints.read(tmp_path, IDENTITY)
    assert not trap.exists()


@pytest.mark.parametrize('change, difference', [
    ({'settings': {**IDENTITY['settings'], 'epochs': 40}}, 'with epochs 30 instead of 40'),
    ({'settings': {**IDENTITY['settings'], 'scale': [0.5, 2.0]}},
     r'with scale \[0.5, 1.5\] instead of \[0.5, 2.0\]'),
    ({'settings': {**IDENTITY['settings'], 'new': 1}}, 'with new None instead of 1'),
    ({'label set': {**IDENTITY['label set'], 'name': 'x'}}, "with name 'shapes' instead of 'x'"),
    ({'label set': {**IDENTITY['label set'], 'classes': [{'id': 1}]}}, r"with classes \[{'id': 0}, .*\.\.\.\] inst"),
    ({'data': []}, 'with another data'), ({'beginning': ['aa', 'all']}, 'with another beginning'),
    ({'name': 'yours'}, 'with another name'), ({'normalization': [1.0]}, 'with another normalization')])
def test_one_of_another_training_is_named(tmp_path, change, difference):
    checkpoints.write(checkpoint(), tmp_path)
    with pytest.raises(ParameterError, match="^'{}' holds another training, {}.*; choose another folder with --out, or "
                                             'start over with --restart$'.format(tmp_path, difference)) as caught:
        checkpoints.read(tmp_path, {**IDENTITY, **change})
    assert len(str(caught.value)) < 500
