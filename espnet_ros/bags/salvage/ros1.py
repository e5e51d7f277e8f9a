"""Messages of a ROS 1 bag, without its index."""
import io
import struct
import typing

from espnet_ros.bags.salvage.base import Message, cut_off
from espnet_ros.bags.unpacking import DECOMPRESSION_ERRORS, unpack
from espnet_ros.errors import SourceError, quoted
from espnet_ros.limits import CHUNK_BYTES


def ros1(path, notes, budget):
    """Yield the Messages of a ROS 1 bag; notes, budget: as for salvage.mcap.mcap. Raises SourceError."""
    size = path.stat().st_size
    with open(path, 'rb') as stream:
        if stream.readline(32) != b'#ROSBAG V2.0\n':
            raise SourceError('it is not a ROS 1 bag of version 2.0, or its beginning is damaged')
        connections: dict[bytes, tuple[str, str]] = {}
        time, at = None, stream.tell()
        while True:
            budget.spend()
            at = stream.tell()
            header, content, missing = _record(stream, size)
            if header is None or (missing and header.get(b'op') != b'\x05'):
                break
            records: typing.Iterable = [(header, content)]
            if header.get(b'op') == b'\x05':
                records = _chunk(header, content, path, at, notes if not missing else [], budget)
            for fields, record in records:
                budget.spend()
                message = _message(fields, record, connections)
                if message is not None:
                    time = message.time
                    yield message
            if missing:
                break
        if at < size:
            notes.append(cut_off(path, 'in the record at byte {} and ends at byte {}'.format(at, size), time))


def _record(stream, size):
    """Return (header fields, content, number of missing bytes); the fields are None if they are incomplete."""
    length = stream.read(4)
    header = stream.read(min(size, int.from_bytes(length, 'little')))
    content_size = stream.read(4)
    if len(length) < 4 or len(header) < int.from_bytes(length, 'little') or len(content_size) < 4:
        return None, b'', 0
    fields, at = {}, 0
    while at + 4 <= len(header):
        end = at + 4 + int.from_bytes(header[at:at + 4], 'little')
        name, _, value = header[at + 4:end].partition(b'=')
        fields[name] = value
        at = end
    wanted = int.from_bytes(content_size, 'little')
    content = stream.read(min(size, wanted))
    return fields, content, wanted - len(content)


def _chunk(header, content, path, at, notes, budget):
    name = header.get(b'compression', b'none').decode('ascii', 'replace')
    try:
        data = content if name == 'none' else unpack(name, content, CHUNK_BYTES, complete=False)
    except (KeyError, *DECOMPRESSION_ERRORS) as error:
        notes.append("'{}': the chunk at byte {} is damaged ({}); its messages are skipped".format(
            path.name, at, quoted(error)))
        return
    budget.spend(len(data))
    inner = io.BytesIO(data)
    while True:
        fields, record, missing = _record(inner, len(data))
        if fields is None or missing:
            return
        yield fields, record


def _message(fields, content, connections):
    """Return the Message in a record, or None after noting a connection."""
    code = fields.get(b'op')
    if code == b'\x07' and b'topic' in fields:
        about, _, _ = _record(io.BytesIO(len(content).to_bytes(4, 'little') + content + bytes(4)), len(content))
        package, _, name = (about or {}).get(b'type', b'').decode('utf-8', 'replace').partition('/')
        topic = fields[b'topic'].decode('utf-8', 'replace')
        connections[fields.get(b'conn', b'')] = topic, '{}/msg/{}'.format(package, name)
    elif code == b'\x02' and fields.get(b'conn') in connections and len(fields.get(b'time', b'')) == 8:
        seconds, nanoseconds = struct.unpack('<II', fields[b'time'])
        topic, kind = connections[fields[b'conn']]
        return Message(topic, kind, seconds * 10**9 + nanoseconds, content, 'ros1')
    return None
