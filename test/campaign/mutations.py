"""Mutations of bytes, as damage and malice make them."""
import struct

EXTREMES = (0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 2**62, 2**64 - 1)
SCRAPS = (b'[' * 10000, b'{' * 3000, b'&a [*a, *a]', b'.inf', b'-.nan', b'!!python/object:os.system', b'\0' * 64,
          b'\xff' * 64, b'9' * 5000, b'../../x', b'\x1b[2J', '\u202e\u00b2'.encode(), b'\r\n', b'1e999', b'- ' * 2000)


def mutated(data, random, others=()):
    """Return bytes changed in one to four places; others: further inputs to splice with; random: a random.Random."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(_KINDS)(data, random, others)
    return bytes(data)


def _place(data, random):
    # Headers decide more than what follows.
    return random.randrange(min(len(data), 256 if random.random() < 0.5 else len(data)) or 1)


def _flip(data, random, others):
    for _ in range(random.choice((1, 1, 8, 64))):
        if data:
            data[_place(data, random)] ^= 1 << random.randrange(8)


def _set(data, random, others):
    at = _place(data, random)
    value = random.choice(EXTREMES)
    size = random.choice((1, 2, 4, 8))
    packed = struct.pack(random.choice('<>') + 'Q', value & (256**size - 1))
    data[at:at + size] = packed[:size] if packed[0] else packed[-size:]


def _cut(data, random, others):
    del data[_place(data, random):]


def _remove(data, random, others):
    at = _place(data, random)
    del data[at:at + random.choice((1, 4, 100, 4096))]


def _repeat(data, random, others):
    at = _place(data, random)
    part = bytes(data[at:at + random.choice((1, 8, 200, 5000))])
    data[at:at] = part * random.choice((1, 2, 50))


def _insert(data, random, others):
    at = _place(data, random)
    data[at:at] = random.choice(SCRAPS)


def _blank(data, random, others):
    at = _place(data, random)
    size = min(random.choice((4, 64, 2000)), len(data) - at)
    data[at:at + size] = bytes([random.choice((0, 255))]) * size


def _splice(data, random, others):
    if others:
        other = random.choice(others)
        data[_place(data, random):] = other[_place(other, random):]


def _digits(data, random, others):
    """Another number in place of one that is written in digits."""
    places = [i for i, c in enumerate(data[:4096]) if 48 <= c < 58]
    if places:
        at = random.choice(places)
        data[at:at + 1] = random.choice((b'-1', b'1e309', b'.nan', b'99999999999999999999', b'[]', b'"x"', b'1.5'))


_KINDS = (_flip, _set, _cut, _remove, _repeat, _insert, _blank, _splice, _digits)
