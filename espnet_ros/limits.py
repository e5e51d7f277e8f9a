"""Budgets of bytes, pixels, scans and seconds for whatever comes from outside."""

MAX_PIXELS = 64 * 1024 * 1024
"""Pixels of an image, whether message, file or video frame."""
MAX_SIDE = 16384
"""Pixels of width or height. Buffers for rows and columns grow with a side, however few pixels the image has."""
MAX_SCANNED_PIXELS = 8 * MAX_PIXELS
"""Pixels times scans of a JPEG: a scan takes 3 ns a pixel however few bytes it has. Usual progressive ones have 10."""
MAX_SEGMENTS = 1 << 16
"""Segments of a JPEG or chunks of a PNG, of 4 or 12 bytes at least: each is looked at. Usual ones have up to some
thousands."""
DECODE_SECONDS = 2.0
"""What a node gives its decoder for one compressed image, unless its parameter max_decode_time says otherwise."""
STUCK_DECODERS = 2
"""Decoders that took longer may go on beside the next image, as many as these; each holds an image's memory."""
MAX_IMAGE_BYTES = 8 * MAX_PIXELS + (1 << 20)
"""Bytes of an image file: uncompressed, four channels of 16 bits."""

MAX_FILES = 1000 * 1000
"""Files of a folder and those below it."""
DOWNLOAD_SECONDS = 60.0
"""What a picture from the network may take."""

YAML_CHARACTERS = 1 << 17
"""Characters of a YAML file: the largest label set takes a fifth of it."""
JSON_BYTES = 1 << 28
"""Bytes of a JSON file, or of a line of one."""

MESSAGE_BYTES = 1 << 28
"""Bytes of one message of a bag, unpacked: an image of MAX_PIXELS in three channels fits."""
CHUNK_BYTES = MESSAGE_BYTES + (1 << 27)
"""Bytes of one chunk of a bag, unpacked: recorders close a chunk at megabytes, or behind the message that fills it."""
UNPACKED_RATIO = 64
"""A compressed bag may unpack to this many times its size; Zstandard makes images seldom smaller than a tenth."""
UNPACKED_BYTES = 1 << 30
"""What it may always unpack to, however small it is."""
SALVAGE_RATIO = 4
"""Messages salvaged from an SQLite file may have this many times its bytes in all: damaged pages may be named twice."""

SALVAGE_SECONDS = 300.0
"""Processor time for each GiB of a damaged bag, and at least for one: whole ones take a tenth of it."""

COMPLAINT_SECONDS = 5.0
"""An image decoder's warnings are printed no more often than this."""

SLIDE_SIDE = 1 << 20
"""Pixels of width or height of a whole-slide image, of which only regions are in memory."""
SLIDE_PIXELS = 1 << 37
"""Pixels of a whole-slide image; scanners make up to some 10 ** 10."""
SLIDE_TILE_PIXELS = 1 << 24
"""Pixels of a tile in its file, which is unpacked as a whole."""
SLIDE_CACHE_BYTES = 64 << 20
"""Bytes of unpacked tiles that a process keeps, of all slides together: OpenSlide keeps half of that for each."""
