"""The names used of the package rosbags; importing this module without it raises SourceError."""
from espnet_ros.errors import SourceError

try:
    import lz4.frame as lz4  # type: ignore[import-untyped]
    from rosbags import interfaces, rosbag1, rosbag2
    from rosbags.rosbag2.reader import zstd  # Python's own since 3.14, backports.zstd before
    from rosbags.serde import SerdeError
    from rosbags.typesys import Stores, get_typestore
except ImportError as error:
    raise SourceError('reading bags needs the package rosbags; install it with: pip install rosbags ({})'.format(error))

__all__ = ['SerdeError', 'Stores', 'get_typestore', 'interfaces', 'lz4', 'rosbag1', 'rosbag2', 'zstd']
