"""Video files as sources of pictures."""
import os

import pytest
from numbered_pictures import numbers

from espnet_ros.errors import SourceError
from espnet_ros.images.sources import open_source


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
