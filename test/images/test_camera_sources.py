"""Webcams and network streams as sources of pictures."""
import socket
import threading
import time

import cv2
import pytest
from numbered_pictures import numbers, picture

from espnet_ros.errors import SourceError
from espnet_ros.images import sources as capture
from espnet_ros.images.sources import open_source


@pytest.mark.parametrize('address', ['977', '/dev/video977', '/dev/null', '/dev/v4l/by-id/usb-none'])
def test_no_such_camera(address):
    with pytest.raises(SourceError, match='there is no camera /dev/.*; (no camera is plugged in|plug it in, or)'):
        open_source(address)


def test_camera_that_cannot_be_opened(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(capture.os.path, 'exists', lambda path: True)
    source = open_source('977')
    assert source.live
    with pytest.raises(SourceError, match='cannot open camera /dev/video977; check that no other program uses it'):
        next(iter(source))
    assert capfd.readouterr() == ('', '')


class Webcam:
    """Stands in for cv2.VideoCapture of a camera that gives three pictures and is then unplugged."""

    opened = []

    def __init__(self, *what):
        self.what, self.settings, self.left, self.released = what, {}, 3, False
        Webcam.opened.append(self)

    def isOpened(self):
        return True

    def set(self, key, value):
        self.settings[key] = value

    def get(self, key):
        return 0.0

    def read(self):
        self.left -= 1
        return (True, picture(self.left)) if self.left >= 0 else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def webcam(monkeypatch):
    """A camera /dev/video5."""
    monkeypatch.setattr(capture.os.path, 'exists', lambda path: path == '/dev/video5')
    monkeypatch.setattr(capture.cv2, 'VideoCapture', Webcam)
    monkeypatch.setattr(Webcam, 'opened', [])
    return Webcam


@pytest.mark.parametrize('address', ['5', '/dev/video5'])
def test_webcam(webcam, address):
    source = open_source(address, 32, 24, rate=15.0)
    found = []
    with pytest.raises(SourceError, match='camera /dev/video5 delivers no more images; plug it in again'):
        for item in source:
            found.append(item)
    assert [f.name for f in found] == ['video5_000000', 'video5_000001', 'video5_000002']
    assert found[0].image.shape == (24, 32, 3)  # it does not keep to the size it was asked for
    only, = webcam.opened
    assert only.what == (5, cv2.CAP_V4L2) and only.released
    assert (only.settings[cv2.CAP_PROP_FRAME_WIDTH], only.settings[cv2.CAP_PROP_FRAME_HEIGHT],
            only.settings[cv2.CAP_PROP_FPS]) == (32, 24, 15.0)


def test_webcam_is_released_when_closed_and_connected_anew(webcam):
    with open_source('5') as source:
        next(iter(source))
        next(iter(source))
        assert [w.released for w in webcam.opened] == [True, False]
    assert [w.released for w in webcam.opened] == [True, True]


def test_dead_stream_is_a_sentence_without_credentials():
    source = open_source('rtsp://me:s3cr@t@127.0.0.1:9/live?password=s3cr')
    assert source.live
    with pytest.raises(SourceError) as caught:
        next(iter(source))
    assert str(caught.value) == ('cannot open the stream rtsp://127.0.0.1:9/live?...; check the address and that '
                                 'the camera is on')


def test_credentials_do_not_show_in_a_mistyped_address():
    with pytest.raises(SourceError) as caught:
        open_source('rtps://me:s3cr@host/live')
    assert 's3cr' not in str(caught.value) and 'rtps://host/live' in str(caught.value)


@pytest.mark.skipif(not hasattr(cv2, 'CAP_PROP_OPEN_TIMEOUT_MSEC'), reason='this OpenCV has a fixed timeout of 30 s')
def test_stream_that_never_answers_times_out(monkeypatch):
    monkeypatch.setattr(capture, '_TIMEOUTS', [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 300])
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen(1)
        started = time.monotonic()
        with pytest.raises(SourceError, match='cannot open the stream'):
            next(iter(open_source('rtsp://127.0.0.1:{}/live'.format(silent.getsockname()[1]))))
        assert time.monotonic() - started < 25.0


def test_http_stream():
    """A server that sends three JPEG pictures and hangs up."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen(4)
        server.settimeout(30.0)

        def serve():
            client = server.accept()[0]
            with client:
                client.recv(4096)
                client.sendall(b'HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=next\r\n\r\n')
                for number in range(3):
                    jpeg = cv2.imencode('.jpg', picture(number))[1].tobytes()
                    client.sendall(b'--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg)
                                   + jpeg + b'\r\n')
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        found = []
        with pytest.raises(SourceError, match=r'the stream http://127.0.0.1:\d+/mjpeg delivers no more images'):
            for item in open_source('http://u:p@127.0.0.1:{}/mjpeg'.format(server.getsockname()[1])):
                found.append(item)
        thread.join(10.0)
    assert numbers(found) in ([0, 1, 2], [0, 1])  # the last has no successor to mark its end
    assert found[0].name == 'stream_000000'
