"""Files and folders as sources of pictures; what cannot be read is said in a sentence."""
import itertools
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from numbered_pictures import numbers, picture

from espnet_ros.errors import ParameterError, SourceError
from espnet_ros.images.pictures import read_image
from espnet_ros.images.sources import open_source


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
