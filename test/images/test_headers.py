"""Sizes of image files from their headers, and limits before anything is decoded."""
import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from espnet_ros.errors import ImageError, SourceError
from espnet_ros.images.headers import image_size
from espnet_ros.images.limits import MAX_PIXELS, MAX_SIDE, check_size
from espnet_ros.images.pictures import read_image
from espnet_ros.images.sources import open_source

IMAGE = np.random.RandomState(0).randint(0, 256, (37, 53, 3)).astype(np.uint8)


def encoded(suffix, pixels=IMAGE, *settings):
    return cv2.imencode(suffix, pixels, list(settings))[1].tobytes()


FILES = {
    'jpeg': encoded('.jpg'),
    'progressive jpeg': encoded('.jpg', IMAGE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'png': encoded('.png'),
    'bmp': encoded('.bmp'),
    'ppm': encoded('.ppm'),
    'pgm': encoded('.pgm', IMAGE[..., 0]),
    'ppm with comments': b'P6 # of a camera\n# again\n 53\n#\n37 255\n' + IMAGE.tobytes(),
    'tiff': encoded('.tiff'),
    'lossy webp': encoded('.webp', IMAGE, cv2.IMWRITE_WEBP_QUALITY, 80),
    'lossless webp': encoded('.webp', IMAGE, cv2.IMWRITE_WEBP_QUALITY, 101),
    'webp with alpha': encoded('.webp', np.dstack((IMAGE, IMAGE[..., :1])), cv2.IMWRITE_WEBP_QUALITY, 80),
    'bmp upside down': b'BM' + struct.pack('<IIIIiiHH', 0, 0, 54, 40, 53, -37, 1, 24),
    'bmp of OS/2': b'BM' + struct.pack('<IIIIHHHH', 0, 0, 26, 12, 53, 37, 1, 24),
    'big-endian tiff': b'MM\0*' + struct.pack(
        '>IHHHIIHHIIHHIHH', 8, 3, 254, 4, 1, 0, 256, 4, 1, 53, 257, 3, 1, 37, 0),
}


@pytest.mark.parametrize('kind', sorted(FILES))
def test_size(kind):
    assert image_size(FILES[kind]) == (53, 37)


@pytest.mark.parametrize('kind', sorted(FILES))
def test_a_header_that_is_cut_off_has_no_size_or_the_right_one(kind):
    for end in range(200):
        assert image_size(FILES[kind][:end]) in (None, (53, 37)), end


@pytest.mark.parametrize('data', [
    b'', b'text', b'P6', b'P9 3 4 255\n', b'RIFF', b'RIFF1234WEBPVP8?' + bytes(30), b'GIF89a'])
def test_other_files_have_no_size(data):
    assert image_size(data) is None


def test_limits():
    check_size(MAX_SIDE, MAX_PIXELS // MAX_SIDE)
    check_size(1, MAX_SIDE)
    for size in ((MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (MAX_SIDE, MAX_PIXELS // MAX_SIDE + 1)):
        with pytest.raises(ImageError, match='a frame is {}x{} pixels, more than the 67108864 allowed or 16384 on'
                           .format(*size)):
            check_size(*size, name='a frame')


def png_of_zeros(width, height):
    """A PNG of a few hundred kilobytes that decodes to an image of that size."""
    def chunk(kind, content):
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
    packer = zlib.compressobj(1)
    rows = b''.join(packer.compress(bytes(width * 3 + 1)) for _ in range(height)) + packer.flush()
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) + chunk(
        b'IDAT', rows) + chunk(b'IEND', b'')


@pytest.mark.parametrize('width, height', [(9000, 9000), (20000, 2)])
def test_files_over_the_limits_are_refused(tmp_path, width, height):
    path = tmp_path / 'large.png'
    path.write_bytes(png_of_zeros(width, height))
    with pytest.raises(SourceError, match=r'large\.png is {}x{} pixels, more than the'.format(width, height)):
        read_image(str(path))


def test_a_named_pipe_is_no_image_and_does_not_block(tmp_path):
    os.mkfifo(str(tmp_path / 'a.png'))
    with pytest.raises(SourceError, match='cannot read .*a.png: it is not a regular file'):
        read_image(str(tmp_path / 'a.png'))


def test_images_are_not_resized_beyond_the_limits(tmp_path):
    cv2.imwrite(str(tmp_path / 'tall.png'), np.zeros((400, 2, 3), np.uint8))
    with pytest.raises(SourceError, match='the resized image is 8192x1638400 pixels'):
        list(open_source(tmp_path, width=8192))


def test_a_folder_goes_on_after_an_image_over_the_limits(tmp_path):
    (tmp_path / 'a.png').write_bytes(png_of_zeros(20000, 2))
    (tmp_path / 'b.png').write_bytes(encoded('.png'))
    source = open_source(tmp_path)
    assert [capture.name for capture in source] == ['b.png']
    assert len(source.problems) == 1 and 'a.png is 20000x2 pixels, more than the' in source.problems[0]


def test_a_video_over_the_limits_is_refused(tmp_path):
    path = str(tmp_path / 'wide.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (MAX_SIDE + 16, 16))
    writer.write(np.zeros((16, MAX_SIDE + 16, 3), np.uint8))
    writer.release()
    with pytest.raises(SourceError, match='a video frame is 16400x16 pixels, more than the'):
        list(open_source(path))
