"""Messages of an MCAP file, without its index."""
import io
import struct
import typing
import zlib

from espnet_ros.bags.salvage.base import Message, cut_off
from espnet_ros.bags.unpacking import DECOMPRESSION_ERRORS, DECOMPRESSORS, unpack
from espnet_ros.errors import SourceError, quoted
from espnet_ros.limits import CHUNK_BYTES


def mcap(path, notes, budget):
    """Yield the Messages of an MCAP file. notes: list to which a sentence for each damaged part is appended; budget: a
    Budget, which raises BudgetError.

    Raises SourceError if it is not an MCAP file.
    """
    size = path.stat().st_size
    with open(path, 'rb') as stream:
        if stream.read(8) != _MAGIC:
            raise SourceError('it is not an MCAP file, or its beginning is damaged')
        schemas: dict[int, str] = {}
        channels: dict[int, tuple[str, str]] = {}
        for code, content in _summary(stream, size):  # the first chunk, which has them too, may be damaged
            _record(code, content, schemas, channels)
        stream.seek(8)
        time = None
        for at, code, content, missing in _records(stream, size):
            budget.spend()
            if missing and code != _CHUNK:
                break
            if code in (_DATA_END, _FOOTER):
                return
            records: typing.Iterable = [(code, content)]
            if code == _CHUNK:
                try:
                    data = _chunk(content, complete=not missing)
                except (struct.error, *DECOMPRESSION_ERRORS) as error:
                    if missing:
                        break
                    notes.append("'{}': the chunk at byte {} is damaged ({}); its messages are skipped".format(
                        path.name, at, quoted(error)))
                    continue
                budget.spend(len(data))
                inner = io.BytesIO(data)
                records = ((c, r) for _, c, r, cut in _records(inner, len(data)) if not cut)
            for kind, record in records:
                budget.spend()
                message = _record(kind, record, schemas, channels)
                if message is not None:
                    time = message.time
                    yield message
            if missing:
                break
        else:
            at = size
        notes.append(cut_off(path, 'in the record at byte {} and ends at byte {}'.format(at, size), time))


_MAGIC = b'\x89MCAP0\r\n'
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END, _FOOTER = 3, 4, 5, 6, 15, 2
_USED = (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK)
_LARGEST = 1 << 28
"""Bytes of an incomplete chunk that are looked at; its length may be garbage."""


def _summary(stream, size):
    """Yield (code, content) of the records behind the data, where the file has its end."""
    stream.seek(max(0, size - 37))
    end = stream.read()
    if end[:9] == b'\x02' + struct.pack('<Q', 20) and end.endswith(_MAGIC):
        start, = struct.unpack_from('<Q', end, 9)
        if 0 < start < size:
            stream.seek(start)
            for _, code, content, missing in _records(stream, size):
                if code == _FOOTER or missing:
                    return
                if code in (_SCHEMA, _CHANNEL):
                    yield code, content


def _records(stream, size):
    """Yield (position, code, content, number of missing bytes) of each record; only the last can be incomplete."""
    while True:
        at = stream.tell()
        head = stream.read(9)
        if not head:
            return
        code, length = struct.unpack('<BQ', head.ljust(9, b'\0'))
        missing = max(0, at + 9 + length - size) if len(head) == 9 and code else 1  # a disk may end a file with zeros
        used = min(length, _LARGEST if missing else length) if code in _USED else 0
        yield at, code, stream.read(used), missing
        if missing:
            return
        stream.seek(at + 9 + length)


def _chunk(content, complete):
    """Return the content of a chunk, decompressed as far as it exists."""
    size, crc, name_size = struct.unpack_from('<QII', content, 16)
    name = content[32:32 + name_size].decode('ascii')
    data = content[40 + name_size:]
    if name:
        if name not in DECOMPRESSORS:
            raise ValueError('its compression {} is not supported'.format(quoted(name)))
        data = unpack(name, data, min(size, CHUNK_BYTES) if complete else CHUNK_BYTES, complete=False)
    if complete and len(data) != size:
        raise ValueError('it has {} bytes instead of {}'.format(len(data), size))
    if complete and crc and zlib.crc32(data) != crc:
        raise ValueError('its checksum is wrong')
    return data


def _record(code, content, schemas, channels):
    """Return the Message in a record, or None after noting a schema or channel."""
    try:
        if code == _SCHEMA:
            schemas[_u16(content, 0)] = _text(content, 2)[0]
        elif code == _CHANNEL:
            channels[_u16(content, 0)] = _text(content, 4)[0], schemas.get(_u16(content, 2), '')
        elif code == _MESSAGE and len(content) >= 22 and _u16(content, 0) in channels:
            topic, kind = channels[_u16(content, 0)]
            return Message(topic, kind, struct.unpack_from('<Q', content, 6)[0], content[22:])
    except (struct.error, UnicodeDecodeError):
        pass
    return None


def _u16(data, at):
    return struct.unpack_from('<H', data, at)[0]


def _text(data, at):
    """The string at a position and what follows it."""
    size, = struct.unpack_from('<I', data, at)
    return data[at + 4:at + 4 + size].decode(), at + 4 + size
