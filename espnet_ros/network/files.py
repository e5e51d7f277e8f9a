"""Files that are written whole or not at all."""
import os
import tempfile

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
