"""Weights files into networks: the right ones fit, each wrong one gets one sentence."""
import collections
import hashlib
import os
import random
import stat

import pytest
import torch
from authors_models import AUTHORS
from small_models import CONFIG, network

from espnet_ros.errors import ModelError
from espnet_ros.models.checkpoint import (
    MAX_BYTES,
    fill,
    load_network,
    read_weights,
    rename_authors_keys,
    sha256_of,
    write_weights,
)
from espnet_ros.network import build


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / 'small.pth'
    write_weights(network(), path)
    return path


def refuse(path, words, config=CONFIG):
    with pytest.raises(ModelError) as caught:
        load_network(config, path)
    text = str(caught.value)
    assert words in text and str(path) in text and '\n' not in text and len(text) < 600, text


def test_write_and_load_give_the_same_network(weights):
    original, loaded = network(), load_network(CONFIG, weights)
    assert not loaded.training and loaded.config == CONFIG
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in original.state_dict().items())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(x), original(x))


@pytest.mark.parametrize('name', AUTHORS)
def test_the_authors_files_fill_their_network_and_no_other(shared, name):
    path = shared / 'weights' / name
    loaded = load_network(AUTHORS[name], path)
    state = torch.load(str(path), map_location='cpu')
    renamed = rename_authors_keys(state)
    assert len(renamed) == len(state)  # no two names became one
    for key, value in renamed.items():
        assert torch.equal(loaded.state_dict()[key], value), key
    for other in set(AUTHORS.values()) - {AUTHORS[name]}:
        refuse(path, 'use the model card that belongs to them', other)


def test_what_does_not_fit_is_named(weights, tmp_path):
    refuse(weights, '1 of another shape (merge1.conv.weight is [4, 20, 3, 3] instead of [4, 23, 3, 3])',
           CONFIG._replace(fuse_input=True))
    refuse(weights, 'do not fit espnet with 5 classes and alpha3 = 1: ', CONFIG._replace(classes=5))
    refuse(weights, 'missing (encoder.level3.1.reduce.weight, ...)', CONFIG._replace(alpha3=2))
    state = network().state_dict()
    state['more'] = torch.zeros(1)
    torch.save(state, str(tmp_path / 'more.pth'))
    refuse(tmp_path / 'more.pth', '1 unknown (more)')


def test_wrong_configuration_comes_first(weights):
    with pytest.raises(ModelError, match='architecture: classes is 0'):
        load_network(CONFIG._replace(classes=0), weights)


def saved(tmp_path, change):
    state = network().state_dict()
    change(state)
    path = tmp_path / 'changed.pth'
    torch.save(state, str(path))
    return path


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    refuse(saved(tmp_path, lambda state: state['up1.weight'].view(-1).__setitem__(7, value)),
           'hold NaN or infinity in up1.weight')


def test_doubles_that_float32_cannot_hold_are_refused(tmp_path):
    path = saved(tmp_path, lambda s: s.__setitem__('up1.weight', s['up1.weight'].double().fill_(1e300)))
    refuse(path, 'hold NaN or infinity in up1.weight')


def test_whole_numbers_are_no_weights(tmp_path):
    path = saved(tmp_path, lambda s: s.__setitem__('up1.weight', s['up1.weight'].long()))
    refuse(path, '1 of whole numbers (up1.weight)')


def test_other_precisions_become_float32(tmp_path):
    def change(state):
        state['up1.weight'] = state['up1.weight'].double()
        state['up2.weight'] = state['up2.weight'].half()
    loaded, original = load_network(CONFIG, saved(tmp_path, change)), network()
    assert torch.equal(loaded.up1.weight, original.up1.weight)
    assert torch.equal(loaded.up2.weight, original.up2.weight.half().float())


@pytest.mark.parametrize('value', [[1.0], 'text', None, 3, {}])
def test_what_is_not_a_tensor_is_refused(tmp_path, value):
    refuse(saved(tmp_path, lambda state: state.__setitem__('up1.weight', value)), 'is no state dict')


