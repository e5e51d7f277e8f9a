"""A video and a folder of pictures that tell their numbers."""
import cv2
import pytest
from numbered_pictures import picture


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
