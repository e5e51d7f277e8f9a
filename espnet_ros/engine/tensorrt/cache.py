"""A cache of built engines on disk."""
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import typing

from espnet_ros.errors import EngineError, ModelError
from espnet_ros.files import open_lock, write_file
from espnet_ros.models import cache_directory

MAX_BYTES = 1 << 30
"""Larger files are no engine of ESPNet."""

_REMEDY = 'give as engine_cache_dir a folder in which this user may write'


class Cached(typing.NamedTuple):
    """What the cache holds: the engine's bytes, or None and why they cannot be used ('' when there are none)."""

    content: typing.Optional[bytes]
    problem: str


class EngineCache:
    """A folder of engines; each is raw bytes in NAME.engine and, in NAME.json, its key and the bytes' SHA-256.

    A key is a flat dict of plain values: everything that decides whether an engine fits. The SHA-256 finds damage, not
    malice: who may write to the folder decides what runs.
    """

    def __init__(self, folder=''):
        """Make the folder; '' is 'engines' in the models' cache. Raises EngineError when nothing can be written there.

        Better now than after a build of minutes.
        """
        try:
            folder = folder or os.path.join(cache_directory(), 'engines')
        except ModelError as error:
            raise EngineError('{}; or {}'.format(error, _REMEDY))
        self.folder = os.path.abspath(os.path.expanduser(str(folder)))
        with self._writing():
            os.makedirs(self.folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass

    def path(self, name):
        """Return the path of an engine's bytes."""
        return os.path.join(self.folder, name + '.engine')

    def load(self, name, key):
        """Return the Cached engine of that name, if it was built from this key and is whole.

        A part of the key that is None matches anything.
        """
        key = _plain(key)
        paths = self.path(name), self._sidecar(name)
        if not any(os.path.exists(path) for path in paths):
            return Cached(None, '')
        try:
            content, text = [_read(path) for path in paths]
            sidecar = json.loads(text.decode('utf-8'))
            stored, digest = sidecar['key'], sidecar['sha256']
        except OSError as error:
            return Cached(None, 'the cached engine cannot be read: {}'.format(error.strerror or error))
        except (ValueError, LookupError, TypeError, RecursionError):
            return Cached(None, 'the record of what the cached engine was built from is damaged')
        stored = stored if isinstance(stored, dict) else {}
        key.update((part, stored.get(part, 'wanted')) for part, value in key.items() if value is None)
        if stored != key:
            return Cached(None, _difference(stored, key))
        if hashlib.sha256(content).hexdigest() != digest:
            return Cached(None, 'the cached engine is damaged')
        return Cached(content, '')

    def store(self, name, key, content):
        """Store an engine, replacing an older one of that name. Raises EngineError."""
        sidecar = {'key': _plain(key), 'sha256': hashlib.sha256(content).hexdigest()}
        try:
            write_file(self.path(name), content)  # which the old sidecar does not match
            write_file(self._sidecar(name), json.dumps(sidecar, indent=1, sort_keys=True).encode('utf-8'))
        except ModelError as error:
            raise EngineError('{}; free space there or {}'.format(error, _REMEDY))

    @contextlib.contextmanager
    def locked(self, name, waiting=lambda: None):
        """A context that one process at a time enters, so that two nodes do not build the same engine side by side.

        waiting: called once when another process is in it. Raises EngineError.
        """
        with self._writing():
            stream = open_lock(os.path.join(self.folder, name + '.lock'))
        with stream:  # closing it gives the lock back, even when the process is killed
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                waiting()
                with self._writing():
                    fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _sidecar(self, name):
        return os.path.join(self.folder, name + '.json')

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except OSError as error:
            raise EngineError("engines cannot be kept in '{}': {}; {}".format(
                self.folder, error.strerror or error, _REMEDY))


def _plain(key):
    """Return the key as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(key))


def _read(path):
    with open(path, 'rb') as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError('too long')
    return content


def _difference(stored, key):
    def shown(value):
        text = str(value)
        return text if len(text) <= 24 else text[:24] + '...'

    changed = ['{} was {}, is {}'.format(part, shown(stored.get(part, 'unknown')), shown(key.get(part, 'unknown')))
               for part in sorted(set(stored) | set(key)) if stored.get(part) != key.get(part)]
    return 'the cached engine was built otherwise: ' + '; '.join(changed[:3]) + ('; ...' if changed[3:] else '')
