"""Engines on disk: only what fits and is whole comes back, and the rest is explained."""
import json
import multiprocessing
import os
import pathlib
import threading

import pytest

from espnet_ros.engine.tensorrt import cache as cache_module
from espnet_ros.engine.tensorrt.cache import Cached, EngineCache
from espnet_ros.errors import EngineError

KEY = {'weights': 'abc', 'shape': (1, 3, 64, 96), 'TensorRT': '8.2.1', 'argmax': False}


@pytest.fixture
def cache(tmp_path):
    return EngineCache(str(tmp_path / 'engines'))


def sidecar(cache):
    return pathlib.Path(cache.path('a')).with_suffix('.json')


def test_what_is_stored_comes_back(cache):
    assert cache.load('a', KEY) == Cached(None, '')
    cache.store('a', KEY, b'engine')
    assert cache.load('a', KEY) == Cached(b'engine', '')
    assert cache.load('b', KEY) == Cached(None, '')
    assert pathlib.Path(cache.path('a')).read_bytes() == b'engine'
    assert sorted(os.listdir(cache.folder)) == ['a.engine', 'a.json']
    assert json.loads(sidecar(cache).read_text())['key'] == dict(KEY, shape=[1, 3, 64, 96])


def test_the_newest_is_kept(cache):
    cache.store('a', KEY, b'old')
    cache.store('a', dict(KEY, weights='def'), b'new')
    assert cache.load('a', dict(KEY, weights='def')).content == b'new'
    assert cache.load('a', KEY) == Cached(None, 'the cached engine was built otherwise: weights was def, is abc')


@pytest.mark.parametrize('key, words', [
    (dict(KEY, TensorRT='10.3.0'), 'TensorRT was 8.2.1, is 10.3.0'),
    (dict(KEY, argmax=True), 'argmax was False, is True'),
    (dict(KEY, CUDA='12'), 'CUDA was unknown, is 12'),
    ({'weights': 'abc'}, 'TensorRT was 8.2.1, is unknown; argmax was False, is unknown; shape was'),
    ({'a': 1, 'b': 2, 'c': 3, 'd': 4}, 'TensorRT was 8.2.1, is unknown; a was unknown, is 1; argmax was '
                                       'False, is unknown; ...'),
    (dict(KEY, weights='x' * 64), 'weights was abc, is xxxxxxxxxxxxxxxxxxxxxxxx...')])
def test_what_was_built_otherwise_is_named(cache, key, words):
    cache.store('a', KEY, b'engine')
    content, problem = cache.load('a', key)
    assert content is None and problem.startswith('the cached engine was built otherwise: ') and words in problem


def test_a_part_that_is_none_fits_any(cache):
    cache.store('a', KEY, b'engine')
    assert cache.load('a', dict(KEY, weights=None)) == Cached(b'engine', '')
    assert cache.load('a', dict(KEY, weights=None, argmax=True)).problem.endswith(': argmax was False, is True')
    assert cache.load('a', dict(KEY, CUDA=None)).problem.endswith(': CUDA was unknown, is wanted')


@pytest.mark.parametrize('content', [b'', b'engin', b'Engine', b'engine0', bytes(6)])
def test_a_damaged_engine_is_not_loaded(cache, content):
    cache.store('a', KEY, b'engine')
    pathlib.Path(cache.path('a')).write_bytes(content)
    assert cache.load('a', KEY) == Cached(None, 'the cached engine is damaged')


@pytest.mark.parametrize('text', [
    '', '{', '[]', '{}', 'null', '1', '{"key": {}}', '\xff', '{"sha256": 1, "key": ' + '[' * 100000, '"key"'])
def test_a_damaged_sidecar_is_not_believed(cache, text):
    cache.store('a', KEY, b'engine')
    sidecar(cache).write_bytes(text.encode('latin-1'))
    content, problem = cache.load('a', KEY)
    assert content is None and problem == 'the record of what the cached engine was built from is damaged'


@pytest.mark.parametrize('key', [None, [], 'abc', 7])
def test_a_sidecar_with_another_key(cache, key):
    cache.store('a', KEY, b'engine')
    sidecar(cache).write_text(json.dumps({'key': key, 'sha256': 'abc'}))
    assert 'the cached engine was built otherwise: TensorRT was unknown, is 8.2.1; ' in cache.load('a', KEY).problem


def test_half_of_it_is_not_loaded(cache):
    cache.store('a', KEY, b'engine')
    os.remove(cache.path('a'))
    assert cache.load('a', KEY) == Cached(None, 'the cached engine cannot be read: No such file or directory')
    cache.store('a', KEY, b'engine')
    sidecar(cache).unlink()
    assert cache.load('a', KEY) == Cached(None, 'the cached engine cannot be read: No such file or directory')


def test_an_endless_file_is_not_read(cache, monkeypatch):
    monkeypatch.setattr(cache_module, 'MAX_BYTES', 10)
    cache.store('a', KEY, b'engine')
    assert cache.load('a', KEY).problem == 'the record of what the cached engine was built from is damaged'


def test_a_crash_between_the_two_files_leaves_nothing_to_load(cache, monkeypatch):
    cache.store('a', KEY, b'old')
    write_file = cache_module.write_file
    monkeypatch.setattr(cache_module, 'write_file',
                        lambda path, content: write_file(path, content) if path.endswith('.engine') else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.store('a', KEY, b'new')
    assert cache.load('a', KEY) == Cached(None, 'the cached engine is damaged')


def test_a_folder_that_cannot_be_written(tmp_path, cache):
    (tmp_path / 'file').write_text('')
    for folder in (tmp_path / 'file', tmp_path / 'file' / 'x', '/proc/engines'):
        with pytest.raises(EngineError, match="engines cannot be kept in '{}': .*; give as engine_cache_dir a folder "
                                              'in which this user may write'.format(folder)):
            EngineCache(str(folder))


def test_a_folder_that_becomes_unwritable(cache):
    os.rmdir(cache.folder)
    with pytest.raises(EngineError, match='cannot write .*; free space there or give as engine_cache_dir'):
        cache.store('a', KEY, b'engine')
    with pytest.raises(EngineError, match='engines cannot be kept in '):
        with cache.locked('a'):
            pass


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    assert EngineCache().folder == str(tmp_path / 'cache' / 'engines')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert EngineCache('~/mine').folder == str(tmp_path / 'mine') and (tmp_path / 'mine').is_dir()
    for name in ('ESPNET_ROS_CACHE', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('HOME', 'nowhere')
    with pytest.raises(EngineError, match='no home folder .*; or give as engine_cache_dir'):
        EngineCache()


def hold(folder, entered, leave):
    with EngineCache(folder).locked('a'):
        entered.set()
        leave.wait(60)


@pytest.mark.slow
def test_one_process_at_a_time(cache):
    # In a process of its own: that is who else builds.
    context = multiprocessing.get_context('spawn')
    entered, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(cache.folder, entered, leave), daemon=True)
    other.start()
    assert entered.wait(60)
    with cache.locked('b', lambda: pytest.fail('b is free')):
        pass
    waits, done = threading.Event(), threading.Event()

    def enter():
        with cache.locked('a', waits.set):
            done.set()
    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    assert waits.wait(60) and not done.is_set()
    leave.set()
    assert done.wait(60)
    other.join(60)


@pytest.mark.slow
def test_a_killed_process_holds_nothing(cache):
    context = multiprocessing.get_context('spawn')
    entered, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(cache.folder, entered, leave), daemon=True)
    other.start()
    assert entered.wait(60)
    other.kill()
    other.join(60)
    with cache.locked('a', lambda: pytest.fail('it is dead')):
        pass
