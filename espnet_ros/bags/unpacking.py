"""Decompression within bounds, whatever the compressed data claim."""
import bz2

import lz4.frame as lz4  # type: ignore[import-untyped]
from rosbags.rosbag2.reader import zstd  # Python's own since 3.14, backports.zstd before

DECOMPRESSORS = {
    'zstd': zstd.ZstdDecompressor, 'lz4': lz4.LZ4FrameDecompressor, 'bz2': bz2.BZ2Decompressor}
"""By the names that bags use."""

DECOMPRESSION_ERRORS = (ValueError, RuntimeError, EOFError, OSError, zstd.ZstdError)
"""What decompression raises."""


def unpack(name, data, limit, complete=True):
    """Return data decompressed by DECOMPRESSORS[name]: one frame or several in a row.

    complete: whether a missing end is an error; else what there is before it is returned. Raises ValueError when that
    is more than `limit` bytes, or one of DECOMPRESSION_ERRORS.
    """
    parts, size = [], 0
    while data:
        decompressor = DECOMPRESSORS[name]()
        parts.append(decompressor.decompress(data, limit + 1 - size))
        size += len(parts[-1])
        if size > limit:
            raise ValueError('it unpacks to more than {} bytes'.format(limit))
        if not decompressor.eof:
            if complete:
                raise EOFError('it stops before its end')
            break
        data = decompressor.unused_data
    return parts[0] if len(parts) == 1 else b''.join(parts)
