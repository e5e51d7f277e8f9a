"""Pictures from files and from the network."""
import base64
import http.client
import re
import time
import urllib.parse
import urllib.request

import cv2

from espnet_ros.errors import ImageError, SourceError, printable
from espnet_ros.files import read_bytes
from espnet_ros.images.decoder import decode
from espnet_ros.images.headers import image_size
from espnet_ros.limits import DOWNLOAD_SECONDS, MAX_IMAGE_BYTES

TIMEOUT = 5.0
"""Seconds for a machine on the network to answer, and between parts of what it sends; a video stream has 30 before
OpenCV 4.5."""


def read_image(path):
    """Return an image file as BGR uint8 [H, W, 3]; 16 bits become 8, alpha is dropped. Raises SourceError."""
    try:
        data = read_bytes(path, MAX_IMAGE_BYTES)  # cv2.imread takes only UTF-8 file names, and hides why it fails
    except OSError as error:
        raise SourceError('cannot read {}: {}'.format(printable(path), error.strerror))
    return _decoded(data, printable(path))


def read_image_at(address):
    """Return the image at an http or https address as `read_image` does a file. Raises SourceError.

    User and password before the host are sent as basic authentication.
    """
    name, data, deadline = public_address(address), bytearray(), time.monotonic() + DOWNLOAD_SECONDS
    try:
        with urllib.request.urlopen(_request(address), timeout=TIMEOUT) as answer:
            part = answer.read1(1 << 16)
            while part:
                data += part
                if len(data) > MAX_IMAGE_BYTES or time.monotonic() > deadline:
                    raise SourceError('{} has more than {} bytes or takes longer than {:.0f} s'.format(
                        name, MAX_IMAGE_BYTES, DOWNLOAD_SECONDS))
                part = answer.read1(1 << 16)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SourceError('cannot get {}: {}; look at the address in a browser on this machine'.format(
            name, printable(getattr(error, 'reason', None) or error)))
    return _decoded(bytes(data), name)


def _request(address):
    parts = urllib.parse.urlsplit(address)
    user, _, host = parts.netloc.rpartition('@')
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host)))
    if user:
        request.add_unredirected_header('Authorization', 'Basic ' + base64.b64encode(
            urllib.parse.unquote(user).encode('utf-8')).decode('ascii'))
    return request


def _decoded(data, name):
    size = image_size(data)
    image = None
    if size and _is_whole(data):
        try:
            image, _ = decode(data, size, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, name)
        except ImageError as error:
            raise SourceError(str(error))
    if image is None:
        raise SourceError('{} ({} bytes) is not an image or is damaged; copy it again or remove it'.format(
            name, len(data)))
    return image


# OpenCV fills in what is missing from a truncated file without an error.
_FILE_ENDS = ((b'\xff\xd8\xff', b'\xff\xd9'), (b'\x89PNG', b'IEND'))


def _is_whole(data):
    """Return whether a file has its end marker, in its second half: an embedded thumbnail has one of its own."""
    end = next((end for begin, end in _FILE_ENDS if data.startswith(begin)), b'')
    return len(data) > 0 and data.rfind(end) >= len(data) // 2


def public_address(address):
    """The address without user, password and query."""
    return printable(re.sub('[?].*', '?...', re.sub('//.*@', '//', address)) if '://' in address else address)
