"""The names used of the package rosbags; importing this module without it raises SourceError."""
from espnet_ros.errors import SourceError
from espnet_ros.limits import CHUNK_BYTES, MESSAGE_BYTES

try:
    import apsw
    import rosbags.rosbag1.reader
    import rosbags.rosbag2.storage_mcap
    from rosbags import interfaces, rosbag1, rosbag2
    from rosbags.rosbag2.reader import zstd
    from rosbags.serde import SerdeError
    from rosbags.typesys import Stores, get_typestore

    from espnet_ros.bags.unpacking import unpack
except ImportError as error:
    raise SourceError('reading bags needs the package rosbags; install it with: pip install rosbags ({})'.format(error))

__all__ = ['SerdeError', 'Stores', 'get_typestore', 'interfaces', 'rosbag1', 'rosbag2', 'zstd']


# rosbags and SQLite unpack and allocate whatever a file claims. All their tables of decompressors are dicts by name.
rosbags.rosbag2.storage_mcap.DECOMPRESSORS.update({
    name: lambda data, size, name=name: unpack(name, data, min(size, CHUNK_BYTES)) for name in ('lz4', 'zstd')})
rosbags.rosbag1.reader.decompressors.update({
    name: lambda data, name=name: unpack(name, data, CHUNK_BYTES) for name in ('bz2', 'lz4')})


def _limit(connection):
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, MESSAGE_BYTES)


apsw.connection_hooks.append(_limit)
