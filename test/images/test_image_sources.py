"""Pictures come out of every kind of source as they went in, and what cannot be read is said in a sentence."""
import itertools
import os
import socket
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from espnet_ros.errors import ParameterError, SourceError
from espnet_ros.images import sources as capture
from espnet_ros.images.pictures import read_image
from espnet_ros.images.sources import open_source, street_seed
from espnet_ros.scene import Street, mount_of


def picture(number, width=64, height=48):
    """A picture that tells its number: blue = 20 * number, a red square on the left."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = 20 * number
    image[4:20, 4:20, 2] = 255
    return image


@pytest.fixture
def video(tmp_path):
    """Path of a video of 12 pictures at 8 per second."""
    path = tmp_path / 'drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (64, 48))
    for number in range(12):
        writer.write(picture(number))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    """Folder of four images whose names sort differently as text and as numbers, and other things."""
    path = tmp_path / 'pictures'
    path.mkdir()
    for number, name in enumerate(['frame2.png', 'frame10.png', 'frame011b.bmp', 'frame33.JPG']):
        cv2.imwrite(str(path / name), picture(number))
    (path / 'notes.txt').write_text('no image')
    (path / '._frame2.png').write_bytes(b'what some systems leave behind')
    (path / 'more').mkdir()
    return path


def numbers(captures):
    """The numbers that pictures tell."""
    return [int(round(c.image[40, 50, 0] / 20.0)) for c in captures]


def test_folder_is_read_in_natural_order(folder):
    source = open_source(folder)
    assert (source.count, source.rate, source.live, source.size, source.camera_matrix) == (4, 0.0, False, None, None)
    captures = list(source)
    assert [c.name for c in captures] == ['frame2.png', 'frame10.png', 'frame011b.bmp', 'frame33.JPG']
    assert numbers(captures) == [0, 1, 2, 3]
    assert np.array_equal(captures[1].image, picture(1)) and captures[1].image.flags['C_CONTIGUOUS']
    assert {c.labels for c in captures} == {None}
    assert source.problems == []


def test_iterating_anew_begins_anew(folder):
    source = open_source(folder)
    assert [numbers(source), numbers(source)] == [[0, 1, 2, 3]] * 2


def test_loop_starts_again(folder, video):
    assert numbers(itertools.islice(open_source(folder, loop=True), 9)) == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    looped = list(itertools.islice(open_source(video, loop=True), 25))
    assert numbers(looped) == [*range(12), *range(12), 0]
    assert looped[12].name == 'drive_000000'


def test_broken_images_are_named_and_passed_over(folder):
    whole = cv2.imencode('.png', picture(5))[1].tobytes()
    (folder / 'frame21.png').write_bytes(whole[:len(whole) // 2])
    (folder / 'frame22.png').write_bytes(b'')
    (folder / 'frame23.jpg').write_bytes(cv2.imencode('.jpg', picture(5))[1].tobytes()[:-200])
    (folder / 'frame24.tif').write_bytes(b'II*\0' + b'\xff' * 50)
    (folder / 'frame25.png').symlink_to('nowhere')
    source = open_source(folder, loop=True)
    assert source.count == 9
    assert numbers(itertools.islice(source, 8)) == [0, 1, 2, 3, 0, 1, 2, 3]
    assert [p.split('pictures/')[1].split()[0].rstrip(':') for p in source.problems] == [
        'frame21.png', 'frame22.png', 'frame23.jpg', 'frame24.tif', 'frame25.png']
    assert 'frame22.png (0 bytes) is not an image or is damaged' in source.problems[1]
    assert source.problems[4].endswith('No such file or directory')


@pytest.mark.parametrize('loop', [False, True])
def test_folder_of_broken_images_only_is_an_error(tmp_path, loop):
    for name in 'ab':
        (tmp_path / (name + '.png')).write_bytes(b'broken')
    with pytest.raises(SourceError, match=r'none of the 2 images can be read; the first: .*a\.png \(6 bytes\)'):
        list(open_source(tmp_path, loop=loop))


def test_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r'the folder .* holds no images \(\.png, \.jpg,'):
        open_source(tmp_path)


def test_single_image(folder):
    source = open_source(folder / 'frame10.png')
    only, = source
    assert only.name == 'frame10.png' and np.array_equal(only.image, picture(1)) and source.count == 1
    assert len(list(itertools.islice(open_source(folder / 'frame10.png', loop=True), 3))) == 3


def test_single_image_is_checked_when_opened(tmp_path):
    (tmp_path / 'a.png').write_text('text')
    with pytest.raises(SourceError, match=r'a\.png \(4 bytes\) is not an image or is damaged'):
        open_source(tmp_path / 'a.png')


@pytest.mark.parametrize('pixels', [
    np.full((4, 6), 7, np.uint8), np.full((4, 6, 4), 7, np.uint8), np.full((4, 6, 3), 7 * 257, np.uint16)],
    ids=['gray', 'alpha', '16 bits'])
def test_images_of_other_kinds_become_bgr(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    assert np.array_equal(read_image(str(tmp_path / 'a.png')), np.full((4, 6, 3), 7, np.uint8))


def test_exif_orientation_is_ignored(tmp_path):
    jpeg = cv2.imencode('.jpg', picture(3))[1].tobytes()
    rotated = b'Exif\0\0' + b'MM\0*\0\0\0\x08' + b'\0\x01' + b'\x01\x12\0\x03\0\0\0\x01\0\x06\0\0' + b'\0\0\0\0'
    segment = b'\xff\xe1' + (len(rotated) + 2).to_bytes(2, 'big') + rotated
    (tmp_path / 'a.jpg').write_bytes(jpeg[:2] + segment + jpeg[2:])
    assert cv2.imread(str(tmp_path / 'a.jpg')).shape == (64, 48, 3)
    assert read_image(str(tmp_path / 'a.jpg')).shape == (48, 64, 3)


@pytest.mark.parametrize('name', ['größe 中文 \U0001f697.png', os.fsdecode(b'latin\xe9.png'), 'line\nbreak.png'])
def test_file_names_may_be_anything(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(cv2.imencode('.png', picture(3))[1].tobytes())
    assert numbers(open_source(path)) == [3]
    path.write_bytes(b'broken')
    with pytest.raises(SourceError) as caught:
        open_source(path)
    str(caught.value).encode('utf-8')
    assert '\n' not in str(caught.value)


def test_video(video):
    source = open_source(video)
    assert (source.count, source.rate, source.live, source.size) == (12, 8.0, False, (64, 48))
    assert open_source(video, 32).size == (32, 24)
    captures = list(source)
    assert numbers(captures) == list(range(12))
    assert captures[0].image.shape == (48, 64, 3) and captures[0].image[12, 12, 2] > 240
    assert [captures[0].name, captures[11].name] == ['drive_000000', 'drive_000011']
    assert source.problems == []


def test_video_in_a_folder_of_any_name(video):
    path = video.parent / 'größe 中 %04d' / 'a %d.avi'
    path.parent.mkdir()
    os.replace(video, path)
    assert numbers(open_source(path)) == list(range(12))


def test_video_that_was_cut_short_counts_up_to_there(video):
    data = video.read_bytes()
    video.write_bytes(data[:len(data) * 6 // 10])
    source = open_source(video)
    found = numbers(source)
    assert found == list(range(len(found))) and 3 <= len(found) <= 9
    if source.count == 12:
        assert source.problems == ['{} ends after {} of 12 frames; it is damaged or truncated'.format(
            video, len(found))]


def test_video_damaged_in_the_middle_goes_on(video):
    data = bytearray(video.read_bytes())
    start = len(data) * 85 // 100
    data[start:start + 300] = b'\x5a' * 300
    video.write_bytes(data)
    found = numbers(open_source(video))
    assert found[:3] == [0, 1, 2] and len(found) >= 10 and found[-1] == 11


@pytest.mark.parametrize('content', [b'', b'no video', b'\0' * 100000, b'RIFF\xff\xff\xff\xffAVI LIST'])
def test_file_that_is_no_video(tmp_path, content):
    path = tmp_path / 'a.mp4'
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r'a\.mp4 (is not a video that OpenCV can read here|has no readable frame)'):
        list(open_source(path))


@pytest.mark.parametrize('width, height, expected', [
    (0, 0, (48, 64)), (32, 24, (24, 32)), (32, 0, (24, 32)), (0, 96, (96, 128)), (100, 10, (10, 100)), (1, 0, (1, 1))])
def test_size(folder, width, height, expected):
    assert open_source(folder, width, height).__iter__().__next__().image.shape[:2] == expected


def test_shrinking_takes_the_mean(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2] = 200
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    only, = open_source(tmp_path / 'a.png', 2, 2)
    assert np.array_equal(only.image, np.full((2, 2, 3), 100, np.uint8))


@pytest.mark.parametrize('settings, message', [
    ({'width': -1}, 'width is -1; it must be from 0'), ({'height': 8193}, r'height is 8193; .* to 8192 pixels'),
    ({'rate': -1.0}, 'rate is -1.0'), ({'rate': float('nan')}, 'rate is nan'), ({'rate': float('inf')}, 'rate is inf')])
def test_wrong_settings(folder, settings, message):
    with pytest.raises(ParameterError, match=message):
        open_source(folder, **settings)


@pytest.mark.parametrize('address, seed', [('street', 0), ('street:7', 7), ('street:', None), ('streets.mp4', None),
                                           ('0', None)])
def test_the_seed_of_a_street_is_in_its_address(address, seed):
    assert street_seed(address) == seed
    assert seed is None or mount_of(seed) == open_source(address, 64, 32).mount


def test_street_is_the_street_with_its_labels():
    source = open_source('street:3', 96, 64, rate=5.0)
    assert (source.rate, source.count, source.live, source.labeled) == (5.0, 0, False, True)
    assert source.size == (96, 64)
    street = Street(96, 64, 3)
    assert np.array_equal(source.camera_matrix, street.camera_matrix)
    for number, found in enumerate(itertools.islice(source, 3)):
        expected = street.frame(number / 5.0)
        assert np.array_equal(found.image, expected.image) and np.array_equal(found.labels, expected.labels)
        assert found.name == 'street_{:06d}'.format(number)


@pytest.mark.parametrize('width, height, shape', [
    (0, 0, (512, 1024, 3)), (128, 0, (64, 128, 3)), (0, 64, (64, 128, 3))])
def test_street_size(width, height, shape):
    source = open_source('street', width, height)
    assert source.rate == 10.0
    assert next(iter(source)).image.shape == shape


def test_a_looped_street_draws_each_picture_once(monkeypatch):
    monkeypatch.setattr(capture, 'LOOP_SECONDS', 1.0)
    source = open_source('street:3', 96, 64, rate=4.0, loop=True)
    pictures = iter(source)
    first = [next(pictures) for _ in range(4)]
    again = [next(pictures) for _ in range(4)]
    assert all(a.image is b.image for a, b in zip(first, again)) and len({picture.name for picture in first}) == 4
    source.wants = frozenset(['depth'])  # what was not drawn beforehand is drawn when it is asked for
    deep = next(pictures)
    assert deep.name == first[0].name and deep.depth.shape == (64, 96)
    assert np.array_equal(deep.image, first[0].image)


def test_a_looped_street_keeps_a_bounded_number_of_bytes(monkeypatch):
    monkeypatch.setattr(capture, '_LOOP_BYTES', 2.5 * 4 * 96 * 64)
    pictures = iter(open_source('street:3', 96, 64, rate=4.0, loop=True))
    assert [next(pictures).name[-1] for _ in range(5)] == list('01010')


def test_street_too_small():
    with pytest.raises(ParameterError, match='width 8 of a street'):
        open_source('street', 8, 8)


@pytest.mark.parametrize('address', ['', 'street:', 'street:-1', 'street:x', 'Street', 'no such file.mp4', '-1',
                                     'rtsp:/host/a', 'x' * 5000])
def test_nothing_there(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if address == '':
        with pytest.raises(SourceError, match='holds no images'):  # the empty path is the working folder
            open_source(address)
        return
    with pytest.raises(SourceError, match='^there is no file or folder .*; a source is street, street:SEED, a webcam'):
        open_source(address)


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


def test_http_stream(video):
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


@pytest.mark.slow
def test_nothing_is_printed_by_libraries(tmp_path):
    """In a process of its own, where FFmpeg has not been woken before."""
    for name, content in (('a.mp4', b'\0\0\0\x18ftypmp42' + b'\0' * 5000), ('b.avi', b'RIFF\xff\xff\xff\xffAVI LIST'),
                          ('c1.txt', b'text'), ('d.png', b'\x89PNG\r\n\x1a\n' + b'\0' * 500 + b'IEND'),
                          ('e.jpg', cv2.imencode('.jpg', picture(5))[1].tobytes()[:-200])):
        (tmp_path / name).write_bytes(content)
    addresses = [str(path) for path in sorted(tmp_path.iterdir())] + ['rtsp://127.0.0.1:9/a', 'http://127.0.0.1:9/a']
    program = ('import sys\nfrom espnet_ros.images.sources import open_source\n'
               'from espnet_ros.errors import SourceError\n'
               'for address in sys.argv[1:]:\n    try:\n        next(iter(open_source(address)))\n'
               '    except SourceError:\n        print("sentence")')
    done = subprocess.run([sys.executable, '-c', program, *addresses],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert (done.stdout, done.stderr) == (7 * 'sentence\n', '')
