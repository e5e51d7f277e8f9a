"""OpenCV's image decoder within budgets of memory and time, its warnings counted and not printed for every frame."""
import contextlib
import os
import re
import tempfile
import threading
import time

import cv2
import numpy as np

from espnet_ros.errors import ImageError
from espnet_ros.images.headers import JPEG_MAGIC, JPEG_SCAN, PNG_MAGIC, jpeg_segments, png_chunks
from espnet_ros.images.limits import check_scans, check_size
from espnet_ros.images.watchdog import Watchdog
from espnet_ros.limits import COMPLAINT_SECONDS, STUCK_DECODERS

# Texts and profiles beside the pixels may unpack to 8 MB each, thousands of times; nothing here reads them.
_PNG_KEPT = (b'IHDR', b'PLTE', b'IDAT', b'IEND', b'tRNS', b'gAMA', b'cHRM', b'sRGB', b'sBIT')

_WARNING = re.compile(rb'(?:Corrupt JPEG|Premature end of JPEG|Invalid SOS|Inconsistent progression|Unsupported marker|'
                      rb'Application transferred|Unknown Adobe|Warning: unknown JFIF|Invalid component|'
                      rb'libpng (?:warning|error)|TIFF\w*: |\[ *(?:WARN|ERROR):)[^\n]*')


def decode(data, size, flags, name, seconds=0.0):
    """Return (pixels, warning): an image file's pixels as cv2.imdecode gives them, None where it is damaged.

    data: the file's bytes. size: (width, height) that its header says. warning: what the decoder said about a damaged
    file of which it made a picture nevertheless, '' when it said nothing. Raises ImageError when the image is too
    large, takes too long or finds no memory; name: what sentences call it. seconds: the decoder is given up after
    these; 0: never.
    """
    check_size(size[0], size[1], name)
    if data.startswith(JPEG_MAGIC):
        check_scans(sum(marker == JPEG_SCAN for marker, _ in jpeg_segments(data)), size[0], size[1], name)
    elif data.startswith(PNG_MAGIC):
        data = pixels_of_png(data)
    with _WARNINGS.caught() as warnings:
        try:
            arguments = cv2.imdecode, np.frombuffer(data, np.uint8), flags
            image = _WATCHDOG.call(seconds, *arguments) if seconds else arguments[0](*arguments[1:])
        except TimeoutError as error:
            raise ImageError('{} is not decoded: {}; publish smaller ones without progression, or raise the parameter '
                             'max_decode_time'.format(name, error))
        except (cv2.error, MemoryError, RuntimeError) as error:  # RuntimeError: no thread can be started
            if isinstance(error, cv2.error) and 'Insufficient memory' not in str(error):
                image = None
            else:
                raise ImageError('{} of {}x{} pixels is not decoded: there is no memory left for it; use smaller ones, '
                                 'or give the process more'.format(name, *size))
    return image, warnings[0] if warnings else ''


def pixels_of_png(data):
    """Return a PNG without the chunks that do not say what its pixels are; one that is damaged keeps its rest."""
    kept, rest = [], len(PNG_MAGIC)
    for kind, start, rest in png_chunks(data):
        if kind in _PNG_KEPT:
            if kept and kept[-1][1] == start:
                kept[-1][1] = rest
            else:
                kept.append([start, rest])
    if len(kept) == 1 and kept[0][0] == len(PNG_MAGIC):
        return data
    return PNG_MAGIC + b''.join(data[begin:end] for begin, end in kept) + data[rest:]


class _Warnings:
    """Catches what decoders written in C print to stderr, and passes it on at most once in COMPLAINT_SECONDS.

    While an image is decoded, stderr is a temporary file; what is no decoder's goes to stderr right after.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._file, self._process = None, os.getpid()
        self._printed = float('-inf')

    @contextlib.contextmanager
    def caught(self):
        """A context that yields a list, to which the decoder's warnings (str) are appended at its end.

        For one thread at a time: nobody could tell whose warnings they are.
        """
        found = []
        if self._process != os.getpid():  # forked: the file is its parent's, and nobody may be left to open the lock
            self._lock, self._file, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            stderr = None
            with contextlib.suppress(OSError):  # no descriptor or no temporary folder: then they are printed
                self._file = self._file or tempfile.TemporaryFile()
                stderr = os.dup(2)
                os.dup2(self._file.fileno(), 2)
            try:
                yield found
            finally:
                if stderr is not None:
                    os.dup2(stderr, 2)
                    os.close(stderr)
                    found += self._sorted()

    def _sorted(self):
        """Return the warnings in the file; print what else is there, and a warning now and then."""
        with contextlib.suppress(OSError):
            size = self._file.seek(0, os.SEEK_END)
            if not size:
                return []
            self._file.seek(0)
            text = self._file.read(1 << 20)
            self._file.seek(0)
            self._file.truncate()
            warnings = [line.decode('ascii', 'replace') for line in _WARNING.findall(text)]
            rest = re.sub(rb'^\s+', b'', _WARNING.sub(b'', text))
            if warnings and time.monotonic() - self._printed >= COMPLAINT_SECONDS:
                self._printed = time.monotonic()
                rest += (warnings[0] + '\n').encode()
            if rest:
                os.write(2, rest)
            return warnings
        return []


_WATCHDOG = Watchdog(STUCK_DECODERS)
_WARNINGS = _Warnings()
