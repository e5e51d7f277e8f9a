"""Files: atomic writing, bounded reading."""
import errno
import os
import stat
import tempfile

import yaml

from espnet_ros.errors import ModelError, one_line
from espnet_ros.limits import YAML_CHARACTERS


def write_file(path, content):
    """Write bytes to a file; an older one stays whole until the new one is complete.

    Raises ModelError, also when something other than a file has that name.
    """
    folder = os.path.dirname(os.path.abspath(str(path)))
    try:
        check_replaceable(path)
        handle, temporary = tempfile.mkstemp('.partial', os.path.basename(str(path)) + '.', folder)
        try:
            with os.fdopen(handle, 'wb') as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())  # else a power failure could leave the new name with nothing in it
            os.chmod(temporary, 0o644)
            os.replace(temporary, str(path))
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ModelError("cannot write '{}': {}".format(path, error.strerror or error))


def check_replaceable(path):
    """Raise OSError when a path exists and is no regular file: a device, say, that renaming would take away."""
    if os.path.exists(str(path)) and not os.path.isfile(str(path)):
        raise OSError(errno.EEXIST, 'it exists and is not a regular file')


def open_lock(path):
    """Open a lock file for fcntl.flock; it is made where it is missing, never truncated, and no link is followed.

    Returns a file object. Raises OSError, also when it is no regular file or belongs to another user.
    """
    handle = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(handle)
        raise OSError(errno.EPERM, 'it is not a regular file of this user')
    return os.fdopen(handle, 'r+')


def read_bytes(path, limit):
    """Return the content of a regular file. Raises OSError, also when it is no regular file or longer than `limit`."""
    with _open_regular(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, 'it has more than {} bytes'.format(limit))
    return content


def read_part(path, offset, length):
    """Return bytes of a regular file, none where it ends before. Raises OSError, also when it is a symbolic link."""
    if os.path.islink(str(path)):
        raise OSError(errno.ELOOP, 'it is a symbolic link')
    with _open_regular(path, os.O_NOFOLLOW) as stream:
        if offset + length > os.fstat(stream.fileno()).st_size:
            return b''  # before memory is taken for them
        stream.seek(offset)
        return stream.read(length)


def _open_regular(path, flags=0):
    # Without waiting: a named pipe that nobody writes to would hold the caller forever.
    handle = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, 'it is not a regular file')
    return open(handle, 'rb')


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases: with them a small file can stand for an endless or a gigantic value."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError('aliases (*name) are not allowed')
        return super().compose_node(parent, index)


def read_yaml(path, what, error_class):
    """Return the plain data in a YAML file. Raises error_class; `what` names the file's kind in the sentence."""
    try:
        text = read_bytes(path, 4 * YAML_CHARACTERS).decode('utf-8')
    except UnicodeDecodeError as error:
        raise error_class("{} '{}' is not text: {}".format(what, path, error))
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise error_class("cannot read {} '{}': {}".format(what, path, getattr(error, 'strerror', None) or error))
    if len(text) > YAML_CHARACTERS:
        raise error_class("{} '{}' is longer than {} characters".format(what, path, YAML_CHARACTERS))
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise error_class("{} '{}' is not YAML: {}".format(what, path, error))


def parse_yaml(text):
    """Return the plain data in YAML text. Raises ValueError."""
    try:
        return yaml.load(text, _PlainLoader)
    except Exception as error:  # PyYAML also lets KeyError, ValueError and more out, for dates and tags that are none
        raise ValueError(one_line(error)[:200])
