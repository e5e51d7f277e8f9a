"""Messages of an SQLite file, without the tree that holds its pages together."""
import struct
import typing

from espnet_ros.bags.salvage.base import Message, cut_off
from espnet_ros.errors import SourceError
from espnet_ros.limits import MESSAGE_BYTES, SALVAGE_RATIO


def sqlite3(path, notes, budget):
    """Yield the Messages of an SQLite file (.db3), page by page. Raises SourceError.

    notes, budget: as for salvage.mcap.mcap.
    The file format is that of sqlite.org/fileformat2.html; the tables are those of rosbag2.
    """
    size = path.stat().st_size
    with open(path, 'rb') as stream:
        head = stream.read(100)
        if len(head) < 100 or head[:16] != b'SQLite format 3\0':
            raise SourceError('it is not an SQLite file, or its beginning is damaged')
        page_size = struct.unpack_from('>H', head, 16)[0]
        database = _Pages(stream, 65536 if page_size == 1 else page_size, size, head[20], budget.spend)
        topics: dict[int, tuple[str, str]] = {}
        for _, row in database.rows(lambda row: len(row) in (4, 5, 6) and _is_topic(row)):
            topics[row[0]] = row[1], row[2]
        time, lost = None, 0
        for complete, row in database.rows(lambda row: len(row) == 4 and _is_message(row)):
            if not complete or row[1] not in topics:
                lost += 1
                continue
            time = row[2]
            yield Message(*topics[row[1]], time, row[3])
        expected = struct.unpack_from('>I', head, 28)[0] * database.page_size
        if size < expected:
            notes.append(cut_off(path, 'and ends at byte {} of {}'.format(size, expected), time))
        if lost:
            notes.append("'{}': {} messages are incomplete or of an unknown topic and are skipped".format(
                path.name, lost))


def _is_topic(row):
    return isinstance(row[1], str) and isinstance(row[2], str) and row[1].startswith('/')


def _is_message(row):
    return isinstance(row[1], int) and isinstance(row[2], int) and isinstance(row[3], (bytes, type(None)))


class _Pages:
    """The pages of an SQLite file."""

    def __init__(self, stream, page_size, size, reserved, spend):
        if page_size < 512 or page_size & (page_size - 1):
            raise SourceError('an SQLite file cannot have pages of {} bytes'.format(page_size))
        self.page_size = page_size
        self._stream, self._count, self._usable = stream, size // page_size, page_size - reserved
        self._budget = SALVAGE_RATIO * size
        self._spend = spend

    def rows(self, is_wanted):
        """Yield (is complete, row) of the wanted rows, in file order; an incomplete blob is None.

        is_wanted takes a row's values, in which strings and blobs that continue on other pages are cut.
        """
        for number in range(1, self._count + 1):
            page = self._page(number)
            start = 100 if number == 1 else 0
            if page[start] != 0x0d:  # leaf of a table
                continue
            cells = struct.unpack_from('>H', page, start + 3)[0]
            for i in range(min(cells, len(page) // 4)):  # a cell takes two bytes, and its pointer as many
                try:
                    row = self._row(page, struct.unpack_from('>H', page, start + 8 + 2 * i)[0], is_wanted)
                except (IndexError, struct.error, ValueError):
                    continue
                if row is not None:
                    yield row

    def _page(self, number):
        self._spend()
        self._stream.seek((number - 1) * self.page_size)
        return self._stream.read(self.page_size)

    def _row(self, page, at, is_wanted):
        size, at = _varint(page, at)
        if size > MESSAGE_BYTES + 1024:
            raise ValueError('too large')
        row_id, at = _varint(page, at)
        largest, smallest = self._usable - 35, (self._usable - 12) * 32 // 255 - 23
        local = size
        if size > largest:
            local = smallest + (size - smallest) % (self._usable - 4)
            local = smallest if local > largest else local
        if at + local > len(page):
            raise ValueError('outside its page')
        payload = page[at:at + local]
        row = _columns(payload, row_id)
        if not is_wanted(row):
            return None
        if local == size:
            return True, row
        following, = struct.unpack_from('>I', page, at + local)
        payload = self._overflow(payload, size, following)
        return (False, row) if payload is None else (True, _columns(payload, row_id))

    def _overflow(self, payload, size, number):
        """The rest of a payload from its chain of pages; None when one is missing or comes again."""
        parts, missing, seen = [payload], size - len(payload), set()
        while missing > 0:
            self._budget -= self._usable
            if not 1 <= number <= self._count or number in seen or self._budget < 0:
                return None
            seen.add(number)
            page = self._page(number)
            number, = struct.unpack_from('>I', page)
            parts.append(page[4:min(self._usable, 4 + missing)])
            missing -= len(parts[-1])
        return b''.join(parts)


def _varint(data, at):
    value = 0
    for i in range(8):
        value = value << 7 | data[at + i] & 0x7f
        if data[at + i] < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _columns(payload, row_id):
    """Values of a record; the primary key, stored as NULL, is row_id."""
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    row: list[typing.Any] = []
    for kind in kinds:
        length = (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]
        data = payload[at:at + length]
        at += length
        if kind >= 12:
            row.append(data.decode(errors='replace') if kind & 1 else data)
        elif kind == 7:
            row.append(struct.unpack('>d', data)[0])
        elif kind == 0:
            row.append(None if row else row_id)
        else:
            row.append(kind - 8 if kind in (8, 9) else int.from_bytes(data, 'big', signed=True))
    return row
