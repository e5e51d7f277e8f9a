"""Camera images that wait for their outputs."""
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.clients import viewer  # noqa: E402


def image(second, size=10):
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=second, nanosec=0)), data=bytes(size))


def test_each_output_of_an_image_finds_it_however_late():
    images = viewer.CameraImages()
    messages = [image(second) for second in range(100)]  # 4 s at 25 Hz, as on a small machine
    for message in messages:
        images.add(message)
    assert images.of(messages[3].header.stamp) is messages[3] is images.of(messages[3].header.stamp)
    assert images.of(messages[2].header.stamp) is None  # outputs come in order
    assert images.of(image(500).header.stamp) is None and images.of(messages[99].header.stamp) is messages[99]
    images.clear()
    assert images.of(messages[99].header.stamp) is None


def test_waiting_images_have_bounds(monkeypatch):
    monkeypatch.setattr(viewer, 'CAMERA_BYTES', 100)
    monkeypatch.setattr(viewer, 'CAMERA_IMAGES', 5)
    images = viewer.CameraImages()
    for second in range(8):
        images.add(image(second))
    assert images.of(image(2).header.stamp) is None and images.of(image(3).header.stamp)
    images.add(image(8, 70))
    assert images.of(image(4).header.stamp) is None and images.of(image(5).header.stamp)
    images.add(image(9, 1000))  # the newest one stays, whatever its size
    assert images.of(image(8).header.stamp) is None and images.of(image(9).header.stamp)
