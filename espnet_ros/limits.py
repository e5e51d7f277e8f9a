"""Budgets of bytes, pixels, scans and seconds for whatever comes from outside."""

MAX_PIXELS = 64 * 1024 * 1024
"""Pixels of an image, whether message, file or video frame."""
MAX_SIDE = 16384
"""Pixels of width or height. Buffers for rows and columns grow with a side, however few pixels the image has."""
MAX_SCANNED_PIXELS = 8 * MAX_PIXELS
"""Pixels times scans of a JPEG: a scan takes 3 ns a pixel however few bytes it has. Usual progressive ones have 10."""
MAX_IMAGE_BYTES = 8 * MAX_PIXELS + (1 << 20)
"""Bytes of an image file: uncompressed, four channels of 16 bits."""

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

COMPLAINT_SECONDS = 5.0
"""An image decoder's warnings are printed no more often than this."""
