"""The image decoder's budgets: scans of a JPEG, texts in a PNG, and what it prints."""
import concurrent.futures
import os
import re
import struct
import threading
import types
import zlib

import cv2
import numpy as np
import pytest
from ros_process import wait_until

from espnet_ros.errors import ImageError, SourceError
from espnet_ros.images import decoder
from espnet_ros.images.decoding import compressed_to_bgr
from espnet_ros.images.headers import JPEG_SCAN, image_size, jpeg_segments
from espnet_ros.images.pictures import read_image
from espnet_ros.images.watchdog import Watchdog
from espnet_ros.limits import STUCK_DECODERS

IMAGE = np.random.RandomState(0).randint(0, 256, (37, 53, 3)).astype(np.uint8)


def jpeg_with_scans(width, height, scans):
    """A progressive JPEG, gray, of so many scans, of a few bytes each."""
    data = cv2.imencode('.jpg', np.full((height, width), 128, np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    starts = [start - 2 for marker, start in jpeg_segments(data) if marker == JPEG_SCAN]
    end = re.compile(b'\xff[\xc4\xda\xd9]').search(data, starts[1] + 12).start()
    return data[:end] + (scans - len(starts)) * data[starts[1]:end] + data[end:]


def compressed(data):
    return types.SimpleNamespace(format='jpeg', data=data)


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    data = jpeg_with_scans(2048, 1024, 400)
    assert len(data) < 400000
    monkeypatch.setattr(cv2, 'imdecode', None)  # calling it would be a TypeError
    with pytest.raises(ImageError, match='the image is a JPEG of 2048x1024 pixels with 400 scans, which takes too'):
        compressed_to_bgr(compressed(data))
    (tmp_path / 'a.jpg').write_bytes(data)
    with pytest.raises(SourceError, match=r'a\.jpg is a JPEG of 2048x1024 pixels with 400 scans'):
        read_image(str(tmp_path / 'a.jpg'))


def test_usual_progressive_jpegs_are_read():
    data = cv2.imencode('.jpg', IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    np.testing.assert_array_equal(compressed_to_bgr(compressed(data)), cv2.imdecode(np.frombuffer(data, np.uint8), 1))


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def test_texts_in_a_png_are_not_unpacked():
    """Each may unpack to 8 MB, and a thousand of them took 84 s."""
    data = cv2.imencode('.png', IMAGE)[1].tobytes()
    text = chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(100)))
    assert decoder.pixels_of_png(data) == data
    with_texts = data[:33] + 5 * text + data[33:-12] + text + data[-12:]
    assert decoder.pixels_of_png(with_texts) == data
    np.testing.assert_array_equal(compressed_to_bgr(compressed(with_texts)), IMAGE)
    assert decoder.pixels_of_png(with_texts[:-20]) + with_texts[-20:-12] + data[-12:] != data  # damage stays damage


def test_a_decoder_that_takes_too_long_is_given_up_and_the_next_image_read(monkeypatch, capfd):
    monkeypatch.setattr(decoder, '_WARNINGS', decoder._Warnings())
    ends, imdecode = [threading.Event() for _ in range(STUCK_DECODERS)], cv2.imdecode
    waiting = iter(ends)
    data = compressed(cv2.imencode('.png', IMAGE)[1].tobytes())
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: next(waiting).wait(60.0))
    try:
        for number in range(STUCK_DECODERS):
            if number:
                np.testing.assert_array_equal(compressed_to_bgr(data, seconds=60.0), IMAGE)
                monkeypatch.setattr(cv2, 'imdecode', lambda *_: next(waiting).wait(60.0))
            with pytest.raises(ImageError, match='not decoded: it took longer than 0.05 s; .* max_decode_time'):
                compressed_to_bgr(data, seconds=0.05)
            os.write(2, b'stderr is open\n')
            monkeypatch.setattr(cv2, 'imdecode', imdecode)
        with pytest.raises(ImageError, match='not decoded: {} others are still at work'.format(STUCK_DECODERS)):
            compressed_to_bgr(data, seconds=60.0)
    finally:
        for end in ends:
            end.set()
    wait_until(lambda: not any(thread.name == 'watched' for thread in threading.enumerate()))
    np.testing.assert_array_equal(compressed_to_bgr(data, seconds=60.0), IMAGE)
    assert capfd.readouterr().err == STUCK_DECODERS * 'stderr is open\n'


@pytest.mark.parametrize('seconds', [0.0, 2.0])
@pytest.mark.parametrize('error', [
    cv2.error('OpenCV(4.5.4) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 192000000 bytes'),
    MemoryError(), RuntimeError("can't start new thread")])
