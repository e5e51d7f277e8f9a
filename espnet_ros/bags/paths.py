"""Where bags are, without the package that reads them."""
import pathlib

from espnet_ros.errors import SourceError

SUFFIXES = ('.mcap', '.db3', '.bag', '.active')
"""Of bag files; .active is that of a ROS 1 bag that was not closed."""
COMPRESSED = '.zstd'


def suffix_of(path):
    """Return the suffix of a file whose name may also end in that of a compressed one."""
    return pathlib.Path(path.stem).suffix if path.suffix == COMPRESSED else path.suffix


def check_bag(path):
    """Return whether there is one bag file at a path, rather than a folder. Raises SourceError if there is neither."""
    path = pathlib.Path(path)
    try:
        if path.is_file() and suffix_of(path) in SUFFIXES:
            return True
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long, or a folder that may not be entered
        raise SourceError("cannot read '{}': {}".format(path, error.strerror))
    if not is_folder:
        raise SourceError("'{}' is not a bag{}; give a folder or a file that ends in {}".format(
            path, '' if path.exists() else ', there is no such file', ', '.join(SUFFIXES)))
    return False
