"""Files: atomic writing, bounded reading."""
import errno
import os
import stat
import tempfile

import yaml

from espnet_ros.errors import ModelError


def write_file(path, content):
    """Write bytes to a file; an older one stays whole until the new one is complete. Raises ModelError."""
    folder = os.path.dirname(os.path.abspath(str(path)))
    try:
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


def read_bytes(path, limit):
    """Return the content of a regular file. Raises OSError, also when it is no regular file or longer than `limit`."""
    # Without waiting: a named pipe that nobody writes to would hold the caller forever.
    with open(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), 'rb') as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, 'it is not a regular file')
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, 'it has more than {} bytes'.format(limit))
    return content


YAML_CHARACTERS = 1 << 17
"""A longer YAML file is refused: the largest label set takes a fifth of it."""


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases: with them a small file can stand for an endless or a gigantic value."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError('aliases (*name) are not allowed')
        return super().compose_node(parent, index)


def read_yaml(path, what, error_class):
    """Return the plain data in a YAML file. Raises error_class; `what` names the file's kind in the sentence."""
    try:
        with open(str(path), encoding='utf-8') as stream:
            text = stream.read(YAML_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise error_class("{} '{}' is not text: {}".format(what, path, error))
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise error_class("cannot read {} '{}': {}".format(what, path, getattr(error, 'strerror', None) or error))
    if len(text) > YAML_CHARACTERS:
        raise error_class("{} '{}' is longer than {} characters".format(what, path, YAML_CHARACTERS))
    try:
        return yaml.load(text, _PlainLoader)
    except Exception as error:  # PyYAML also lets KeyError, ValueError and more out, for dates and tags that are none
        raise error_class("{} '{}' is not YAML: {}".format(what, path, ' '.join(str(error).split())[:200]))
