"""Video files: what is in them, and that browsers play them."""
import errno
import functools
import http.server
import sys
import threading

import cv2
import numpy as np
import pytest
from browser import browser  # noqa: F401

from espnet_ros.errors import ParameterError
from espnet_ros.images.video import VideoFile


def frame(value, width=64, height=48):
    """Gray on the left, blue on the right."""
    image = np.full((height, width, 3), value, np.uint8)
    image[:, width // 2:] = 200, 0, 0
    return image


def write(path, frames, rate=10.0):
    video = VideoFile(path, rate)
    for image in frames:
        video.write(image)
    video.close()


def read(path):
    capture = cv2.VideoCapture(str(path))
    code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, 'little').decode()
    images = []
    while True:
        found, image = capture.read()
        if not found:
            return code, capture.get(cv2.CAP_PROP_FPS), images
        images.append(image)


def check(images, values, width, height):
    assert len(images) == len(values)
    for image, value in zip(images, values):
        assert image.shape == (height, width, 3)
        assert np.abs(image[4:-4, 4:28].astype(int) - value).mean() < 4
        assert np.abs(image[4:-4, 36:60].astype(int) - (200, 0, 0)).mean() < 12


@pytest.mark.parametrize('width, height, rate', [(64, 48, 10.0), (65, 47, 29.97)])
def test_frames_come_back(tmp_path, width, height, rate):
    pytest.importorskip('av')
    values = [0, 40, 80, 120, 160, 200, 240]
    write(tmp_path / 'a.mp4', [frame(value, width, height) for value in values], rate)
    code, found, images = read(tmp_path / 'a.mp4')
    assert code in ('h264', 'avc1') and found == pytest.approx(rate, rel=1e-3)
    check(images, values, width + width % 2, height + height % 2)


def test_without_pyav_opencv_writes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    values = [10, 90, 170]
    write(tmp_path / 'a.mp4', [frame(value) for value in values])
    code, _, images = read(tmp_path / 'a.mp4')
    assert code.lower() in ('fmp4', 'mp4v')
    check(images, values, 64, 48)
    with pytest.raises(ParameterError, match='OpenCV cannot write the video'):
        write(tmp_path / 'no folder' / 'a.mp4', [frame(0)])


def test_a_full_disk_is_an_error():
    pytest.importorskip('av')
    with pytest.raises(OSError) as full:
        write('/dev/full', [frame(value) for value in range(50)])
    assert full.value.errno == errno.ENOSPC


def test_a_browser_plays_it(tmp_path, browser):  # noqa: F811
    pytest.importorskip('av')
    write(tmp_path / 'a.mp4', [frame(200)] * 20)
    (tmp_path / 'page.html').write_text('<video src="a.mp4" muted></video>')
    page = browser.new_page()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page.goto('http://127.0.0.1:{}/page.html'.format(server.server_port))
    found = page.evaluate("""async () => {
        const video = document.querySelector('video');
        await new Promise((resolve, reject) => {
            if (video.readyState >= 2) resolve(); else { video.onloadeddata = resolve; video.onerror = reject; } });
        const canvas = document.createElement('canvas');
        canvas.width = video.videoWidth; canvas.height = video.videoHeight;
        const context = canvas.getContext('2d');
        await video.play();
        await new Promise(resolve => { video.onended = resolve; });
        context.drawImage(video, 0, 0);
        const pixel = x => [...context.getImageData(x, 24, 1, 1).data].slice(0, 3);
        return [video.duration, video.videoWidth, video.videoHeight, pixel(16), pixel(48)]; }""")
    page.close()
    server.shutdown()
    server.server_close()
    duration, width, height, left, right = found
    assert (duration, width, height) == (pytest.approx(2.0, abs=0.11), 64, 48)
    assert np.abs(np.array(left) - 200).max() < 12
    assert np.abs(np.array(right) - (0, 0, 200)).max() < 25