def test_a_hostile_file_is_refused_and_does_not_run(tmp_path):
    class Runs:
        def __reduce__(self):
            return os.system, ('touch {}'.format(tmp_path / 'ran'),)
    for zipped in (True, False):
        path = tmp_path / 'hostile.pth'
        torch.save({'up1.weight': Runs()}, str(path), _use_new_zipfile_serialization=zipped)
        refuse(path, 'it asks for posix.system')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.slow
def test_files_cut_off_or_damaged_are_only_ever_model_errors(weights, tmp_path):
    content, dice = weights.read_bytes(), random.Random(2)
    path = tmp_path / 'damaged.pth'
    for length in [0, 1, 2, 4, 30, len(content) - 1] + [dice.randrange(len(content)) for _ in range(60)]:
        path.write_bytes(content[:length])
        refuse(path, 'empty file' if length == 0 else 'cut off or damaged')
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(4):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            load_network(CONFIG, path)
        except ModelError as error:
            assert '\n' not in str(error)


@pytest.mark.parametrize('content', [b'hello', b'\0' * 5000, b'PK\x03\x04', b'name: x\n', b'\x80\x02}q\x00.'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / 'other.pth').write_bytes(content)
    refuse(tmp_path / 'other.pth', 'are not a PyTorch state dict')


def test_files_that_cannot_be_read(tmp_path):
    refuse(tmp_path / 'none.pth', 'No such file or directory')
    refuse(tmp_path, 'are not a file')
    refuse('/dev/zero', 'are not a file')
    refuse('a\0b', 'cannot read')
    (tmp_path / 'empty.pth').write_bytes(b'')
    refuse(tmp_path / 'empty.pth', 'are an empty file')
    os.mkfifo(str(tmp_path / 'pipe'))
    refuse(tmp_path / 'pipe', 'are not a file')


def test_larger_files_than_any_network_are_refused(tmp_path):
    path = tmp_path / 'large.pth'
    with open(str(path), 'wb') as stream:
        stream.truncate(MAX_BYTES + 1)
    refuse(path, 'more than 64 MB')


def test_sha256(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'abc' * 1000000)
    assert sha256_of(path) == hashlib.sha256(b'abc' * 1000000).hexdigest()
    for wrong in (tmp_path / 'none', tmp_path, 'a\0b'):
        with pytest.raises(ModelError, match='cannot read the weights'):
            sha256_of(wrong)


def test_writing_replaces_a_file_only_when_the_new_one_is_complete(weights, tmp_path, monkeypatch):
    before = weights.read_bytes()
    monkeypatch.setattr(os, 'replace', lambda *paths: (_ for _ in ()).throw(OSError(28, 'No space left on device')))
    with pytest.raises(ModelError, match="cannot write '.*small.pth': No space left on device"):
        write_weights(network(seed=1), weights)
    assert weights.read_bytes() == before and os.listdir(str(tmp_path)) == ['small.pth']
    monkeypatch.undo()
    write_weights(network(seed=1), weights)
    assert weights.read_bytes() != before and os.listdir(str(tmp_path)) == ['small.pth']
    assert stat.S_IMODE(weights.stat().st_mode) == 0o644


def test_writing_where_one_cannot(tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    for path in (tmp_path / 'none' / 'x.pth', tmp_path / 'file' / 'x.pth', tmp_path):
        with pytest.raises(ModelError, match='cannot write'):
            write_weights(network(), path)
    assert os.listdir(str(tmp_path)) == ['file']


def test_batch_counters_may_be_missing():
    state = collections.OrderedDict((k, v) for k, v in network().state_dict().items() if 'num_batches' not in k)
    other = build(CONFIG)
    fill(other, state, 'x')
    assert torch.equal(other.up1.weight, network().up1.weight)


def test_own_names_stay_as_they_are():
    state = network().state_dict()
    assert rename_authors_keys(state) is state


def test_read_weights_is_ordered_and_detached(weights):
    state = read_weights(weights)
    assert list(state) == list(network().state_dict()) and not any(v.requires_grad for v in state.values())
