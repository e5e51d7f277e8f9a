"""sensor_msgs/CameraInfo of a resized picture."""
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from espnet_ros.errors import ImageError
from espnet_ros.nodes.common import messages

HEADER = Header(stamp=Time(sec=1234, nanosec=567000000), frame_id='camera_optical')


def camera_info(**changes):
    info = CameraInfo(header=HEADER, width=640, height=480, distortion_model='plumb_bob', d=[0.1, -0.2, 0.0, 0.0, 0.3])
    info.k = np.array([500.0, 0, 320.5, 0, 510.0, 239.5, 0, 0, 1])
    info.r = np.array([0.0, -1, 0, 1, 0, 0, 0, 0, 1])
    info.p = np.array([490.0, 0, 318.0, -49.0, 0, 495.0, 241.0, 7.0, 0, 0, 1, 0])
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def test_scale_camera_info():
    info = camera_info()
    scaled = messages.scale_camera_info(info, 1280, 240)
    np.testing.assert_allclose(scaled.k, [1000, 0, 641.5, 0, 255, 119.5, 0, 0, 1])
    np.testing.assert_allclose(scaled.p, [980, 0, 636.5, -98, 0, 247.5, 120.25, 3.5, 0, 0, 1, 0])
    assert (scaled.width, scaled.height) == (1280, 240)
    assert (scaled.header, scaled.distortion_model, list(scaled.d)) == (info.header, 'plumb_bob', list(info.d))
    np.testing.assert_array_equal(scaled.r, info.r)
    assert scaled.header is not info.header and info == camera_info()


def test_a_point_keeps_its_place_in_a_resized_picture():
    """The corner of the picture, half a pixel outside the first center, stays the corner."""
    scaled = messages.scale_camera_info(camera_info(), 160, 120)
    ray = np.linalg.inv(np.reshape(camera_info().k, (3, 3))).dot([-0.5, -0.5, 1])
    np.testing.assert_allclose(np.reshape(scaled.k, (3, 3)).dot(ray), [-0.5, -0.5, 1])


@pytest.mark.parametrize('info', [
    camera_info(), camera_info(width=1280, height=960, binning_x=2, binning_y=2),
    camera_info(width=1280, height=960, roi=RegionOfInterest(x_offset=5, y_offset=6, width=640, height=480))])
def test_a_picture_that_keeps_its_size_keeps_its_info(info):
    scaled = messages.scale_camera_info(info, 640, 480)
    assert scaled == info and scaled is not info
    scaled.k[0] = 1.0
    assert info.k[0] == 500.0


def test_region_and_binning_go_into_the_matrices():
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=400, height=300, do_rectify=True)
    scaled = messages.scale_camera_info(camera_info(binning_x=2, binning_y=2, roi=roi), 100, 100)
    np.testing.assert_allclose(scaled.k, [125, 0, 221 / 4 - 0.5, 0, 170, 190 / 3 - 0.5, 0, 0, 1])
    np.testing.assert_allclose(scaled.p[[0, 2, 3, 5, 6, 7]], [122.5, 54.125, -12.25, 165, 191.5 / 3 - 0.5, 7 / 3])
    assert (scaled.width, scaled.height, scaled.binning_x, scaled.binning_y) == (100, 100, 0, 0)
    assert scaled.roi == RegionOfInterest()


def test_an_uncalibrated_camera_stays_uncalibrated():
    scaled = messages.scale_camera_info(CameraInfo(width=640, height=480), 320, 240)
    assert not scaled.k.any() and not scaled.p.any() and (scaled.width, scaled.height) == (320, 240)


@pytest.mark.parametrize('info, width, height, sentence', [
    (camera_info(width=0), 320, 240, 'from 0x480 to 320x240 pixels; the camera driver must fill in'),
    (camera_info(height=0), 320, 240, 'from 640x0 to 320x240'),
    (camera_info(), 0, 240, 'from 640x480 to 0x240')])
def test_camera_info_without_a_size_is_refused(info, width, height, sentence):
    with pytest.raises(ImageError, match=sentence):
        messages.scale_camera_info(info, width, height)