def test_a_lack_of_memory_is_no_damage(error, seconds, monkeypatch):
    def imdecode(*_):
        raise error

    data = cv2.imencode('.png', IMAGE)[1].tobytes()
    monkeypatch.setattr(cv2, 'imdecode', imdecode)
    with pytest.raises(ImageError, match='^it of 53x37 pixels is not decoded: there is no memory left for it; '):
        decoder.decode(data, (53, 37), 0, 'it', seconds)


def test_what_a_watched_call_raises_is_raised(monkeypatch):
    def fail(*_):
        raise KeyError('x')
    with pytest.raises(KeyError):
        Watchdog(1).call(60.0, fail)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: cv2.cvtColor(np.zeros(0, np.uint8), 0))
    with pytest.raises(ImageError, match='is damaged and cannot be decoded'):
        compressed_to_bgr(compressed(cv2.imencode('.png', IMAGE)[1].tobytes()), seconds=60.0)


@pytest.mark.parametrize('data, what', [
    (b'\xff\xd8' + 100000 * b'\xff\xe1\0\2', 'JPEG image of 400002 bytes has more than 65536 segments'),
    (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', bytes(13)) + 100000 * chunk(b'tEXt', b''),
     'PNG image of 1200033 bytes has more than 65536 chunks')])
def test_segments_are_bounded(data, what):
    with pytest.raises(ImageError, match=what):
        compressed_to_bgr(compressed(data))
    with pytest.raises(ImageError):
        decoder.decode(data, (5, 5), cv2.IMREAD_COLOR, 'it')
    assert image_size(data) in (None, (0, 0))


def damaged_jpeg():
    data = bytearray(cv2.imencode('.jpg', np.tile(IMAGE, (8, 8, 1)))[1].tobytes())
    data[2000:2040] = bytes(40)
    return bytes(data)


def test_warnings_of_the_decoder_are_returned_and_printed_once_in_a_while(capfd, monkeypatch):
    monkeypatch.setattr(decoder, '_WARNINGS', decoder._Warnings())
    data = damaged_jpeg()
    for _ in range(50):
        image, warning = decoder.decode(data, (424, 296), cv2.IMREAD_COLOR, 'it')
        assert image.shape == (296, 424, 3) and warning.startswith('Corrupt JPEG data')
    assert capfd.readouterr().err.count('Corrupt JPEG data') == 1
    assert decoder.decode(cv2.imencode('.png', IMAGE)[1].tobytes(), (53, 37), cv2.IMREAD_COLOR, 'it')[1] == ''


def test_the_warnings_of_one_thread_are_not_those_of_another(monkeypatch):
    monkeypatch.setattr(decoder, '_WARNINGS', decoder._Warnings())
    good, damaged, begun, met = cv2.imencode('.jpg', IMAGE)[1].tobytes(), damaged_jpeg(), threading.Event(), []
    imdecode, other = cv2.imdecode, threading.Event()

    def slowly(data, flags):
        if len(data) == len(good):
            begun.set()
            met.append(other.wait(1.0))
            return imdecode(data, flags)
        image = imdecode(data, flags)
        other.set()
        return image
    monkeypatch.setattr(cv2, 'imdecode', slowly)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(decoder.decode, good, (53, 37), cv2.IMREAD_COLOR, 'it')
        assert begun.wait(30.0)
        assert decoder.decode(damaged, (424, 296), cv2.IMREAD_COLOR, 'it')[1].startswith('Corrupt JPEG data')
        assert first.result()[1] == '' and met == [False]


def test_a_process_that_is_forked_while_its_parent_decodes_does_not_wait_for_it(monkeypatch):
    warnings, pid = decoder._Warnings(), os.getpid()
    monkeypatch.setattr(decoder, '_WARNINGS', warnings)
    with warnings.caught():
        monkeypatch.setattr(os, 'getpid', lambda: pid + 1)
        assert decoder.decode(damaged_jpeg(), (424, 296), cv2.IMREAD_COLOR, 'it')[1].startswith('Corrupt JPEG data')


def test_what_others_print_meanwhile_is_not_lost(capfd, monkeypatch):
    def imdecode(*_):
        os.write(2, b'[INFO] [node]: from another thread\n')
        return IMAGE

    monkeypatch.setattr(cv2, 'imdecode', imdecode)
    assert decoder.decode(b'BM', (53, 37), 0, 'it') == (IMAGE, '')
    assert capfd.readouterr().err == '[INFO] [node]: from another thread\n'
