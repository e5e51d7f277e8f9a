"""Fetching a model's weights into the cache."""
import contextlib
import fcntl
import hashlib
import os
import re
import threading
import time
import urllib.parse

from espnet_ros import __version__
from espnet_ros.errors import ModelError, one_line
from espnet_ros.files import write_file
from espnet_ros.models.catalog import ADDED, CACHE_REMEDY, SHIPPED, Model, available, cache_directory, entry, find
from espnet_ros.models.checkpoint import MAX_BYTES, sha256_of

TIMEOUT = 20.0
"""Seconds that a server may stay silent."""

TOTAL_SECONDS = 600.0
"""Seconds for all attempts together, however the server spends them."""

WAITS = (1.0, 2.0, 4.0)
"""Seconds before each further attempt when a transfer was cut."""

_BLOCK = 1 << 14
_LOOPBACK = ('localhost', '127.0.0.1', '::1')


def fetch(name, progress=None, from_file=None):
    """Put the weights of a known model into the cache and return its Model; nothing to do when they are here.

    progress: called with (bytes so far, bytes in all or None) while they come from the card's source. from_file: copy
    this file instead. Nothing but the file with the card's SHA-256 gets into the cache. Processes that fetch at the
    same time wait for each other. Raises ModelError.
    """
    known = entry(name)
    if known.state in (SHIPPED, ADDED):
        return find(name)
    card = known.card
    content = None if from_file is None else _read_file(card, str(from_file))
    target = os.path.join(cache_directory(), card.weights)
    with _lock(cache_directory()):
        if os.path.isfile(target) and sha256_of(target) == card.sha256:
            return Model(card, target)
        if content is None:
            content = _download(card, progress or (lambda done, total: None))
        try:
            write_file(target, content)
        except ModelError as error:
            raise ModelError('{}; free space there or {}'.format(error, CACHE_REMEDY))
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
def _lock(folder):
    path = os.path.join(folder, '.lock')
    try:
        os.makedirs(folder, exist_ok=True)
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), 'a')
    except OSError as error:
        raise ModelError("cannot write '{}': {}; free space there or {}".format(
            path, error.strerror or error, CACHE_REMEDY))
    with stream:  # closing it gives the lock back, even when the process is killed
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class _Cut(Exception):
    """A transfer ended early; another attempt may do better."""


def _download(card, progress):
    """Return the weights from the card's source. Raises ModelError."""
    if not card.source:
        raise ModelError('the model card of {} names no source; give its weights with --from FILE'.format(card.name))
    _check_address(card.source)
    result, ended = [], threading.Event()

    def work():
        try:
            result.append(_transfer_patiently(card, progress, ended))
        except Exception as error:  # to be raised in the thread that waits
            result.append(error)

    # In a thread, since no timeout of a library bounds a server that sends a byte now and then.
    thread = threading.Thread(target=work, name='download', daemon=True)
    thread.start()
    try:
        thread.join(TOTAL_SECONDS)
    finally:
        ended.set()
    if not result:
        raise ModelError('cannot fetch {} from {}: it takes longer than {:.0f} s; try again later, or give the file '
                         'with --from FILE'.format(card.name, card.source, TOTAL_SECONDS))
    if isinstance(result[0], Exception):
        raise result[0]
    actual = hashlib.sha256(result[0]).hexdigest()
    if actual != card.sha256:
        raise ModelError('{} is not {}: the {} bytes that came have the SHA-256 {}, the card says {}; discarded them'
                         .format(card.source, card.name, len(result[0]), actual, card.sha256))
    return result[0]


def _transfer_patiently(card, progress, ended):
    for wait in WAITS + (None,):
        try:
            return _transfer(card.source, progress, ended)
        except _Cut as error:
            if wait is None:
                raise ModelError('cannot fetch {} from {}: {}; try again later, or give the file with --from FILE'
                                 .format(card.name, card.source, one_line(error)))
        time.sleep(wait)


def _transfer(address, progress, ended):
    """Return the content at an address; `ended` is set when nobody waits for it any more. Raises _Cut, ModelError."""
    try:
        import requests  # only here: whoever never fetches does not need it
    except ImportError:
        raise ModelError('fetching needs the package requests: pip install requests; or give the file with --from FILE')

    class Session(requests.Session):
        def get_redirect_target(self, response):
            target = super().get_redirect_target(response)
            if target:
                _check_address(urllib.parse.urljoin(response.url, target))
            return target

    headers = {'User-Agent': 'espnet-ros/' + __version__, 'Accept-Encoding': 'identity'}
    content = bytearray()
    try:
        with Session() as session, session.get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
            _check_status(address, response.status_code)
            length = response.headers.get('Content-Length', '')
            total = int(length) if re.match(r'[0-9]{1,12}\Z', length) else None
            for block in response.iter_content(_BLOCK):
                content += block
                if len(content) > MAX_BYTES:
                    raise ModelError('{} has more than {} MB; no ESPNet is as large'.format(address, MAX_BYTES >> 20))
                if ended.is_set():
                    raise _Cut('nobody waits for it any more')
                progress(len(content), total)
    except requests.exceptions.SSLError as error:
        raise ModelError("cannot fetch {}: its certificate is not accepted ({}); see whether this machine's clock is "
                         'right and its CA certificates are installed'.format(address, one_line(error)))
    except (requests.RequestException, OSError, ValueError) as error:  # the last for odd redirects
        raise _Cut('timed out' if 'timed out' in str(error) else _reason(error))
    if total is not None and len(content) < total:
        raise _Cut('the connection broke after {} of {} bytes'.format(len(content), total))
    return bytes(content)


def _check_status(address, code):
    """Raise _Cut or ModelError when an HTTP status is an error; the words are ours, not the server's."""
    if code == 200:
        return
    import http.client
    answer = ' '.join(['the server answered', str(code), http.client.responses.get(code, '')]).strip()
    if code in (408, 429) or code >= 500:
        raise _Cut(answer)
    raise ModelError('cannot fetch {}: {}; give the file with --from FILE'.format(address, answer))


def _reason(error):
    """Return what is at the bottom of an exception of requests, which wraps those of urllib3 and of the system."""
    while True:
        inner = getattr(error, 'reason', None) or next((a for a in error.args if isinstance(a, Exception)), None)
        if not isinstance(inner, Exception):
            return getattr(error, 'strerror', None) or str(error) or type(error).__name__
        error = inner


def _check_address(address):
    try:
        parts = urllib.parse.urlsplit(address)
        allowed = parts.hostname and (parts.scheme == 'https' or (
            parts.scheme == 'http' and parts.hostname in _LOOPBACK))
    except ValueError:
        allowed = False
    if not allowed:
        raise ModelError("'{}' is no address to fetch a model from; it must begin with https://".format(address))
