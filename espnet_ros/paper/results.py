"""What was measured so far, kept so that a later run goes on."""
import json
import pathlib

from espnet_ros.errors import ParameterError
from espnet_ros.files import write_file

FILE = 'results.json'
BYTES = 16 << 20


class Results:
    """Measurements by key, in a file that is written after each."""

    def __init__(self, folder):
        """Read what is there. Raises ParameterError when it cannot be read."""
        self._path = pathlib.Path(folder) / FILE
        self._values = {}
        if not self._path.exists():
            return
        self._values = read_mapping(self._path)
        if not all(isinstance(value, dict) for value in self._values.values()):
            raise _unreadable(self._path, 'it is no mapping of measurements')

    def get(self, key, default=None):
        """Return the measurement of that key."""
        return self._values.get(key, default)

    def items(self):
        """Return (key, measurement) pairs."""
        return self._values.items()

    def __contains__(self, key):
        return key in self._values

    def put(self, key, value):
        """Keep a measurement at once."""
        self._values[key] = value
        write_file(self._path, json.dumps(self._values, indent=1).encode())


def read_mapping(path):
    """Return the JSON object in a file of at most BYTES. Raises ParameterError."""
    try:
        with open(path, 'rb') as stream:
            content = stream.read(BYTES + 1)
        values = json.loads(content)
        if len(content) > BYTES or not isinstance(values, dict):
            raise ValueError('it is no mapping of measurements')
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, getattr(error, 'strerror', None) or error)
    return values


def _unreadable(path, reason):
    return ParameterError("cannot read the results '{}': {}; remove the file to measure anew".format(path, reason))
