"""Fetching a model's weights into the cache."""
import contextlib
import fcntl
import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

from espnet_ros import __version__
from espnet_ros.errors import ModelError
from espnet_ros.models.catalog import CACHE_REMEDY, SHIPPED, Model, available, cache_directory, entry, find
from espnet_ros.models.checkpoint import MAX_BYTES, sha256_of

TIMEOUT = 20.0
"""Seconds that a server may stay silent."""

WAITS = (1.0, 2.0, 4.0)
"""Seconds before each further attempt when a transfer was cut."""

_BLOCK = 1 << 16
_LOOPBACK = ('localhost', '127.0.0.1', '::1')


def fetch(name, progress=None, from_file=None):
    """Put the weights of a known model into the cache and return its Model; nothing to do when they are here.

    progress: called with (bytes so far, bytes in all or None) while they come from the card's source; a transfer that
    was cut goes on where it ended. from_file: copy this file instead. Nothing but the file with the card's SHA-256
    gets into the cache. Processes that fetch at the same time wait for each other. Raises ModelError.
    """
    known = entry(name)
    if known.state == SHIPPED:
        return find(name)
    card = known.card
    content = None if from_file is None else _read_file(card, str(from_file))
    target = os.path.join(cache_directory(), card.weights)
    partial = target + '.partial'
    with _lock(cache_directory()):
        if os.path.isfile(target) and sha256_of(target) == card.sha256:
            return Model(card, target)
        if content is not None:
            with _writing(partial), open(partial, 'wb') as stream:
                stream.write(content)
        elif not os.path.isfile(partial) or sha256_of(partial) != card.sha256:
            _download(card, partial, progress or (lambda done, total: None))
        with _writing(target):
            os.replace(partial, target)
    return Model(card, target)


def _read_file(card, path):
    if not os.path.isfile(path):
        raise ModelError("there is no file '{}' to take the weights of {} from".format(path, card.name))
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ModelError("'{}' is not {}: it has more than {} MB".format(path, card.name, MAX_BYTES >> 20))
        with open(path, 'rb') as stream:
            content = stream.read()
    except OSError as error:
        raise ModelError("cannot read '{}': {}".format(path, error.strerror or error))
    actual = hashlib.sha256(content).hexdigest()
    if actual != card.sha256:
        others = [e.card.name for e in available() if e.card.sha256 == actual]
        raise ModelError("'{}' is not {}: its SHA-256 is {}{}, the card says {}".format(
            path, card.name, actual, ' (that of {})'.format(others[0]) if others else '', card.sha256))
    return content


@contextlib.contextmanager
def _writing(path):
    try:
        yield
    except OSError as error:
        raise ModelError("cannot write '{}': {}; make room there or {}".format(
            path, error.strerror or error, CACHE_REMEDY))


@contextlib.contextmanager
def _lock(folder):
    path = os.path.join(folder, '.lock')
    with _writing(path):
        os.makedirs(folder, exist_ok=True)
        stream = open(path, 'a')
    with stream:  # closing it gives the lock back, even when the process is killed
        with _writing(path):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class _Cut(Exception):
    """A transfer ended early; another attempt may do better."""


def _download(card, partial, progress):
    if not card.source:
        raise ModelError('the model card of {} names no source; give its weights with --from FILE'.format(card.name))
    _check_address(card.source)
    resumed = os.path.isfile(partial)
    _transfer_patiently(card, partial, progress)
    if resumed and sha256_of(partial) != card.sha256:  # perhaps the source has changed since the first part came
        _remove(partial)
        _transfer_patiently(card, partial, progress)
    actual = sha256_of(partial)
    if actual != card.sha256:
        size = os.path.getsize(partial)
        _remove(partial)
        raise ModelError('{} is not {}: the {} bytes that came have the SHA-256 {}, the card says {}; discarded them'
                         .format(card.source, card.name, size, actual, card.sha256))


def _transfer_patiently(card, partial, progress):
    for wait in WAITS + (None,):
        try:
            return _transfer(card.source, partial, progress)
        except _Cut as error:
            if wait is None:
                raise ModelError('cannot fetch {} from {}: {}; what came is kept; try again later, or give the '
                                 'file with --from FILE'.format(card.name, card.source, error))
        time.sleep(wait)


def _transfer(address, partial, progress):
    done = os.path.getsize(partial) if os.path.isfile(partial) else 0
    request = urllib.request.Request(address, headers={'User-Agent': 'espnet-ros/' + __version__})
    if done:
        request.add_header('Range', 'bytes={}-'.format(done))
    with contextlib.closing(_open(request, partial)) as response:
        if response.getcode() != 206:
            done = 0  # the server sends the file from its beginning
        elif not response.headers.get('Content-Range', '').startswith('bytes {}-'.format(done)):
            _remove(partial)
            raise _Cut('the server sent another part than it was asked for')
        length = response.headers.get('Content-Length', '')
        total = done + int(length) if length.isdigit() else None
        with _writing(partial), open(partial, 'ab' if done else 'wb') as stream:
            for block in iter(lambda: _read(response), b''):
                stream.write(block)
                done += len(block)
                progress(done, total)
                if done > MAX_BYTES:
                    _remove(partial)
                    raise ModelError('{} has more than {} MB; no ESPNet is as large'.format(address, MAX_BYTES >> 20))
            stream.flush()
            os.fsync(stream.fileno())
    if total is not None and done < total:
        raise _Cut('the connection broke after {} of {} bytes'.format(done, total))


def _open(request, partial):
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        answer = 'the server answered {} {}'.format(error.code, error.reason)
        if error.code == 416:
            _remove(partial)  # at least as long as the file at the source, and not that file
        if error.code in (408, 416, 429) or error.code >= 500:
            raise _Cut(answer)
        raise ModelError('cannot fetch {}: {}; give the file with --from FILE'.format(request.full_url, answer))
    except (OSError, http.client.HTTPException, ValueError) as error:  # the last by odd redirects
        reason = getattr(error, 'reason', error)
        if isinstance(reason, (ssl.SSLError, ssl.CertificateError)):
            raise ModelError("cannot fetch {}: its certificate is not accepted ({}); see whether this machine's "
                             'clock is right and its CA certificates are installed'.format(
                                 request.full_url, _described(reason)))
        raise _Cut(_described(reason))


def _read(response):
    try:
        return response.read1(_BLOCK)  # what is there, so that a slow line loses nothing
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(_described(error))


def _described(error):
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


def _remove(partial):
    with _writing(partial):
        if os.path.exists(partial):
            os.remove(partial)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(address):
    try:
        parts = urllib.parse.urlsplit(address)
        allowed = parts.hostname and (parts.scheme == 'https' or (
            parts.scheme == 'http' and parts.hostname in _LOOPBACK))
    except ValueError:
        allowed = False
    if not allowed:
        raise ModelError("'{}' is no address to fetch a model from; it must begin with https://".format(address))
