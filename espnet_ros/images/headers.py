"""The size of an image file from its header, known before memory is taken for its pixels."""
import itertools
import re
import struct

from espnet_ros.errors import ImageError
from espnet_ros.limits import MAX_SEGMENTS

PNG_MAGIC = b'\x89PNG\r\n\x1a\n'
JPEG_MAGIC = b'\xff\xd8\xff'
JPEG_END, JPEG_SCAN = 0xd9, 0xda

# A marker other than a stuffed byte (00), a restart (D0..D7) or TEM (01), which stand inside compressed data or alone.
_JPEG_MARKER = re.compile(b'\xff([^\x00\x01\xd0-\xd7\xff])')
_JPEG_FRAMES = frozenset(range(0xc0, 0xd0)) - {0xc4, 0xc8, 0xcc}
_NETPBM = re.compile(rb'P[1-6](?:\s+|#[^\n]*\n)+([0-9]{1,10})(?:\s+|#[^\n]*\n)+([0-9]{1,10})\s')


def image_size(data):
    """Return (width, height) in pixels of a JPEG, PNG, BMP, TIFF, WebP or Netpbm file, or None where it is none.

    data: the file's bytes. Only its header is looked at: the rest may be damaged.
    """
    for magic, reader in _READERS:
        if data.startswith(magic):
            try:
                return reader(data)
            except (struct.error, IndexError, ImageError):  # the file ends within its header
                return None
    return None


def jpeg_segments(data):
    """Yield (marker, start of what follows it) for each segment of a JPEG. Raises ImageError when they are too many."""
    found = _JPEG_MARKER.search(data, 2)
    for number in itertools.count():
        if not found:
            return
        _check_number(number, 'JPEG image of {} bytes has more than {} segments', data)
        marker, start = found.group(1)[0], found.end()
        yield marker, start
        length = 0 if marker == JPEG_END else int.from_bytes(data[start:start + 2], 'big')
        found = _JPEG_MARKER.search(data, start + max(2, length))


def png_chunks(data):
    """Yield (kind, start, end) of each whole chunk of a PNG. Raises ImageError when they are too many."""
    start = len(PNG_MAGIC)
    for number in itertools.count():
        end = start + 12 + int.from_bytes(data[start:start + 4], 'big')
        if start + 12 > len(data) or end > len(data):
            return
        _check_number(number, 'PNG image of {} bytes has more than {} chunks', data)
        yield data[start + 4:start + 8], start, end
        start = end


def _check_number(number, sentence, data):
    if number >= MAX_SEGMENTS:
        raise ImageError('the {}, which takes too long to look at; save it anew'.format(
            sentence.format(len(data), MAX_SEGMENTS)))


def jpeg_frame_size(data, marker, start):
    """Return (width, height) where a JPEG's segment is a frame header, else None."""
    if marker not in _JPEG_FRAMES:
        return None
    height, width = struct.unpack_from('>HH', data, start + 3)
    return width, height


def _jpeg(data):
    sizes = (jpeg_frame_size(data, *segment) for segment in jpeg_segments(data))
    return next((size for size in sizes if size), None)


def _png(data):
    return struct.unpack_from('>II', data, 16)


def _bmp(data):
    if struct.unpack_from('<I', data, 14)[0] == 12:  # OS/2
        return struct.unpack_from('<HH', data, 18)
    width, height = struct.unpack_from('<ii', data, 18)
    return width, abs(height)  # negative where the first row is the upper one


def _netpbm(data):
    found = _NETPBM.match(data[:4096])
    return (int(found.group(1)), int(found.group(2))) if found else None


def _tiff(data):
    order = '<' if data[:1] == b'I' else '>'
    first, = struct.unpack_from(order + 'I', data, 4)
    sides = {}
    for i in range(struct.unpack_from(order + 'H', data, first)[0]):
        tag, kind = struct.unpack_from(order + 'HH', data, first + 2 + 12 * i)
        if tag in (256, 257):
            sides[tag], = struct.unpack_from(order + ('H' if kind == 3 else 'I'), data, first + 10 + 12 * i)
    return (sides[256], sides[257]) if len(sides) == 2 else None


def _webp(data):
    if data[8:15] == b'WEBPVP8':
        if data[15:16] == b' ':
            width, height = struct.unpack_from('<HH', data, 26)
            return width & 0x3fff, height & 0x3fff
        if data[15:16] == b'L':
            bits, = struct.unpack_from('<I', data, 21)
            return 1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)
        if data[15:16] == b'X':
            low_width, high_width, low_height, high_height = struct.unpack_from('<HBHB', data, 24)
            return 1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16)
    return None


_READERS = ((JPEG_MAGIC, _jpeg), (PNG_MAGIC, _png), (b'BM', _bmp), (b'II*\0', _tiff), (b'MM\0*', _tiff),
            (b'RIFF', _webp), (b'P', _netpbm))
